import pytest
import torch
from PIL import Image

import foretell
from foretell import hub
from foretell.cli import main
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.hub.decoders import decoder_of
from foretell.methods import (
    IWM,
    VJEPA,
    IWMConfig,
    LatentDecoder,
    LatentDecoderConfig,
    Pixels,
    PixelsConfig,
    SimCLR,
    SimCLRConfig,
    VJEPAConfig,
)
from foretell.methods.decoder import factors
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.train.loop import read

SMALL = ViTConfig(image_size=16, patch_size=4, width=24, depth=1, heads=3)
CLIPS = VideoViTConfig(image_size=16, patch_size=8, width=12, depth=1, heads=3, frames=8, tubelet=2)
AHEAD = PredictorConfig(width=12, depth=1, heads=3)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A saved image world model."""
    torch.manual_seed(0)
    return hub.save(IWM(IWMConfig(encoder=SMALL, predictor=AHEAD)), tmp_path_factory.mktemp("worlds") / "world")


def decoder(config=SMALL, **given):
    return LatentDecoder(LatentDecoderConfig(encoder=config, width=16, **given))


def test_it_draws_pictures_of_any_grid_and_clips_tubelet_by_tubelet():
    assert decoder().decode(torch.randn(2, 16, 24)).shape == (2, 3, 16, 16)
    assert decoder().decode(torch.randn(2, 6, 24), (2, 3)).shape == (2, 3, 8, 12)
    draws, latents = decoder(CLIPS), torch.randn(1, 16, 12)
    clip = draws.decode(latents)
    assert clip.shape == (1, 3, 8, 16, 16)
    assert 0 <= clip.min() < clip.max() <= 1
    other = latents.clone()
    other[:, 4:8] += 1  # the second tubelet's: frames 2 and 3
    changed = (draws.decode(other) != clip).flatten(3).any(3)[0].any(0)
    assert changed.tolist() == [False, False, True, True, False, False, False, False]
    torch.testing.assert_close(draws.decode(latents[:, 4:8], (1, 2, 2)), clip[:, :, 2:4])


def test_the_loss_is_the_absolute_error_of_what_the_target_encoder_saw():
    model = IWM(IWMConfig(encoder=SMALL, predictor=AHEAD)).eval()
    draws = LatentDecoder.begin(LatentDecoderConfig(width=16), model)
    batch = Batch(pixels=torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8))
    views = draws.views(batch, torch.Generator().manual_seed(3))
    pictures = model.augmented(batch, torch.Generator().manual_seed(3))
    torch.testing.assert_close(views.pictures, pictures)
    torch.testing.assert_close(views.latents, model.target(pictures))
    expected = (draws.decode(views.latents) - pictures).abs().mean()
    torch.testing.assert_close(draws(views), expected)
    measured = draws.measures(views)
    assert measured["loss"] == pytest.approx(expected.item())
    assert measured["constant"] == pytest.approx((pictures - pictures.median(0).values).abs().mean().item())
    assert draws.config.encoder == SMALL
    assert not any(name.startswith("_world") for name in draws.state_dict())


def test_a_decoder_of_clips_reads_what_its_model_reads():
    model = VJEPA(VJEPAConfig(encoder=CLIPS, predictor=AHEAD, fps=8.0, clips=3))
    assert LatentDecoder.begin(LatentDecoderConfig(), model).reads == model.reads
    assert decoder(CLIPS).reads == foretell.data.Clips(16, 8)


@pytest.mark.parametrize(("number", "found"), [(1, []), (8, [2, 2, 2]), (14, [7, 2]), (12, [3, 2, 2])])
def test_steps_to_pixels_are_prime(number, found):
    assert list(factors(number)) == found


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: None, "a decoder needs the world model"),
        (lambda: SimCLR(SimCLRConfig(encoder=ResNetConfig(name="resnet18", image_size=32, base=8))), "SimCLR does not"),
        (lambda: Pixels(PixelsConfig(encoder=SMALL, predictor=AHEAD)), "predicts 48 numbers a patch, expected the 24"),
    ],
)
def test_a_model_without_latents_to_predict_is_refused(make, sentence):
    with pytest.raises(ForetellError, match=sentence):
        LatentDecoder.begin(LatentDecoderConfig(), make())


def test_what_is_no_latent_is_refused():
    with pytest.raises(ForetellError, match=r"latents are \[2, 15, 24\], expected \[B, 16, 24\]"):
        decoder().decode(torch.randn(2, 15, 24))
    with pytest.raises(ForetellError, match="a decoder draws latents, and has no encoder"):
        decoder().features(torch.rand(1, 3, 16, 16))


def test_a_decoder_is_trained_resumed_and_used(world, tmp_path, capsys):
    out = world / "decoder"
    words = f"decoder {world} --data photographs --batch 16 --monitor_every 0 --log_every 5 --model.width 16 --out"
    main([*words.split(), str(out), "--steps", "20"])
    assert f"foretell imagine MODEL IMAGE --decoder {out}" in capsys.readouterr().err
    losses = [line["loss"] for line in read(out / "metrics.jsonl")]
    assert losses[-1] < losses[0]
    main([*words.split(), str(out), "--steps", "40", "--resume"])
    model = hub.load(world)
    found = decoder_of(model, world)
    assert found.config.world
    picture = tmp_path / "grey.png"
    Image.new("RGB", (20, 20), "grey").save(picture)
    main(["imagine", str(world), str(picture), "--brightness", "0.6", "--bank", "8", "--out", str(tmp_path / "a.png")])
    main(["imagine", str(world), str(picture), "--sweep", "hue", "--bank", "32", "--out", str(tmp_path / "b.png")])
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as sweep:
        assert sweep.height > one.height
    other = hub.save(IWM(IWMConfig(encoder=SMALL, predictor=AHEAD)), tmp_path / "other")
    assert decoder_of(hub.load(other), other) is None
    for given, sentence in ((out, "decodes the latents of a model with the fingerprint"), (world, "holds a IWM")):
        with pytest.raises(SystemExit):
            main(["imagine", str(other), str(picture), "--decoder", str(given), "--out", str(tmp_path / "c.png")])
        assert sentence in capsys.readouterr().err


def test_the_command_says_what_it_needs(capsys):
    for words in ("decoder", "decoder --data photographs"):
        with pytest.raises(SystemExit) as stop:
            main(words.split())
        assert stop.value.code == 2
        assert "decoder needs a MODEL first" in capsys.readouterr().err


def test_the_shipped_decoder_draws_better_than_the_average_picture():
    model = hub.load("iwm-mini")
    found = decoder_of(model, "iwm-mini")
    folder = hub.folder_of("iwm-mini") / "decoder"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_500_000
    x = torch.stack([foretell.imagine.read_image(path, 32) for path in sorted(PICTURES.glob("*.[jw]*"))]).float() / 255
    with torch.no_grad():
        error = (found.decode(model.target(x)) - x).abs().mean()
    assert error < 0.5 * (x - x.mean(0)).abs().mean()


PICTURES = hub.shipped.SHIPPED.parents[1] / "data" / "pictures"
