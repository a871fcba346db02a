"""Pairs that `foretell scenes` writes are those that the benchmark reads; curves over seconds; a pace of one's own."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from foretell import hub
from foretell.cli import main
from foretell.data.made.scenes import pairs
from foretell.data.made.scenes.show import RED, strips, write
from foretell.errors import ForetellError
from foretell.masking import TubeMasks
from foretell.methods import VJEPA, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig
from foretell.surprise import LAYOUTS
from foretell.surprise.draw import draw
from foretell.surprise.measure import Surprise


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes")
    write(out, 2, seed=3, property="colour", size=16, frames=8)
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    encoder = VideoViTConfig(16, 8, 16, 1, 2, frames=8)
    made = VJEPA(VJEPAConfig(encoder, PredictorConfig(8, 1, 2), TubeMasks(visible=0.5)))
    return str(hub.save(made, tmp_path_factory.mktemp("model") / "model"))


def test_pairs_are_written_in_the_layout_that_the_benchmark_reads(written):
    (read,) = LAYOUTS["pairs"](written, 16)
    made = pairs("colour", 2, 3, size=16, frames=8)
    assert read.property == "colour-visible"
    for name in ("possible", "impossible"):
        found, known = getattr(read, name).float(), getattr(made, name).take([0, 1]).float()
        assert found.shape == known.shape
        assert (found - known).abs().mean() < 4  # as the codec has it
    record = json.loads((written / "colour-visible.json").read_text())
    assert [each["violation"] for each in record] == made.violation.tolist()


def test_rows_have_names_and_the_moment_is_marked():
    clips = np.zeros((2, 3, 3, 24, 24), np.uint8)
    bare, named = strips(clips), strips(clips, ["a", "0000 impossible"], [None, 1])
    assert named.width > bare.width + 40
    pixels = np.asarray(named)[:, named.width - bare.width :]
    red = (pixels == RED).all(-1)
    assert not red[:24].any()
    assert red[26:].any(0).nonzero()[0].min() == 26  # the second frame
    assert red[26:].any(0).nonzero()[0].max() == 49
    assert (np.asarray(named)[:24, : named.width - bare.width] < 100).any()  # the name


def test_curves_are_over_seconds():
    errors = torch.full((1, 1, 1, 4), float("nan"))
    errors[..., 2:] = torch.tensor([1.0, 3.0])
    found = Surprise(errors, (4,), (0,), 2)
    seconds = np.arange(8) / 2.0
    figure = draw({"a.mp4": (torch.zeros(3, 8, 16, 16, dtype=torch.uint8), found, seconds)})
    plot = figure.axes[1]
    assert plot.get_xlabel() == "seconds"
    assert plot.get_xlim() == (0, 4)
    assert plot.patches[0].get_data().edges.tolist() == [2.0, 3.0, 4.0]
    assert "3.00 s, frame 6" in {text.get_text() for text in plot.texts}


def test_a_pace_of_ones_own(model, written, tmp_path, capsys):
    film = next((written / "colour-visible" / "possible").iterdir())
    peaks = {}
    for fps in ((), ("--fps", "8")):
        main(["surprise", model, str(film), "--json", "--device", "cpu", *fps])
        peaks[fps] = json.loads(capsys.readouterr().out)[str(film)]
    assert peaks[()]["seconds"][1] - peaks[()]["seconds"][0] == pytest.approx(0.5)  # 4 a second as they come
    assert peaks["--fps", "8"]["seconds"][1] - peaks["--fps", "8"]["seconds"][0] == pytest.approx(0.25, abs=0.26)
    assert len(peaks["--fps", "8"]["starts"]) > len(peaks[()]["starts"])
    for number in range(8):
        (tmp_path / "frames").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16), (20 * number, 0, 0)).save(tmp_path / "frames" / f"{number}.png")
    main(["surprise", model, str(tmp_path / "frames"), "--fps", "2", "--json", "--device", "cpu"])
    told = json.loads(capsys.readouterr().out)[str(tmp_path / "frames")]
    assert told["seconds"][-1] == 3.0
    with pytest.raises(SystemExit):
        main(["surprise", "--benchmark", "scenes", "--fps", "3"])
    assert "--fps is for videos and for --benchmark pairs" in capsys.readouterr().err


@pytest.fixture
def intphys2(tmp_path, written):
    """Two scenes: the first of four videos of equal length, one video of the second cut shorter."""
    films = {side: (written / "colour-visible" / side) for side in ("possible", "impossible")}
    rows = ["file_name,condition,type,SceneIndex,Difficulty,Camera"]
    (tmp_path / "Main").mkdir()
    for scene in (0, 1):
        for number in (1, 2):
            for side in ("Possible", "Impossible"):
                name = f"{scene}_{number}_{side}.mp4"
                source = films[side.lower()] / f"{number - 1:04}.mp4"
                (tmp_path / "Main" / name).write_bytes(source.read_bytes())
                rows.append(f"{name},{('Permanence', 'Solidity')[scene]},{number}_{side},{scene},Easy,Fixed")
    (tmp_path / "Main" / "metadata.csv").write_text("\n".join(rows))
    return tmp_path


def test_intphys_2_has_two_pairs_a_scene_which_are_a_set(intphys2, written):
    read = list(LAYOUTS["intphys2"](intphys2, 16))
    assert [(pairs.property, len(pairs.possible), pairs.sets) for pairs in read] == [
        ("permanence", 2, True),
        ("solidity", 2, True),
    ]
    (known,) = LAYOUTS["pairs"](written, 16)
    assert torch.equal(read[0].possible, known.possible)
    assert torch.equal(read[1].impossible, known.impossible)
    assert len(next(LAYOUTS["intphys2"](intphys2 / "Main", 16, stride=2)).possible[0, 0]) == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((",1_Possible", ",3_Possible"), r"line 2: type is '3_Possible', expected one of 1_Possible"),
        (("0_1_Possible.mp4", "gone.mp4"), r"line 2: .*gone\.mp4 is not there"),
        (("condition,", "what,"), "expected file_name, condition, type and SceneIndex"),
        (("0_1_Possible.mp4,Permanence,1_Possible,0,Easy,Fixed\n", ""), "scene 0 of Permanence lacks 1_Possible"),
    ],
)
def test_what_is_wrong_with_intphys_2_is_named(intphys2, change, said):
    table = intphys2 / "Main" / "metadata.csv"
    table.write_text(table.read_text().replace(*change, 1))
    with pytest.raises(ForetellError, match=said):
        next(LAYOUTS["intphys2"](intphys2, 16))
    table.unlink()
    with pytest.raises(ForetellError, match=r"no metadata\.csv in it"):
        next(LAYOUTS["intphys2"](intphys2, 16))
