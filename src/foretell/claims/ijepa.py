"""Which choices make I-JEPA's latents useful (arXiv:2301.08243), and the cost of the field's mask bug."""

from dataclasses import replace
from functools import partial

from foretell.claims.claim import Arm, Claim, Expect
from foretell.claims.measures import probes
from foretell.claims.scale import ACCURACY, ENCODER, SHALLOW, ijepa, pixels
from foretell.masking import BlockMasks, QuadrantMasks, RandomMasks

PAPER = "Assran et al. 2023, arXiv:2301.08243"
UNTRAINED = {"untrained": Arm(ijepa(), partial(probes, trained=False))}
"""The measures of random weights. Arms that are no better have learned nothing, and cannot be compared."""

TRUNCATION = Claim(
    name="ijepa-truncation",
    finding="The released collator cuts every context to the batch's shortest, in raster order. This costs accuracy, "
    "compared with a fixed number of random patches.",
    source="ours; no paper measured it",
    paper="none; at 224/16 and batch 128 the cut keeps 63 % of the free context, and the bottom row is never visible",
    scale=ACCURACY,
    arms={
        "random budget": Arm(ijepa(), probes),
        "raster cut": Arm(ijepa(masks=BlockMasks(keep="first")), probes),
        **UNTRAINED,
    },
    expects=(Expect("linear", "random budget", "raster cut"), Expect("linear", "raster cut", "untrained")),
)

TARGETS = Claim(
    name="ijepa-targets",
    finding="Four target blocks teach more than one.",
    source=f"{PAPER}, table 10",
    paper="1 % ImageNet linear, 1 to 4 targets: 9.0, 22.0, 48.5, 54.2",
    scale=ACCURACY,
    arms={f"{M}": Arm(ijepa(masks=BlockMasks(blocks=M)), probes) for M in (4, 1)} | UNTRAINED,
    expects=(Expect("linear", "4", "1"), Expect("linear", "4", "untrained")),
)

MASKS = Claim(
    name="ijepa-masks",
    finding="Predicting several blocks from one informative context teaches more than scattered patches, one "
    "large block or quadrants.",
    source=f"{PAPER}, table 6",
    paper="1 % ImageNet linear: multi-block 54.2, block 20.2, random 17.6, rasterized 15.5",
    scale=ACCURACY,
    arms={
        "multi-block": Arm(ijepa(), probes),
        "random": Arm(ijepa(masks=RandomMasks(0.6)), probes),
        "block": Arm(ijepa(masks=BlockMasks(blocks=1, scale=(0.6, 0.6), context_scale=(1.0, 1.0))), probes),
        "rasterized": Arm(ijepa(masks=QuadrantMasks(1)), probes),
        **UNTRAINED,
    },
    expects=tuple(Expect("linear", "multi-block", other) for other in ("random", "block", "rasterized", "untrained")),
)

LATENT = Claim(
    name="ijepa-latent",
    finding="Predicting latents teaches more than predicting pixels.",
    source=f"{PAPER}, table 7",
    paper="1 % ImageNet linear, ViT-L: latents 66.9, pixels 40.7",
    scale=ACCURACY,
    arms={"latents": Arm(ijepa(), probes), "pixels": Arm(pixels(), probes), **UNTRAINED},
    expects=(Expect("linear", "latents", "pixels"), Expect("linear", "latents", "untrained")),
)

WEIGHTS = Claim(
    name="ijepa-weights",
    finding="A narrow network learns sooner if its weights are drawn with a deviation of 1/√(fan-in), not 0.02.",
    source="ours",
    paper="none; its networks are at least 768 wide, where the two differ less",
    scale=ACCURACY,
    arms={
        "1/√(fan-in)": Arm(ijepa(), probes),
        "0.02": Arm(ijepa(encoder=ENCODER, predictor=replace(SHALLOW, init_std=0.02)), probes),
        **UNTRAINED,
    },
    expects=(Expect("linear", "1/√(fan-in)", "0.02"), Expect("knn", "1/√(fan-in)", "0.02")),
)

CLAIMS = (TRUNCATION, MASKS, LATENT, TARGETS, WEIGHTS)
