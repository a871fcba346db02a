from dataclasses import replace
from typing import Literal

import pytest
import torch

from foretell.errors import ForetellError
from foretell.imagine import draw_uncertainty, uncertainty
from foretell.methods import IJEPA, IWM, IJEPAConfig, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import ViTConfig

ENCODER = ViTConfig(image_size=24, patch_size=4, width=16, depth=1, heads=2)
PREDICTOR = PredictorConfig(width=8, depth=1, heads=2, noise=PositionNoise(0.25))
IMAGE = torch.randint(0, 256, (3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("config", [IJEPAConfig(ENCODER, PREDICTOR), IWMConfig(ENCODER, PREDICTOR)])
def test_a_model_is_unsure_of_hidden_patches_only(config: IJEPAConfig | IWMConfig) -> None:
    torch.manual_seed(0)
    model = (IJEPA if isinstance(config, IJEPAConfig) else IWM)(config)
    found = uncertainty(model, IMAGE, contexts=2, draws=8)
    assert len(found) == 2
    for one in found:
        assert one.unsure.shape == one.wrong.shape == one.hidden.shape
        assert (one.unsure > 0).all()
        assert -1 <= one.agreement <= 1
    assert not torch.equal(found[0].hidden, found[1].hidden)
    again = uncertainty(model, IMAGE, contexts=2, draws=8)
    assert torch.equal(again[0].unsure, found[0].unsure)


def test_more_noise_is_more_uncertainty() -> None:
    def unsure(sigma: float) -> float:
        torch.manual_seed(0)
        model = IJEPA(IJEPAConfig(ENCODER, replace(PREDICTOR, noise=PositionNoise(sigma))))
        return uncertainty(model, IMAGE, contexts=1, draws=16)[0].unsure.mean().item()

    assert unsure(1.0) > 2 * unsure(0.25)


@pytest.mark.parametrize("of", ["targets", "context", "both"])
def test_every_draw_moves_what_is_uncertain(of: Literal["targets", "context", "both"]) -> None:
    model = IJEPA(IJEPAConfig(ENCODER, replace(PREDICTOR, noise=PositionNoise(0.25, of))))
    (one,) = uncertainty(model, IMAGE, contexts=1, draws=4)
    assert (one.unsure > 0).all()


@pytest.mark.parametrize(
    ("contexts", "draws", "said"),
    [(0, 8, "contexts is 0, expected at least 1"), (1, 1, "draws is 1, expected at least 2")],
)
def test_one_draw_cannot_differ(contexts: int, draws: int, said: str) -> None:
    with pytest.raises(ForetellError, match=said):
        uncertainty(IJEPA(IJEPAConfig(ENCODER, PREDICTOR)), IMAGE, contexts=contexts, draws=draws)


def test_exact_positions_cannot_be_unsure() -> None:
    model = IJEPA(IJEPAConfig(ENCODER, replace(PREDICTOR, noise=PositionNoise())))
    with pytest.raises(ForetellError, match="positions are exact"):
        uncertainty(model, IMAGE)


def test_the_picture_has_a_row_a_context() -> None:
    found = uncertainty(IJEPA(IJEPAConfig(ENCODER, PREDICTOR)), IMAGE, contexts=3, draws=4)
    titles = [axis.get_title() for axis in draw_uncertainty(found).axes]
    assert titles[0] == "seen"
    assert len([t for t in titles if t]) == 3
