"""Which choices make an image world model work (IWM, arXiv:2403.00504), at a small scale."""

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
    finding="Only a predictor that gets the action learns its effect; as tokens or as features makes no difference.",
    source=f"{PAPER}, table 1",
    paper="MRR: none 0.00, sequence 0.82, feature 0.79",
    scale=TEXT,
    arms={how: Arm(iwm(conditioning=how), ranked) for how in ("feature", "none", "sequence")},
    expects=(Expect("mrr", "feature", "none"), Expect("mrr", "sequence", "none")),
)

JITTERS = Claim(
    name="iwm-jitter",
    finding="A stronger jitter makes the predictor know colour changes better.",
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
    remark="The paper does not say how it draws banks. `mrr` ranks all arms among the same versions, drawn at the "
    "default strengths. A model of stronger changes must tell finer changes apart there. `mrr, own bank` uses "
    "versions as strong as the model's training. They are further apart, so they are easier. That row was added "
    "after the first was seen.",
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
    remark="This is iwm-jitter, four times as long and without its third arm. iwm-jitter explains the two banks.",
)


def finetunings(train: TrainConfig, steps: int) -> dict[str, Arm]:
    """An arm for each mode: models trained by `train`, finetuned for `steps` steps."""
    modes: tuple[Mode, ...] = ("predictor", "predictor-random", "encoder", "end-to-end")
    return {mode: Arm(iwm(train), partial(finetuned, mode=mode, steps=steps)) for mode in modes}


FINETUNING = Claim(
    name="iwm-finetuning",
    finding="Finetuning a pretrained predictor on a frozen encoder beats a random predictor, and beats finetuning the "
    "encoder. Finetuning both is best.",
    source=f"{PAPER}, table 4",
    paper="ImageNet, IWM-Equi ViT-B: encoder 82.9, random predictor 81.5, predictor 83.3, end to end 84.4",
    scale=f"{TEXT}; 200 steps of 64 labelled photographs in each mode",
    arms=finetunings(TRAIN, 200),
    expects=(
        Expect("accuracy", "predictor", "predictor-random"),
        Expect("accuracy", "predictor", "encoder"),
        Expect("accuracy", "end-to-end", "predictor"),
    ),
    remark="A linear probe of the same features sees all labelled photographs and converges: 0.39 (see "
    "iwm-conditioning). After 200 steps no mode is as good, so this compares how fast they learn.",
)

FINETUNING_LONG = replace(
    FINETUNING,
    name="iwm-finetuning-long",
    scale=f"{TEXT_LONG}; 500 steps of 64 labelled photographs in each mode",
    arms=finetunings(LONG, 500),
    remark="This is iwm-finetuning with iwm-jitter-long's models of strong jitter. A linear probe of the same features "
    "is at 0.45, and again no mode is as good.",
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
    finding="A weak world model has an invariant encoder, which is better under a linear probe. A strong one has an "
    "equivariant encoder.",
    source=f"{PAPER}, §6 and table 7",
    paper="linear probe: invariant 74.5, equivariant 67.5; over runs MRR and linear probe correlate with ρ = −0.85",
    scale=TEXT,
    arms={"equivariant": Arm(iwm(), ranked), "invariant": Arm(iwm(conditioning="none"), ranked)},
    expects=(Expect("mrr", "equivariant", "invariant"), Expect("linear", "invariant", "equivariant")),
    remark="The runs are those of iwm-conditioning: without conditioning the predictor can only be invariant. After so "
    "few steps neither knows much about photographs: a linear probe of untrained weights is at 0.38.",
)

MULTITASK = Claim(
    name="iwm-multitask",
    finding="One predictor with a task token for each data set is as good as a predictor for each.",
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
