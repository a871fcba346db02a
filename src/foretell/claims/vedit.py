"""What denoising latents of procedures is good for (VEDIT, arXiv:2410.03478), at a small scale."""

from dataclasses import replace
from functools import partial
from time import process_time
from typing import Any

import torch

from foretell.claims.claim import Arm, Claim, Data, Expect, Values
from foretell.evaluate.encode import evaluating
from foretell.evaluate.procedures import BASELINES, evaluate
from foretell.evaluate.procedures.forecaster import Denoised
from foretell.evaluate.procedures.questions import exam
from foretell.evaluate.procedures.report import known_of, questioned
from foretell.evaluate.procedures.sequences import learned
from foretell.methods import VEDIT, VEDITConfig
from foretell.nn.dit import DiTConfig
from foretell.recipes import Recipe
from foretell.train.loop import TrainConfig

SOURCE = "Lin et al. 2025, arXiv:2410.03478"
PAPER = "step forecasting +5.0, task classification +3.8, planning up to +2.28 SR, ED@20 −2.6 (verb) and −3.1 (noun)"
QUESTIONS = 400
"""Of a kind."""
GRAPHS = "graphs:2000#branch={},step=0.7,video=0.1,width=16"
SMALL = VEDITConfig(DiTConfig(width=48, depth=2, heads=4), shift=4.0, history=8, horizon=4)
TRAIN = TrainConfig(
    steps=300,
    batch=256,
    optimizer="muon",
    lr=6e-3,
    lr_end=0.0,
    weight_decay_end=0.04,
    precision="fp32",
    monitor_every=0,
)
LARGER = VEDITConfig(DiTConfig(width=96, depth=2, heads=4), history=6, horizon=3)
LONGER = replace(TRAIN, steps=3000, batch=128, lr=5e-3, clip=1.0)
TEXT = (
    f"2,000 made procedures; denoiser {SMALL.denoiser.width} × {SMALL.denoiser.depth} (width × depth); "
    f"{TRAIN.steps} steps of {TRAIN.batch} procedures"
)


def asked(model: VEDIT, data: Data[Any], seed: int, *, samples: int = 8, euler: int | None = None) -> Values:
    """All four tasks, and the seconds of this process that they took.

    `samples` futures give a plan and the probabilities of a step. `euler` steps lead from noise to plans and to what is
    foreseen.
    """
    c = model.config
    questions = exam(data.test, {"step": c.steps, "verb": c.verbs, "noun": c.nouns}, c.tasks, seed, QUESTIONS)
    with evaluating(model, "cpu"):
        began = process_time()
        found = questioned(Denoised(model, torch.Generator().manual_seed(seed), samples, euler), questions)
    return flat(found) | {"seconds": process_time() - began}


def flat(found: dict[str, Any]) -> Values:
    """The numbers of a report's four tasks by name."""
    plans = {f"{name} {steps}": plan[name] for steps, plan in found["planning"].items() for name in ("sr", "macc")}
    shown = {name: found[name]["value"] for name in ("forecast", "task") if found[name]}
    return shown | plans | {"ed@20": found["anticipation"]["ed@20"]}


def whole(model: VEDIT, data: Data[Any], seed: int) -> Values:
    """All four tasks, of as many questions as a report asks."""
    return flat(evaluate(model, data.train, data.test, baselines=("bigram",), seed=seed, progress=False))


def strongest(model: VEDIT, data: Data[Any], seed: int, *, only: tuple[str, ...] = BASELINES) -> Values:
    """The best that any baseline scores in each task; transformers are trained as the model was."""
    budget = replace(LONGER, seed=seed)
    report = evaluate(model, data.train, data.test, baselines=only, budget=budget, seed=seed)
    found = [flat(report["baselines"][name]) for name in only]
    best = {name: max(each.get(name, 0.0) for each in found) for name in found[0] | found[-1]}
    return best | {"ed@20": min(each["ed@20"] for each in found)}


def tuned(model: VEDIT, data: Data[Any], seed: int) -> Values:
    """All four tasks, after a training with names on top of what the model has learned without."""
    named = VEDIT(replace(model.config, weight=SMALL.weight))
    named.load_state_dict(model.state_dict())
    learned(named, named, named, known_of(named, data.train), replace(TRAIN, seed=seed), None)
    return asked(named, data, seed)


def _recipe(config: VEDITConfig = SMALL, train: TrainConfig = TRAIN, **changes: Any) -> Recipe:
    return Recipe(replace(config, **changes), train)


DENOISED, DIRECT = Arm(_recipe(), asked), Arm(_recipe(objective="direct"), asked)

