"""What makes a world model of an image work (IWM, arXiv:2403.00504), at a small scale."""

from dataclasses import replace
from functools import partial

from foretell.claims.claim import Arm, Claim, Expect
from foretell.claims.measures import finetuned, ranked, tuned_together
from foretell.claims.scale import JITTER, JITTER_ONLY, LONG, PREDICTOR, STRONG, TEXT, TEXT_LONG, TRAIN, iwm
from foretell.finetune.classifier import Mode
from foretell.train.loop import TrainConfig

PAPER = "Garrido et al. 2024, arXiv:2403.00504"

CONDITIONING = Claim(
    name="iwm-conditioning",
    finding="Only a predictor that is told the action learns what it does; as tokens or as features, alike.",
    source=f"{PAPER}, table 1",
    paper="MRR: none 0.00, sequence 0.82, feature 0.79",
    scale=TEXT,
    arms={how: Arm(iwm(conditioning=how), ranked) for how in ("feature", "none", "sequence")},
    expects=(Expect("mrr", "feature", "none"), Expect("mrr", "sequence", "none")),
)

JITTERS = Claim(
    name="iwm-jitter",
    finding="Harder colour changes make the predictor know them: a strong jitter more than the default.",
    source=f"{PAPER}, table 2",
    paper="MRR, predictor 12 × 384: jitter only 0.11, with destructive operations 0.09, with strong jitter 0.81; "
    "18 × 384: 0.25, 0.79, 0.85",
    scale=TEXT,
    arms={
        "strong": Arm(iwm(augment=STRONG), ranked),
        "default": Arm(iwm(augment=JITTER), ranked),
        "jitter only": Arm(iwm(augment=JITTER_ONLY), ranked),
    },
    expects=(
        Expect("mrr", "strong", "default"),
        Expect("mrr", "default", "jitter only"),
        Expect("mrr, own bank", "strong", "default"),
    ),
    remark="The paper does not say what it draws banks from. `mrr` ranks all arms among the same, drawn at the default "
    "strengths, where a model of stronger changes must tell finer ones; `mrr, own bank` among versions as strong as "
    "its training, which lie further apart and are easier to tell. That row was added after the first was seen.",
)

JITTERS_LONG = replace(
    JITTERS,
    name="iwm-jitter-long",
    scale=TEXT_LONG,
    arms={
        "strong": Arm(iwm(LONG, augment=STRONG), ranked),
        "default": Arm(iwm(LONG, augment=JITTER), ranked),
    },
    expects=(Expect("mrr", "strong", "default"), Expect("mrr, own bank", "strong", "default")),
    remark="iwm-jitter, four times as long and without its third arm; what the two banks are is said there.",
)


def finetunings(train: TrainConfig, steps: int) -> dict[str, Arm]:
    """An arm for each mode: models trained by `train`, finetuned for so many steps."""
    modes: tuple[Mode, ...] = ("predictor", "predictor-random", "encoder", "end-to-end")
    return {mode: Arm(iwm(train), partial(finetuned, mode=mode, steps=steps)) for mode in modes}


FINETUNING = Claim(
    name="iwm-finetuning",
    finding="Finetuning a pretrained predictor on a frozen encoder beats a random predictor there, and finetuning "
    "the encoder; both together are best.",
    source=f"{PAPER}, table 4",
    paper="ImageNet, IWM-Equi ViT-B: encoder 82.9, random predictor 81.5, predictor 83.3, end to end 84.4",
    scale=f"{TEXT}; 200 steps of 64 labelled photographs in each mode",
    arms=finetunings(TRAIN, 200),
    expects=(
        Expect("accuracy", "predictor", "predictor-random"),
        Expect("accuracy", "predictor", "encoder"),
        Expect("accuracy", "end-to-end", "predictor"),
    ),
    remark="A linear probe of the same features, which sees all labelled photographs and converges, is at 0.39 (see "
    "iwm-conditioning): after 200 steps no mode has got that far, so this compares how fast they learn.",
)

FINETUNING_LONG = replace(
    FINETUNING,
    name="iwm-finetuning-long",
    scale=f"{TEXT_LONG}; 500 steps of 64 labelled photographs in each mode",
    arms=finetunings(LONG, 500),
    remark="iwm-finetuning, of iwm-jitter-long's models of strong jitter. A linear probe of the same features is at "
    "0.45: here too no mode has got that far.",
)

DEPTH = Claim(
    name="iwm-depth",
    finding="A deeper predictor is a better world model.",
    source=f"{PAPER}, table 2",
    paper="MRR at the default augmentation: 12 layers 0.09, 18 layers 0.79",
    scale=TEXT,
    arms={
        "2 blocks": Arm(iwm(predictor=replace(PREDICTOR, depth=2)), ranked),
        "6 blocks": Arm(iwm(), ranked),
    },
    expects=(Expect("mrr", "6 blocks", "2 blocks"),),
)

SPECTRUM = Claim(
    name="iwm-spectrum",
    finding="A weak world model leaves an invariant encoder, better under a linear probe; a strong one an equivariant "
    "encoder.",
    source=f"{PAPER}, §6 and table 7",
    paper="linear probe: invariant 74.5, equivariant 67.5; over runs MRR and linear probe correlate with ρ = −0.85",
    scale=TEXT,
    arms={"equivariant": Arm(iwm(), ranked), "invariant": Arm(iwm(conditioning="none"), ranked)},
    expects=(Expect("mrr", "equivariant", "invariant"), Expect("linear", "invariant", "equivariant")),
    remark="The same runs as iwm-conditioning's: without conditioning the predictor can only be invariant. After so "
    "few steps neither knows much of what a photograph shows: a linear probe of untrained weights is at 0.38.",
)

MULTITASK = Claim(
    name="iwm-multitask",
    finding="One predictor with a task token for each data set does as well as a predictor for each.",
    source=f"{PAPER}, §5.3",
    paper="mean over four data sets: one predictor 73.5, separate 73.4",
    scale=f"{TEXT}; 200 steps of 64 for each task",
    arms={
        "one predictor": Arm(iwm(), partial(tuned_together, together=True, steps=200)),
        "separate": Arm(iwm(), partial(tuned_together, together=False, steps=200)),
    },
    expects=(Expect("mean accuracy", "one predictor", "separate", by=-0.01),),
)

CLAIMS = (CONDITIONING, JITTERS, JITTERS_LONG, FINETUNING, FINETUNING_LONG, DEPTH, SPECTRUM, MULTITASK)
