from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foretell.claims import Claim, Data, Expect, Experiment, run
from foretell.claims.robust import colours, grounds, saved
from foretell.data import GroupedPhotographs, Images, Photographs, train_test
from foretell.errors import ForetellError
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.robust.config import RobustConfig
from foretell.robust.twins import TwinConfig

TINY = saved.Setting(
    RobustConfig(network="mlp", width=8, steps=4, every=2), TwinConfig("mlp", width=8, steps=4), draws=2
)


def counted(data: Data, seed: int) -> dict[str, float]:
    return {"score": float(seed + len(data.train))}


def test_an_arm_may_be_any_procedure(tmp_path: Path) -> None:
    images = Images.of(torch.zeros(6, 3, 8, 8, dtype=torch.uint8), torch.arange(6) % 2)
    asked: list[object] = []

    def find(reads: object, spec: str | None) -> Data:
        asked.append((reads, spec))
        return Data(images, images)

    arms = {"a": Experiment(Photographs(8), counted), "b": Experiment(Photographs(8), counted)}
    claim = Claim("tiny", "a is b.", "ours", "none", "tiny", arms, (Expect("score", "a", "b", by=-0.1),), data="it")
    assert run(claim, find, tmp_path, (0, 1)) == {arm: {0: {"score": 6.0}, 1: {"score": 7.0}} for arm in "ab"}
    assert set(asked) == {(Photographs(8), "it")}
    assert len(list((tmp_path / "measured").iterdir())) == 2  # one name for one measure, data and seed
    assert not (tmp_path / "trainings").exists()


@pytest.mark.parametrize("groups", ["xrm", "human", "label"])
def test_coloured_digits_are_measured_by_rows_and_by_colour(groups: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colours, "COLOURS", TINY)
    digits = Images.of(torch.randint(0, 256, (400, 3, 28, 28), dtype=torch.uint8), torch.arange(400) % 10)
    values = colours.on_colours(Data(digits, digits), 0, groups=groups)  # type: ignore[arg-type]
    assert {"worst group", "worst by colour", "average", "purity"} <= values.keys()
    assert values["worst group"] <= values["average"]
    assert ("flip rate" in values) == (groups == "xrm")


def test_only_digits_are_coloured() -> None:
    birds = Images.of(torch.zeros(4, 3, 28, 28, dtype=torch.uint8), torch.arange(4) % 2, classes=("owl", "duck"))
    with pytest.raises(ForetellError, match="expected MNIST"):
        colours.on_colours(Data(birds, birds), 0)


def test_features_are_measured_by_ground() -> None:
    data: Data = Data(*train_test("backgrounds:80", GroupedPhotographs(16), progress=False))
    known = grounds.vectors(IJEPA(IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2))).eval(), data)
    assert torch.is_tensor(known.train.x)
    assert torch.allclose(known.train.x.mean(0), torch.zeros(16), atol=1e-4)
    setting = replace(TINY, draws=0)
    values = saved.saved(known, setting, 0, "human", "groupdro")
    assert values["purity"] == 1.0  # the grounds themselves
    assert 0 <= values["worst group"] <= values["average"] <= 1