BRANCHING = Claim(
    name="vedit-branching",
    finding="Where the future branches, denoising plans and foresees better than the same network in one pass.",
    source=SOURCE,
    paper=PAPER,
    scale=TEXT,
    arms={"denoising": DENOISED, "one pass": DIRECT},
    expects=(Expect("sr 4", "denoising", "one pass"), Expect("ed@20", "one pass", "denoising")),
    remark="Three ways in 40, 30 and 30 % of all cases; two of them share a step. Of the network in one pass, the "
    "first of five futures takes the likeliest names, and the others draw them place by place.",
    data=GRAPHS.format(1),
)

DETERMINED = replace(
    BRANCHING,
    name="vedit-determined",
    finding="Where nothing branches, denoising is as good as the same network in one pass.",
    expects=(
        Expect("forecast", "denoising", "one pass", by=-0.03),
        Expect("sr 4", "denoising", "one pass", by=-0.03),
    ),
    remark="The first branch is always taken. The margin is three points.",
    data=GRAPHS.format(0),
)

SAMPLES = Claim(
    name="vedit-samples",
    finding="Several sampled futures plan better than one.",
    source=SOURCE,
    paper="ED@20 is the best of five samples; a plan is not said to be",
    scale=TEXT,
    arms={f"{count} futures": Arm(_recipe(), partial(asked, samples=count)) for count in (8, 1)},
    expects=(Expect("sr 4", "8 futures", "1 futures"),),
    remark="ED@20 takes the best of five futures, and never grows with their number: it is no test.",
    data=GRAPHS.format(1),
)

EULER = Claim(
    name="vedit-steps",
    finding="A few Euler steps are enough: four are as good as sixteen, and foresee better than one.",
    source=SOURCE,
    paper="the number of steps is not printed",
    scale=TEXT,
    arms={f"{steps} steps": Arm(_recipe(), partial(asked, euler=steps)) for steps in (16, 8, 4, 2, 1)},
    expects=(Expect("sr 4", "4 steps", "16 steps", by=-0.03), Expect("ed@20", "1 steps", "4 steps")),
    data=GRAPHS.format(1),
    panels=("forecast", "sr 4", "ed@20", "seconds"),
)

PRETRAINING = Claim(
    name="vedit-pretraining",
    finding="The denoiser needs no pretraining: learned together with names it is as good as learned before them.",
    source=SOURCE,
    paper="no predictor is pretrained, and earlier methods that pretrain are below",
    scale=TEXT,
    arms={"together": DENOISED, "velocity first": Arm(_recipe(weight=0.0), tuned)},
    expects=(
        Expect("forecast", "together", "velocity first", by=-0.03),
        Expect("sr 4", "together", "velocity first", by=-0.03),
    ),
    remark="The second arm first learns the velocity alone for as many steps, and then what the first arm learns. "
    "So it is trained for twice as long. The margin is three points.",
    data=GRAPHS.format(1),
)

OBJECTIVE = Claim(
    name="vedit-objective",
    finding="Both readings of the training objective learn: the velocity's error with names, and names alone through "
    "the sampler.",
    source=SOURCE,
    paper="the paper does not print which it is",
    scale=TEXT,
    arms={"velocity": DENOISED, "sampler": Arm(_recipe(objective="sampler", euler=4), asked)},
    expects=(Expect("sr 4", "velocity", "sampler"), Expect("ed@20", "sampler", "velocity")),
    remark="The sampler has four Euler steps, and costs four times as much a step. Names alone need not differ from "
    "sample to sample.",
    data=GRAPHS.format(1),
)

SEQUENCES = Claim(
    name="vedit-coin",
    finding="On real sequences of steps, VEDIT is above the strongest of eight baselines.",
    source=SOURCE,
    paper=PAPER,
    scale=f"COIN's sequences with simulated latents; denoiser {LARGER.denoiser.width} × {LARGER.denoiser.depth}; "
    f"{LONGER.steps} steps of {LONGER.batch} procedures",
    arms={
        "vedit": Arm(_recipe(LARGER, LONGER), whole),
        "strongest baseline": Arm(_recipe(LARGER, LONGER), strongest),
        "bigram": Arm(_recipe(LARGER, LONGER), partial(strongest, only=("bigram",))),
    },
    expects=(
        Expect("forecast", "vedit", "strongest baseline"),
        Expect("sr 3", "vedit", "strongest baseline"),
        Expect("ed@20", "strongest baseline", "vedit"),
        Expect("forecast", "vedit", "bigram"),
    ),
    remark="Latents are simulated; sequences are real. Run it with --data coin:COIN.json.gz.",
)

CLAIMS = (BRANCHING, DETERMINED, SAMPLES, EULER, PRETRAINING, OBJECTIVE, SEQUENCES)
