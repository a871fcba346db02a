from dataclasses import replace

import pytest
import torch

from foretell.claims import CLAIMS, Data, details, figure
from foretell.claims.expand import SIMCLR, WIDTHS, widened
from foretell.data import Images, train_test
from foretell.errors import ForetellError
from foretell.methods import SimCLR, SimCLRConfig
from foretell.nn.resnet import ResNetConfig

MODEL = SimCLRConfig(ResNetConfig(image_size=16, base=4, last_width=8))


@pytest.fixture(scope="module")
def data() -> Data:
    train, test = train_test("photographs", 16, progress=False)
    train, test = train.subset(range(0, len(train), 16)), test.subset(range(0, len(test), 4))
    return Data(train, test, Data(forty(train), forty(test)))


def forty(images: Images) -> Images:
    """Forty classes. Every other one should be used."""
    labels = torch.arange(len(images)) % 40
    return replace(images, labels=labels, classes=tuple(str(n) for n in range(40)))


def test_everything_that_changes_with_the_width_is_measured(data: Data) -> None:
    torch.manual_seed(0)
    values = widened(SimCLR(MODEL), data, 0)
    assert {"linear", "transfer", "half", "gap"} == set(SIMCLR.panels)
    assert values.keys() > set(SIMCLR.panels)
    assert values["gap"] == pytest.approx(values["mlp"] - values["linear"])
    assert all(0 <= values[name] <= 1 for name in ("linear", "transfer", "half", "binarised", "zeros"))
    assert values["linear"] > 0.3  # eight photographs' crops are easily told apart


def test_transfer_wants_another_data_set(data: Data) -> None:
    with pytest.raises(ForetellError, match="--other"):
        widened(SimCLR(MODEL), Data(data.train, data.test), 0)


@pytest.mark.parametrize("name", ["expand-simclr", "expand-vicreg"])
def test_arms_differ_in_the_last_width_alone(name: str) -> None:
    arms = CLAIMS[name].arms
    assert [arm.recipe.model.encoder.last_width for arm in arms.values()] == list(WIDTHS)
    bare = {replace(a.recipe.model, encoder=replace(a.recipe.model.encoder, last_width=None)) for a in arms.values()}
    assert len(bare) == len({arm.recipe.train for arm in arms.values()}) == 1


def test_a_figure_has_a_panel_a_measure_and_is_the_same_each_time() -> None:
    results = {
        arm: {seed: dict.fromkeys(SIMCLR.panels, 0.1 * seed + place) for seed in range(3)}
        for place, arm in enumerate(SIMCLR.arms)
    }
    drawn = figure(SIMCLR, results)
    assert drawn.startswith("<?xml")
    assert drawn.count('id="axes_') == 4
    assert figure(SIMCLR, results) == drawn
    assert "assets/claims/expand-simclr.svg" in details(SIMCLR, results, "assets/claims")
    assert "svg" not in details(SIMCLR, results)
