"""Say what a training costs before it is begun."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from dataclasses import asdict, field, make_dataclass
from typing import Annotated, Any

import torch
from tyro.conf import arg

from foretell import hub, shipped
from foretell.cli.flags import MODEL, Usage, at_least, parse, table
from foretell.cli.train import asked
from foretell.errors import NOT_NEGATIVE, SOME, check_range
from foretell.recipes import Recipe
from foretell.train.checkpoint import KEEP
from foretell.train.cost import blank, skeleton, step_cost
from foretell.train.hardware import CPU, GPUS, PRICED, bill, found
from foretell.train.loop import TrainConfig, precision

HELP = {
    "hardware": f"one of {', '.join(GPUS)}, or {CPU} for this machine, which is measured; all GPUs by default",
    "devices": "devices that share a step",
    "price": f"US dollars of a device and an hour; by default the price of {PRICED}",
    "utilisation": "share of the hardware's peak that products reach",
    "samples": "pictures or clips of the data, for the size of its cache",
    "json": "print JSON",
}
FLAGS: list[tuple[str, Any, Any]] = [
    ("hardware", str | None, None),
    ("devices", int, 1),
    ("price", float | None, None),
    ("utilisation", float | None, None),
    ("samples", int | None, None),
    ("json", bool, False),
]


def cost(args: list[str]) -> None:
    """Say what a training costs before it is begun: foretell cost METHOD [--hardware h100] [--devices 8]."""
    make, recipe = asked(args, "cost")
    flags = parse(_schema(recipe), args[1:], f"cost {args[0]}", _about(make))
    at_least(flags, devices=1, samples=1)
    check_range("--price", flags.price, NOT_NEGATIVE, Usage)
    check_range("--utilisation", flags.utilisation, SOME, Usage)
    chosen = [found(name) for name in ([flags.hardware] if flags.hardware else GPUS)]
    model = skeleton(flags.model, _encoder(getattr(flags, "encoder", None)))
    on_cpu = flags.hardware == CPU
    bf16 = precision(flags.train.precision, torch.device("cpu")) == torch.bfloat16 if on_cpu else _bf16(flags.train)
    step = step_cost(model, flags.train, flags.devices, bf16, fused=not on_cpu)
    settings = (flags.devices, bf16, flags.utilisation, flags.price)
    bills = [bill(step, flags.train, hardware, *settings) for hardware in chosen]
    told = {
        "method": args[0],
        "parameters": step.parameters,
        "trained": step.trained,
        "steps": flags.train.steps,
        "batch": flags.train.batch,
        "devices": flags.devices,
        "flops_a_step": step.flops * flags.devices,
        "flops": step.flops * flags.devices * flags.train.steps,
        "precision": "bf16" if bf16 else "fp32",
        "memory": {"weights": step.weights, "moments": step.moments, "activations": step.activations},
        "part": step.samples,
        "checkpoint": step.checkpoint,
        "cache_a_sample": blank(model, 1).pixels.nbytes,
        "samples": flags.samples,
        "hardware": [asdict(each) for each in bills],
    }
    print(json.dumps(told, indent=2) if flags.json else _text(told))


def _schema(recipe: Recipe) -> type:
    """The flags: the recipe's own, as `foretell train` has them, and those above."""
    stands = Annotated[str, arg(help=f"trained model with the encoder to use, frozen: {MODEL}")]
    own: list[Any] = [
        ("model", type(recipe.model), field(default=recipe.model)),
        ("train", Annotated[TrainConfig, arg(name="")], field(default=recipe.train)),
        ("config", Annotated[str | None, arg(help="config.json of a run: its settings")], field(default=None)),
    ]
    if recipe.encoder:
        own.append(("encoder", stands, field(default=recipe.encoder)))
    flags = [(name, Annotated[kind, arg(help=HELP[name])], field(default=default)) for name, kind, default in FLAGS]
    return make_dataclass("Cost", [*flags, *own])


def _about(make: Callable[[], Recipe]) -> str:
    return f"{inspect.getdoc(cost)}\n\nMETHOD: {inspect.getdoc(make) or ''}"


def _encoder(name: str | None) -> Any:
    """The model that a method stands on, if it is here; None for one that would be downloaded: its size is enough."""
    return hub.load(name) if name and (name in shipped.models() or os.path.exists(name)) else None


def _bf16(config: TrainConfig) -> bool:
    """Whether a GPU computes in bfloat16."""
    return config.precision != "fp32"


def _text(told: dict[str, Any]) -> str:
    """What a person reads."""
    memory, part = told["memory"], told["part"]
    parts = ", ".join(f"{name} {_short(n)}" for name, n in told["parameters"].items())
    cache = told["cache_a_sample"]
    stored = f", {_bytes(cache * told['samples'])} for {told['samples']:,}" if told["samples"] else ""
    lines = {
        "parameters": f"{_short(sum(told['parameters'].values()))} ({parts}); {_short(told['trained'])} are trained",
        "step": f"{told['batch']:,} samples, {_short(told['flops_a_step'])}FLOP in {told['precision']}",
        "run": f"{told['steps']:,} steps, {_short(told['steps'] * told['batch'])} samples, {told['flops']:.2g} FLOP",
        "memory": f"weights with gradients {_bytes(memory['weights'])}, moments {_bytes(memory['moments'])}, "
        f"activations {_bytes(memory['activations'])} of {part:,} samples",
        "disk": f"{KEEP} checkpoints of {_bytes(told['checkpoint'])}, cache {_bytes(cache)} a sample{stored}",
    }
    return "\n".join([table(lines), "", *_rows(told)])


def _rows(told: dict[str, Any]) -> list[str]:
    """A line for each hardware."""
    rows = [("hardware", "a step", "device-hours", "days", "US dollars", "")]
    for each in told["hardware"]:
        n = each["accumulate"]
        fits = "does not fit" if n is None else "" if n == 1 else f"needs --accumulate {n}"
        rows.append(
            (
                each["hardware"],
                f"{each['seconds']:.3g} s",
                f"{each['hours']:,.3g}" if each["hours"] < 1000 else f"{each['hours']:,.0f}",
                f"{each['days']:,.3g}",
                f"{each['dollars']:,.2f}" if each["dollars"] < 100 else f"{each['dollars']:,.0f}",
                fits,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            (c.ljust(w) if k in (0, 5) else c.rjust(w)) for k, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _short(number: float) -> str:
    """With a letter of the SI: 1.5 T."""
    for letter in ("", "k", "M", "G", "T", "P"):
        if number < 1000 or letter == "P":
            return f"{number:.3g} {letter}" if letter else f"{number:g} "
        number /= 1000
    raise AssertionError


def _bytes(number: float) -> str:
    return f"{_short(number)}B"
