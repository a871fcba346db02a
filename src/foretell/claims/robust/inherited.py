"""Whether self-supervised features inherit the shortcut."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from foretell.claims.claim import Arm, Claim, Data, Expect, Experiment, Values
from foretell.claims.robust.grounds import BACKGROUNDS, GROUNDS, LINEAR, on_features
from foretell.claims.scale import LEARNER, SHALLOW, TRAIN, ijepa, iwm
from foretell.data import GroupedPhotographs
from foretell.data.images.grouped import GroupedImages
from foretell.method import seeded
from foretell.methods import IJEPA, IJEPAConfig, SimCLRConfig
from foretell.recipes import Recipe

FAST = replace(TRAIN, optimizer="muon", lr=3e-3, momentum=0.99)
"""An image world model so trained knows more than an untrained one, on CIFAR-10: see docs/log.md."""
LEARNERS = {
    "IWM equivariant": iwm(FAST, encoder=LEARNER, predictor=SHALLOW),
    "IWM invariant": iwm(FAST, encoder=LEARNER, predictor=SHALLOW, conditioning="none"),
    "I-JEPA": replace(ijepa(), train=FAST),
    "SimCLR": Recipe(SimCLRConfig(encoder=LEARNER, temperature=0.5), FAST),
}
"""One encoder, four ways to learn it."""
WAYS: dict[str, dict[str, Any]] = {
    "ERM": {"groups": "label", "algorithm": "erm"},
    "XRM": {},
    "human": {"groups": "human"},
}


def untrained(data: Data[GroupedImages], seed: int) -> Values:
    """The best that groups can make of the encoder's features before it learned."""
    with seeded(seed):
        model = IJEPA(IJEPAConfig(encoder=LEARNER, predictor=SHALLOW)).eval()
    return on_features(model, data, seed, groups="human")


def learner(recipe: Recipe, **how: Any) -> Arm:
    """A classifier on a model of a recipe."""
    return Arm(recipe, partial(on_features, **how), READS)


READS = GroupedPhotographs(LEARNER.image_size)
INHERITED = Claim(
    name="xrm-features",
    finding="Self-supervised features hold the shortcut and the cause: ERM loses the worst group, and XRM saves it.",
    source="ours",
    paper="none",
    scale=f"{GROUNDS}; 24 pixels; encoder 128 × 4, {FAST.steps:,} steps of {FAST.batch} of these pictures by Muon; "
    f"{LINEAR}",
    arms={
        **{f"{name}, {way}": learner(recipe, **how) for name, recipe in LEARNERS.items() for way, how in WAYS.items()},
        "untrained, human": Experiment(READS, untrained),
    },
    expects=(
        *(Expect("worst group", f"{name}, human", "untrained, human") for name in LEARNERS),
        *(Expect("worst group", f"{name}, XRM", f"{name}, ERM", by=0.1) for name in LEARNERS),
        *(Expect("worst group", f"{name}, XRM", f"{name}, human", by=-0.03) for name in LEARNERS),
    ),
    remark="A model that is no better than an untrained one has learned nothing of use here, whatever else it shows.",
    data=BACKGROUNDS,
)

CLAIMS = (INHERITED,)
