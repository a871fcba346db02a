import pytest
import torch

from foretell.errors import ForetellError
from foretell.imagine import hide, see
from foretell.methods import IJEPA, IWM, IJEPAConfig, IWMConfig, SimCLR, SimCLRConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import ViT, ViTConfig

SMALL = ViTConfig(image_size=24, patch_size=4, width=24, depth=2, heads=3)
AHEAD = PredictorConfig(width=12, depth=1, heads=3)


@pytest.fixture(scope="module")
def image():
    return torch.randint(0, 256, (3, 24, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("registers", [0, 2])
def test_attention_is_shared_among_the_patches(registers):
    encoder = ViT(ViTConfig(image_size=8, patch_size=4, width=12, depth=1, heads=3, registers=registers)).eval()
    x = torch.rand(2, 3, 8, 8)
    tokens = encoder._tokens(x, None)[0]
    shares = encoder.blocks[0].attn.shares(encoder.blocks[0].norm1(tokens), 4 + registers)
    expected = torch.stack([shares[:, :, asks].mean(1) for asks in range(4 + registers)]).mean(0)[:, registers:]
    torch.testing.assert_close(encoder.attention(x), expected / expected.sum(1, keepdim=True))


def test_latents_become_the_colours_of_their_principal_components(image):
    model = IJEPA(IJEPAConfig(encoder=SMALL, predictor=AHEAD)).eval()
    found = see(model, image)
    assert found.colours.shape == (6, 6, 3)
    assert found.attention.sum() == pytest.approx(1)
    latents = model.patch_encoder(image.unsqueeze(0) / 255)[0]
    centred = latents - latents.mean(0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    first = centred @ vectors[:, -1]
    shares = (first - first.min()) / (first.max() - first.min())
    colour = found.colours[..., 0].flatten()
    assert min((colour - shares).abs().max(), (colour - 1 + shares).abs().max()) < 1e-3


def test_error_and_uncertainty_are_of_the_masks_that_hide_a_patch(image):
    model = IWM(IWMConfig(encoder=SMALL, predictor=AHEAD)).eval()
    found = hide(model, image, masks=5, seed=3)
    target = model.target(image.unsqueeze(0) / 255)[0]
    assert found.hidden.shape == (5, 6, 6)
    for number in (0, 17, 35):
        masks = [k for k in range(5) if found.hidden.flatten(1)[k, number]]
        said = found.latents[masks, number]
        wrong, unsure = found.wrong.flatten()[number], found.unsure.flatten()[number]
        if masks:
            torch.testing.assert_close(wrong, (said - target[number]).abs().mean())
        if len(masks) > 1:
            torch.testing.assert_close(unsure, said.std(0).mean(), rtol=1e-3, atol=1e-4)
        assert wrong.isfinite() == bool(masks)
        assert unsure.isfinite() == (len(masks) > 1)
    seen = ~found.hidden.flatten(1)
    torch.testing.assert_close(found.latents[seen], target.expand(5, -1, -1)[seen])
    assert torch.equal(hide(model, image, masks=5, seed=3).wrong.nan_to_num(), found.wrong.nan_to_num())


def test_what_has_no_patches_or_another_size_is_refused(image):
    model = SimCLR(SimCLRConfig(encoder=ResNetConfig(name="resnet18", image_size=32, base=8)))
    for look in (see, hide):
        with pytest.raises(ForetellError, match="SimCLR"):
            look(model, image)
        with pytest.raises(ForetellError, match="this model looks at"):
            look(IJEPA(IJEPAConfig(encoder=SMALL, predictor=AHEAD)), image[:, :8, :8])
    with pytest.raises(ForetellError, match="masks is 1, expected"):
        hide(IJEPA(IJEPAConfig(encoder=SMALL, predictor=AHEAD)), image, masks=1)
