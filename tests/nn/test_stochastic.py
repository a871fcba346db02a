from dataclasses import replace

import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import MaskTokens
from foretell.nn.stochastic import PositionNoise, StochasticPositions

D, d = 6, 8
SIZE = PredictorConfig(width=d, depth=2, heads=2)


def predictor(noise: PositionNoise) -> Predictor:
    torch.manual_seed(0)
    return Predictor(replace(SIZE, noise=noise), D, MaskTokens(d))


def predict(model: Predictor, chance: torch.Generator | None) -> torch.Tensor:
    s_x = torch.randn(2, 3, D, generator=torch.Generator().manual_seed(1))
    context, target = torch.tensor([[0, 1, 2]] * 2), torch.tensor([[[3, 7], [9, 11]]] * 2)
    return model(s_x, context, target, (3, 4), None, chance)


@pytest.mark.parametrize("covariance", ["shared", "own", "fixed"])
def test_places_are_drawn_with_the_covariance_of_the_paper(covariance: str) -> None:
    """Σ = σ² A Aᵀ, A the projection of the context, its copy, or the identity; the mean is the place itself."""
    torch.manual_seed(0)
    embed = torch.nn.Linear(D, d)
    module = StochasticPositions(PositionNoise(0.5, covariance=covariance), embed)  # type: ignore[arg-type]
    psi = torch.randn(1, 1, d)
    _, drawn = module(psi, psi.expand(1, 40_000, d), embed, torch.Generator().manual_seed(0))
    A = torch.eye(d) if covariance == "fixed" else embed.weight
    assert torch.allclose(drawn[0].mean(0), psi[0, 0], atol=0.02)
    assert torch.allclose(drawn[0].T.cov(), 0.25 * A @ A.T, atol=0.01)
    told = module.measures(embed)
    assert told["position_noise"] == pytest.approx((0.25 * (A @ A.T).trace().item() / d) ** 0.5, rel=1e-5)
    assert told["projection"] == pytest.approx(A.norm().item())


@pytest.mark.parametrize(
    ("of", "moved"), [("targets", (False, True)), ("context", (True, False)), ("both", (True, True))]
)
def test_only_the_places_asked_for_are_moved(of: str, moved: tuple[bool, bool]) -> None:
    embed = torch.nn.Linear(D, d)
    psi = torch.randn(2, 3, d)
    after = StochasticPositions(PositionNoise(0.25, of=of), embed)(psi, psi, embed, torch.Generator())  # type: ignore[arg-type]
    assert tuple(not torch.equal(a, psi) for a in after) == moved


def test_without_chance_or_sigma_places_are_exact() -> None:
    noisy, exact = predictor(PositionNoise(0.25)), predictor(PositionNoise())
    assert torch.equal(predict(noisy, None), predict(exact, None))
    assert torch.equal(predict(exact, torch.Generator()), predict(exact, None))
    once, again, other = (predict(noisy, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(once, again)
    assert not torch.allclose(once, other)


def test_the_projection_learns_through_the_noise() -> None:
    """Tied: A gets a gradient from the queries, too. Untied: a matrix of its own gets it."""
    for covariance in ("shared", "own"):
        model = predictor(PositionNoise(0.25, covariance=covariance))  # type: ignore[arg-type]
        predict(model, torch.Generator().manual_seed(0)).square().sum().backward()
        with_noise = model.embed.weight.grad
        assert with_noise is not None
        assert (model.stochastic.own is not None) == (covariance == "own")
        if model.stochastic.own is not None:
            assert model.stochastic.own.grad is not None
            assert model.stochastic.own.grad.abs().sum() > 0
            continue
        exact = predictor(PositionNoise())
        predict(exact, None).square().sum().backward()
        assert not torch.allclose(with_noise, exact.embed.weight.grad)


@pytest.mark.parametrize("sigma", [0.0, 0.25])
def test_whatever_learns_has_a_gradient_as_ddp_demands(sigma: float) -> None:
    model = predictor(PositionNoise(sigma, covariance="own"))
    predict(model, torch.Generator().manual_seed(0)).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert "stochastic.own" in model.state_dict()  # whether it learns or not: files hold it


def test_noise_cannot_be_negative() -> None:
    with pytest.raises(ForetellError, match=r"sigma is -0.1"):
        PositionNoise(-0.1)
