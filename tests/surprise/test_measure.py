import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from foretell import hub
from foretell.cli import main
from foretell.data.video import read_video
from foretell.errors import ForetellError, ForetellWarning
from foretell.methods import IJEPA, VJEPA, IJEPAConfig, VideoPixels, VideoPixelsConfig, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig, layer_norm
from foretell.surprise import (
    LAYOUTS,
    Asked,
    Pairs,
    Surprise,
    accuracy,
    auroc,
    benchmark,
    carried,
    copied,
    draw,
    pairwise,
    predicted,
    scenes,
    surprise,
    surprises,
)
from foretell.surprise.benchmark import another
from foretell.surprise.layouts import _whole_steps
from foretell.surprise.measure import default_contexts

ENCODER = VideoViTConfig(image_size=32, patch_size=16, width=12, depth=1, heads=3, frames=16, tubelet=2)
PREDICTOR = PredictorConfig(12, 1, 3)
torch.manual_seed(0)
MODEL = VJEPA(VJEPAConfig(ENCODER, PREDICTOR)).eval()
CLIPS = torch.randint(256, (3, 3, 20, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_surprise_is_the_papers_mean_absolute_error():
    """S_t by hand: the window from frame 4, its first 6 frames seen, everything after predicted."""
    found = surprise(MODEL, CLIPS, contexts=(6,), stride=2)
    assert found.starts == (0, 2, 4)
    x = CLIPS[1:2, :, 4:20].float() / 255
    target = layer_norm(MODEL.target_encoder(x))
    past, future = torch.arange(12).unsqueeze(0), torch.arange(12, 32).unsqueeze(0)
    said = MODEL.predict(MODEL.context_encoder(x, past), past, future.unsqueeze(1))[:, 0]
    expected = (said - target[:, 12:]).abs().mean()
    assert found.values[1, 0, 2].item() == pytest.approx(expected.item(), rel=1e-5)
    assert found.errors[..., :3].isnan().all()
    assert found.errors[..., 3:].isfinite().all()


@torch.no_grad()
def test_future_targets_see_nothing_of_the_past():
    found = surprise(MODEL, CLIPS, contexts=(6,), stride=2, targets="future")
    x = CLIPS[1:2, :, 4:20].float() / 255
    past, future = torch.arange(12).unsqueeze(0), torch.arange(12, 32).unsqueeze(0)
    said = MODEL.predict(MODEL.context_encoder(x, past), past, future.unsqueeze(1))[:, 0]
    expected = (said - layer_norm(MODEL.target_encoder(x, future))).abs().mean()
    assert found.values[1, 0, 2].item() == pytest.approx(expected.item(), rel=1e-5)
    assert not torch.allclose(found.values, surprise(MODEL, CLIPS, contexts=(6,), stride=2).values)

    other = CLIPS.clone()
    other[:, :, :6] = 0
    seen = torch.arange(12, 32).expand(3, -1)
    assert torch.equal(MODEL.target(CLIPS[:, :, :16] / 255, seen), MODEL.target(other[:, :, :16] / 255, seen))


def test_pixels_are_the_same_whatever_is_seen_beside_them():
    pixels = VideoPixels(VideoPixelsConfig(ENCODER, PREDICTOR)).eval()
    window, future = (surprise(pixels, CLIPS, targets=targets).errors for targets in ("window", "future"))
    torch.testing.assert_close(window, future, equal_nan=True)


def test_no_batch_size_changes_it():
    one, many = surprise(MODEL, CLIPS, batch=1), surprise(MODEL, CLIPS, batch=64)
    assert torch.allclose(one.errors, many.errors, atol=1e-5, equal_nan=True)


def test_scores_are_the_mean_and_the_largest_over_time():
    found = surprise(MODEL, CLIPS, contexts=(4, 8))
    assert torch.allclose(found.relative(8), found.values[:, 1].mean(1))
    assert torch.allclose(found.relative(), found.values.mean((1, 2)))
    assert torch.allclose(found.absolute(4), found.values[:, 0].amax(1))
    with pytest.raises(ForetellError, match="context 6 was not measured"):
        found.relative(6)


def test_the_curve_is_over_the_frames_that_were_predicted():
    moments, curve = surprise(MODEL, CLIPS, contexts=(4,), stride=4).curve()
    assert moments.tolist() == list(range(4, 20, 2))  # windows from 0 and 4; nothing before frame 4 is predicted
    assert curve.shape == (3, 8)
    assert curve.isfinite().all()


def test_contexts_are_sixteenths_in_whole_tubelets():
    assert default_contexts(16, 2) == (2, 4, 6, 8, 10)
    assert default_contexts(32, 2) == (4, 8, 12, 16, 20)
    assert default_contexts(8, 2) == (2, 4)


@pytest.mark.parametrize(
    ("clips", "options", "message"),
    [
        (CLIPS[:, :, :15], {}, "15 frames and the model's window is 16"),
        (CLIPS[:0], {}, "there are no clips"),
        (CLIPS, {"contexts": (3,)}, "context 3: expected a multiple of 2"),
        (CLIPS, {"contexts": (16,)}, "context 16: expected"),
    ],
)
def test_what_cannot_be_measured_is_said(clips, options, message):
    with pytest.raises(ForetellError, match=message):
        surprise(MODEL, clips, **options)


def test_only_video_models_are_surprised():
    with pytest.raises(ForetellError, match="IJEPA is an image model"):
        surprise(IJEPA(IJEPAConfig()), CLIPS)


@torch.no_grad()
def test_baselines_copy_the_past_and_see_anothers():
    x = CLIPS[:, :, :16].float() / 255
    said = copied(MODEL, x, 3)
    assert said.shape == (3, 20, 12)
    assert torch.equal(said, MODEL.target(x[:, :, :6])[:, -4:].repeat(1, 5, 1))


def test_a_shuffled_past_is_anothers_and_seldom_the_neighbours():
    for n in (2, 3, 8, 60):
        order = another(n)
        assert sorted(order.tolist()) == list(range(n))
        assert (order != torch.arange(n)).all()
    assert (another(60) == torch.arange(60).bitwise_xor(1)).sum() < 6


@torch.no_grad()
def test_the_control_is_shown_anothers_past_at_the_same_time():
    asked = [Asked(predicted), Asked(predicted, torch.tensor([2, 0, 1])), Asked(copied)]
    own, control, copy = surprises(MODEL, CLIPS, asked, contexts=(6,), stride=4, batch=2)
    window = CLIPS[:, :, 4:20].float() / 255
    expected = (predicted(MODEL, window[:1], 3) - MODEL.target(window[1:2])[:, 12:]).abs().mean()
    assert control.values[1, 0, 1].item() == pytest.approx(expected.item(), rel=1e-5)
    for shared, predict in ((own, predicted), (copy, copied)):
        alone = surprise(MODEL, CLIPS, predict=predict, contexts=(6,), stride=4)
        assert torch.allclose(shared.errors, alone.errors, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_is_carried_ahead_is_the_share_of_a_difference_that_is_foretold(share):
    """Predictions that differ by a share of the difference of the futures, beside a common part."""
    stories = torch.cat([CLIPS, CLIPS.flip(0)])[:5, :, :16]

    def say(model, x, seen):
        future = model.target(x)[:, seen * 4 :]
        return future.mean() + share * future

    found = carried(MODEL, stories, torch.tensor([6, 6, 8, 8, 10]), predict=say, batch=3)
    assert found["value"] == pytest.approx(share, abs=1e-5)
    assert found["ahead"] == pytest.approx([share] * 5, abs=1e-5)  # three tubelets seen of eight, at least
    nothing = carried(MODEL, stories, torch.zeros(5, dtype=torch.int64))
    assert nothing == {"value": None, "ahead": []}


def test_twins_share_their_past_which_is_predicted_once():
    """The third clip is the second until frame 6. Each is as surprising alone as beside the others."""
    twin = CLIPS[1:2, :, :16].clone()
    twin[:, :, 6:] = 0
    clips, asked = torch.cat([CLIPS[:2, :, :16], twin]), []

    def say(model, x, seen):
        asked.append(len(x))
        return predicted(model, x, seen)

    found = surprise(MODEL, clips, contexts=(6, 8), predict=say)
    assert asked == [2, 3]
    for n, clip in enumerate(clips.split(1)):
        alone = surprise(MODEL, clip, contexts=(6, 8))
        assert torch.allclose(found.errors[n], alone.errors[0], atol=1e-5, equal_nan=True)


def test_a_tie_is_wrong_and_so_is_nearly_one():
    possible = torch.tensor([1.0, 1.0, 1.0, 1.0])
    assert pairwise(possible, torch.tensor([1.1, 1.0, 1.0 + 1e-7, 0.9])).tolist() == [1, 0, 0, 0]
    assert accuracy(torch.tensor([1.0, 0, 0, 1]))["value"] == 0.5


def test_auroc_by_hand():
    """Two of the four combinations are right, one is wrong and one is a tie: (2 + 0.5) / 4."""
    assert auroc(torch.tensor([1.0, 3.0]), torch.tensor([3.0, 2.0])) == pytest.approx(0.625)


def sudden(n: int, seed: int) -> Pairs:
    """Nothing happens in possible clips; impossible ones flash at the end."""
    generator = torch.Generator().manual_seed(seed)
    still = torch.randint(256, (n, 3, 1, 32, 32), dtype=torch.uint8, generator=generator).repeat(1, 1, 16, 1, 1)
    flash = still.clone()
    flash[:, :, 8:] = 255 - flash[:, :, 8:]
    return Pairs("flash", still, flash, None, tuple(["to negative", "to positive"] * (n // 2)))


def test_a_benchmark_is_scored_beside_its_baselines():
    torch.manual_seed(1)
    pixels = VideoPixels(VideoPixelsConfig(ENCODER, PREDICTOR)).eval()
    report = benchmark(MODEL, [sudden(8, 1)], [sudden(4, 0)], pixels=pixels, contexts=(4, 8))
    assert report == benchmark(MODEL, iter([sudden(8, 1)]), iter([sudden(4, 0)]), pixels=pixels, contexts=(4, 8))
    json.dumps(report)
    assert report["baselines"].keys() == {"untrained", "copy", "pixels"}
    assert report["baselines"]["copy"]["value"] == 1.0  # repeating what was seen is right while nothing happens
    assert report["accuracy"]["pairs"] == 8
    assert report["accuracy"]["per_property"]["flash"]["directions"].keys() == {"to negative", "to positive"}
    assert 0 <= report["auroc"] <= 1
    assert report["contexts"].keys() == {"model", "untrained", "copy", "shuffled_context", "pixels"}
    alone = benchmark(MODEL, [sudden(8, 1)], [sudden(4, 0)], baselines=False, contexts=(4, 8))
    assert alone["baselines"] == {}
    assert (alone["accuracy"], alone["shuffled_context"]) == (report["accuracy"], report["shuffled_context"])
    with pytest.raises(ForetellError, match="no pairs"):
        benchmark(MODEL, [], [])


def test_in_sets_what_a_clip_costs_cancels():
    """Nothing happens, or noise continues. Noise costs more than stillness, so no pair that ends still is found."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (3, 3, 16, 32, 32), dtype=torch.uint8, generator=generator)
    still = torch.full_like(noise, 127)
    halves = [torch.cat([a[:, :, :8], b[:, :, 8:]], 2) for a, b in ((still, noise), (noise, still))]
    quads = [torch.stack(side, 1).flatten(0, 1) for side in ((still, noise), halves)]
    some = Pairs("noise", *quads, direction=("begins", "ends") * 3, sets=True)
    found = benchmark(MODEL, [some], [some], contexts=(8,))["baselines"]["copy"]
    assert found["directions"] == {"begins": 1.0, "ends": 0.0}
    assert found["sets"] | {"low": None} == {"value": 1.0, "low": None, "high": 1.0, "pairs": 3}
    odd = replace(some, possible=some.possible[:5], impossible=some.impossible[:5])
    assert benchmark(MODEL, [odd], [some], contexts=(8,))["baselines"]["copy"]["sets"]["pairs"] == 2
    alone = replace(some, sets=False)
    assert benchmark(MODEL, [alone], [some], contexts=(8,))["baselines"]["copy"]["sets"] is None


def test_a_benchmark_asks_with_the_targets_it_was_given(monkeypatch):
    asked = []

    def watching(*args, **options):
        asked.append(options["targets"])
        return surprises(*args, **options)

    monkeypatch.setattr(sys.modules["foretell.surprise.benchmark"], "surprises", watching)
    for targets in ("window", "future"):
        benchmark(MODEL, [sudden(2, 1)], [sudden(2, 0)], baselines=False, contexts=(4,), targets=targets)
        assert asked
        assert set(asked) == {targets}
        asked.clear()


def test_scenes_come_hidden_and_visible():
    found = list(scenes(2, 0, 32, 16))
    assert len(found) == 18
    assert {pairs.hidden for pairs in found} == {True, False}
    assert found[0].possible.shape == (2, 3, 16, 32, 32)


def test_of_an_odd_number_of_scenes_the_last_is_half_a_quad():
    odd, even = next(scenes(3, 0, 32, 16)), next(scenes(4, 0, 32, 16))
    assert torch.equal(odd.possible, even.possible[:3])
    assert torch.equal(odd.impossible, even.impossible[:3])
    assert odd.direction == even.direction[:3]
    report = benchmark(MODEL, [next(scenes(1, 0, 32, 16))], [])
    assert report["accuracy"]["pairs"] == 1
    assert report["shuffled_context"] is None


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (lambda folder: LAYOUTS["intphys"](folder, 32), "expected IntPhys' dev folder"),
        (lambda folder: iter([Pairs("short", CLIPS[:, :, :15], CLIPS[:, :, :15])]), "15 frames"),
    ],
)
def test_what_is_wrong_with_the_pairs_is_said_before_contexts_are_chosen(test, message, tmp_path):
    def validation():
        raise AssertionError
        yield

    with pytest.raises(ForetellError, match=message):
        benchmark(MODEL, test(tmp_path), validation())


@pytest.mark.parametrize("flash", [3, 17])
def test_the_peaks_label_stays_within_the_axes(flash):
    errors = torch.ones(1, 1, 1, 10)
    errors[..., flash // 2] = 2
    figure = draw({"a": (CLIPS[0], Surprise(errors, (2,), (0,), 2), np.arange(20) / 15)})
    plot = figure.axes[-1]
    figure.canvas.draw()
    (label,) = plot.texts
    box, axes = label.get_window_extent(), plot.get_window_extent()
    assert axes.x0 < box.x0 < box.x1 < axes.x1


@pytest.fixture
def saved(tmp_path):
    return str(hub.save(MODEL, tmp_path / "model"))


def film(path, frames):
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for frame in frames.transpose(0, 2, 3, 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")))
        container.mux(stream.encode())


def test_seconds_are_the_videos_own(tmp_path):
    film(tmp_path / "a.mp4", CLIPS[0].transpose(0, 1).numpy())  # 15 frames a second
    pixels, seconds = read_video(tmp_path / "a.mp4", 32, fps=5, stride=2)
    assert len(pixels) == len(seconds) == 4
    assert seconds == pytest.approx([0.0, 0.4, 0.8, 1.2])


def test_what_is_missing_of_a_video_is_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32), np.uint8)
    film(tmp_path / "a.mkv", noise)
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[: (tmp_path / "a.mkv").stat().st_size // 2])
    with pytest.warns(ForetellWarning, match=r"cut\.mkv: cut short: of 4"):
        pixels, _ = read_video(tmp_path / "cut.mkv", 32)
    assert 16 <= len(pixels) < 60


def test_the_command_measures_videos_and_draws_them(saved, tmp_path, capsys):
    film(tmp_path / "a.mp4", CLIPS[0].transpose(0, 1).numpy())
    main(["surprise", saved, str(tmp_path / "a.mp4"), "--json", "--plot", str(tmp_path / "a.png")])
    (report,) = json.loads(capsys.readouterr().out).values()
    assert report["starts"] == [0, 2, 4]
    assert report["peak"] in report["frames"]
    assert report["seconds"] == pytest.approx([frame / 15 for frame in report["frames"]], abs=1e-3)
    assert (tmp_path / "a.png").stat().st_size > 1000
    main(["surprise", saved, str(tmp_path / "a.mp4"), "--json", "--targets", "future"])
    (other,) = json.loads(capsys.readouterr().out).values()
    assert other["frames"] == report["frames"]
    assert other["values"] != report["values"]
    film(tmp_path / "short.mp4", CLIPS[0, :, :3].transpose(0, 1).numpy())
    with pytest.raises(SystemExit):
        main(["surprise", saved, str(tmp_path / "short.mp4"), str(tmp_path / "a.mp4"), str(tmp_path / "none.mp4")])
    told = capsys.readouterr()
    assert told.out.startswith(f"{tmp_path / 'a.mp4'}: mean")
    assert "short.mp4 has 3 frames" in told.err
    assert "none.mp4: not found" in told.err
    assert "2 of 3 videos could not be measured" in told.err


def test_pairs_on_disk_are_scored(saved, tmp_path, capsys):
    for name in ("x.mp4", "y.mp4"):
        for side in ("possible", "impossible"):
            film(tmp_path / "data" / "flash" / side / name, CLIPS[0].transpose(0, 1).numpy())
    main(["surprise", "--benchmark", "pairs", "--model", saved, "--data", str(tmp_path / "data"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"]["value"] == 0.0  # the same film twice is a tie, and ties are wrong
    (tmp_path / "data" / "flash" / "possible" / "x.mp4").unlink()
    with pytest.raises(ForetellError, match=r"x.mp4 is in one of possible and impossible only"):
        list(LAYOUTS["pairs"](tmp_path / "data", 32, None, 1))


def test_missing_files_are_said_before_any_is_read(tmp_path):
    for side in ("possible", "impossible"):
        (tmp_path / "b" / side).mkdir(parents=True)
        film(tmp_path / "a" / side / "x.mp4", CLIPS[0].transpose(0, 1).numpy())
    (tmp_path / "a" / "possible" / "x.mp4").write_bytes(b"never read")
    with pytest.raises(ForetellError, match=r"b.possible: no video in it"):
        next(LAYOUTS["pairs"](tmp_path, 32))


def test_intphys_pairs_share_their_past(tmp_path):
    from PIL import Image

    generator = np.random.default_rng(0)
    pasts, futures = generator.integers(0, 256, (2, 2, 4, 32, 32, 3), np.uint8)
    for number, (past, future) in enumerate([(0, 0), (1, 1), (1, 0), (0, 1)], 1):
        scene = tmp_path / "O1" / "01" / str(number) / "scene"
        scene.mkdir(parents=True)
        (scene.parent / "status.json").write_text(json.dumps({"header": {"is_possible": past == future}}))
        for i, frame in enumerate([*pasts[past], *futures[future]]):
            Image.fromarray(frame).save(scene / f"scene_{i:03}.png")
    (found,) = LAYOUTS["intphys"](tmp_path, 32, skip=1)
    assert found.property == "permanence"
    assert found.possible.shape == (2, 3, 8, 32, 32)
    assert torch.equal(found.possible[:, :, :4], found.impossible[:, :, :4])
    assert not torch.equal(found.possible[:, :, 4:], found.impossible[:, :, 4:])
    for frame in scene.iterdir():
        frame.rename(frame.with_suffix(".PNG" if "1" in frame.stem else ".txt"))
    apart = list(LAYOUTS["intphys"](tmp_path, 32, skip=1))
    assert {one.possible.shape[2] for one in apart} == {1, 8}  # as the shorter
    assert [found.sets, *(one.sets for one in apart)] == [True, False, False]
    for frame in scene.iterdir():
        frame.unlink()
    with pytest.raises(ForetellError, match=r"4.scene: no frame in it"):
        next(LAYOUTS["intphys"](tmp_path, 32))


def test_of_a_hundred_frames_of_intphys_forty_nine_are_read_as_by_the_released_code():
    assert [len(range(100)[: _whole_steps(100, skip)][::skip]) for skip in (2, 5, 10)] == [49, 19, 9]
    assert [_whole_steps(8, 1), _whole_steps(1, 2)] == [8, 2]


def test_grasp_counts_for_each_property_of_a_test(tmp_path):
    rng = np.random.default_rng(0)
    for test, lengths in (("SolidityContinuity2", (20, 20, 30)), ("Collision", (20,))):
        for number, length in enumerate(lengths):
            for side in ("P", "IP"):
                film(
                    tmp_path / f"{side}_{test}" / f"{number:03}.mp4",
                    rng.integers(0, 256, (length, 3, 32, 32), np.uint8),
                )
    found = list(LAYOUTS["grasp"](tmp_path, 32, skip=2))
    assert [(one.names, tuple(one.possible.shape)) for one in found] == [
        (("collision",), (1, 3, 10, 32, 32)),
        (("solidity", "continuity"), (2, 3, 10, 32, 32)),
        (("solidity", "continuity"), (1, 3, 15, 32, 32)),
    ]
    report = benchmark(MODEL, [Pairs("a", CLIPS[:2], CLIPS[1:], also=("b",)), Pairs("a", CLIPS[:1], CLIPS[1:2])], [])
    assert {name: row["pairs"] for name, row in report["accuracy"]["per_property"].items()} == {"a": 3, "b": 2}
    assert report["accuracy"]["pairs"] == 3
    assert report["shuffled_context"]["pairs"] == 2  # the lonely pair has no other's past to be shown
    (tmp_path / "IP_Collision" / "000.mp4").unlink()
    with pytest.raises(ForetellError, match=r"000.mp4 is in one of P_Collision and IP_Collision only"):
        list(LAYOUTS["grasp"](tmp_path, 32))


def test_inflevel_leaves_out_what_primes_and_ends_together(tmp_path):
    rng = np.random.default_rng(0)
    for name, length in (("a.mp4", 24), ("b.mp4", 26)):
        film(tmp_path / "gravity" / name, rng.integers(0, 256, (length, 3, 32, 32), np.uint8))
    table = tmp_path / "gravity.csv"
    heading = ",".join(f"vid{n}_{what}" for n in (1, 2) for what in ("path", "label", "end_priming_2"))
    table.write_text(f"{heading}\ngravity/a.mp4,impossible,3,gravity/b.mp4,possible,4\n")
    (found,) = LAYOUTS["inflevel"](tmp_path, 32, skip=5)
    assert found.names == ("gravity",)
    whole, _ = read_video(tmp_path / "gravity" / "b.mp4", 32)
    assert torch.equal(found.possible[0].transpose(0, 1), torch.from_numpy(whole[6::5]))  # 20 frames of both are left
    assert found.impossible.shape == (1, 3, 4, 32, 32)
    for wrong, said in (("x", "'x'"), ("inf", "infinity"), ("-50", "-50 is no frame")):
        table.write_text(f"{heading}\ngravity/a.mp4,impossible,{wrong},gravity/b.mp4,possible,4\n")
        with pytest.raises(ForetellError, match=rf"gravity.csv, line 2: .*{said}"):
            list(LAYOUTS["inflevel"](tmp_path, 32))
    table.write_text(f"{heading}\ngravity/a.mp4,impossible,3,gravity/é.mp4,possible,4\n", encoding="latin-1")
    with pytest.raises(ForetellError, match=r"gravity.csv: not a table in UTF-8"):
        list(LAYOUTS["inflevel"](tmp_path, 32))
    table.write_text(f"{heading}\ngravity/a.mp4,impossible,3,gravity/é.mp4,possible,4\n", encoding="utf-8")
    with pytest.raises(ForetellError, match=r"line 2: .*é.mp4 is not there"):
        list(LAYOUTS["inflevel"](tmp_path, 32))
    with pytest.raises(ForetellError, match="expected the tables of pairs"):
        list(LAYOUTS["inflevel"](tmp_path / "gravity", 32))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "needs a MODEL and a VIDEO"),
        (["m", "v", "--benchmark", "scenes"], "takes no videos"),
        (["iwm-mini", "v.mp4"], "IWM is an image model"),
    ],
)
def test_wrong_words_are_explained(args, message, capsys):
    with pytest.raises(SystemExit):
        main(["surprise", *args])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("contexts", "chosen"), [((4,), 4), ((4, 8), None)])
def test_contexts_that_are_given_are_not_chosen(contexts, chosen):
    """No validation pair is scored: of several contexts the mean is taken."""

    def validation():
        pytest.fail("a validation pair was asked for")
        yield

    report = benchmark(MODEL, [sudden(2, 1)], validation(), baselines=False, contexts=contexts)
    assert set(report["contexts"].values()) == {chosen}
