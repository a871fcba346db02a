"""Whether uncertain positions help (FlexPredict / StoP, arXiv:2308.00566), at a small scale."""

from dataclasses import replace
from typing import Any

from foretell.claims.claim import Arm, Claim, Expect
from foretell.claims.measures import probes, ranked
from foretell.claims.scale import ACCURACY, PREDICTOR, SHALLOW, TEXT, ijepa, iwm
from foretell.nn.predictor import PredictorConfig
from foretell.nn.stochastic import PositionNoise

PAPER = "Bar et al. 2024, arXiv:2308.00566"


def noisy(sigma: float, predictor: PredictorConfig = SHALLOW, **options: Any) -> PredictorConfig:
    """A predictor at this scale, with noise on places."""
    return replace(predictor, noise=PositionNoise(sigma, **options))


POSITIONS = Claim(
    name="flexpredict-positions",
    finding="Stochastic positions give better features than fixed ones.",
    source=f"{PAPER}, table 5",
    paper="1 % ImageNet linear, ViT-B: sine–cosine 54.3, learned 54.4, stochastic 57.8",
    scale=ACCURACY,
    arms={
        "stochastic": Arm(ijepa(predictor=noisy(0.25)), probes),
        "sine–cosine": Arm(ijepa(), probes),
        "learned": Arm(ijepa(predictor=replace(SHALLOW, positions="learned")), probes),
    },
    expects=(Expect("linear", "stochastic", "sine–cosine"), Expect("linear", "stochastic", "learned")),
)

SIGMA = Claim(
    name="flexpredict-sigma",
    finding="A moderate noise is best: 0.25 is better than none, and better than much more.",
    source=f"{PAPER}, figure 4",
    paper="σ = 0.25 is best, 3.5 points above none",
    scale=ACCURACY,
    arms={f"σ {s:g}": Arm(ijepa(predictor=noisy(s)), probes) for s in (0.25, 0.0, 0.5, 1.0)},
    expects=(Expect("linear", "σ 0.25", "σ 0"), Expect("linear", "σ 0.25", "σ 1")),
)

IN_IWM = Claim(
    name="flexpredict-iwm",
    finding="Stochastic positions also help an image world model's features, and leave its knowledge of actions.",
    source="ours",
    paper="none",
    scale=TEXT,
    arms={"stochastic": Arm(iwm(predictor=noisy(0.25, PREDICTOR)), ranked), "exact": Arm(iwm(), ranked)},
    expects=(Expect("linear", "stochastic", "exact"), Expect("mrr", "stochastic", "exact", by=-0.02)),
)

NOISE = Claim(
    name="flexpredict-noise",
    finding="Noise on the targets' places alone, with a learned and shared covariance, is best.",
    source=f"{PAPER}, tables 6 and 7",
    paper="1 % ImageNet linear: targets 57.8, both 56.8, context 55.1; a fixed covariance gains less",
    scale=ACCURACY,
    arms={
        "targets, shared": Arm(ijepa(predictor=noisy(0.25)), probes),
        "context": Arm(ijepa(predictor=noisy(0.25, of="context")), probes),
        "both": Arm(ijepa(predictor=noisy(0.25, of="both")), probes),
        "fixed": Arm(ijepa(predictor=noisy(0.25, covariance="fixed")), probes),
        "own": Arm(ijepa(predictor=noisy(0.25, covariance="own")), probes),
    },
    expects=tuple(Expect("linear", "targets, shared", other) for other in ("context", "both", "fixed", "own")),
)

CLAIMS = (POSITIONS, NOISE, SIGMA, IN_IWM)
