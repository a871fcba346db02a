"""What computes a training, and what an hour of it costs.

Peaks are those of NVIDIA's data sheets, for dense products. bfloat16 adds up in float32; float32 is not TF32, which
torch leaves off. Prices are on demand, by the hour, in US dollars:

- A100, H200: the middle of specialised providers' prices, mercatus-ai.com/blog/cloud-gpu-pricing, May 2026.
- H100: the median of 37 providers, aimultiple.com/gpu-index, 20 May 2026.
- L4, RTX 4090: RunPod, deploybase.ai/articles/runpod-gpu-pricing, 10 March 2026.

A step's time is products at a share of the peak, and passes over the memory. docs/scale.md compares it with published
and with measured times.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, thread_time

import torch

from foretell.errors import ForetellError, near
from foretell.train.cost import FLOAT, StepCost
from foretell.train.loop import TrainConfig

FILLED = 0.9
"""Share of a device's memory that a step may take: the rest is the allocator's, and what a step makes for a moment."""
PASSES = 16
"""Times that each byte which is kept for the backward pass is read or written, by all that is not a product."""
CORE_BANDWIDTH = 12e9
"""Bytes a second between a CPU's core and its memory, measured once: on a busy machine it tells of the neighbours."""
LAUNCH = 5e-6
"""Seconds in which Python begins an operation of torch: small models on a GPU wait for this alone."""
PRICED = "March to May 2026"


@dataclass(frozen=True)
class Hardware:
    """A processor that trains."""

    name: str
    bf16: float
    """Products in bfloat16: operations a second at most."""
    fp32: float
    """The same in float32."""
    memory: float
    """Bytes."""
    bandwidth: float
    """Bytes a second between it and its memory."""
    price: float
    """US dollars an hour."""
    utilisation: float = 0.5
    """Share of the peak that products reach."""


GPUS = {
    "a100": Hardware("A100 SXM 80 GB", 312e12, 19.5e12, 80e9, 2.04e12, 1.30),
    "h100": Hardware("H100 SXM 80 GB", 989e12, 67e12, 80e9, 3.35e12, 2.95),
    "h200": Hardware("H200 SXM 141 GB", 989e12, 67e12, 141e9, 4.8e12, 4.00),
    "l4": Hardware("L4 24 GB", 121e12, 30e12, 24e9, 0.3e12, 0.78),
    "rtx4090": Hardware("RTX 4090 24 GB", 165e12, 83e12, 24e9, 1.01e12, 0.60),
}
CPU = "cpu"


@dataclass(frozen=True)
class Bill:
    """A run on some hardware."""

    hardware: str
    utilisation: float
    seconds: float
    """Of a step."""
    hours: float
    """Of all devices together."""
    days: float
    """From beginning to end."""
    price: float
    """US dollars of a device and an hour."""
    dollars: float
    accumulate: int | None
    """In how many parts a step fits into the memory; None where not even one sample a part does."""


def bill(
    step: StepCost,
    config: TrainConfig,
    hardware: Hardware,
    devices: int = 1,
    bf16: bool = True,
    utilisation: float | None = None,
    price: float | None = None,
) -> Bill:
    """What a run takes.

    Args:
        step: a step on one of the devices, from `foretell.train.cost.step_cost`.
        config: the settings of the training.
        hardware: one device.
        devices: the number of devices. What they tell each other takes no time here.
        bf16: whether products are computed in bfloat16.
        utilisation: share of the peak; None for the hardware's.
        price: US dollars of a device and an hour; None for the hardware's.
    """
    share, price = utilisation or hardware.utilisation, hardware.price if price is None else price
    products = step.flops / (share * (hardware.bf16 if bf16 else hardware.fp32))
    seconds = max(products + passes(step) / hardware.bandwidth, LAUNCH * step.operations)
    hours = seconds * config.steps * devices / 3600
    days = hours / devices / 24
    return Bill(hardware.name, share, seconds, hours, days, price, hours * price, parts(step, FILLED * hardware.memory))


def passes(step: StepCost) -> int:
    """Bytes that a step reads and writes beside its products."""
    rest = sum(step.parameters.values()) - step.trained
    optimizer = FLOAT * (7 * step.trained + 3 * rest)  # AdamW reads 4 numbers and writes 3; the average 2 and 1
    return optimizer + PASSES * step.parts * step.activations


def parts(step: StepCost, memory: float) -> int | None:
    """The fewest parts in which a step fits into so many bytes; None where not even one sample a part does."""
    samples = step.samples * step.parts
    for n in range(1, samples + 1):
        if samples % n == 0 and step.state + step.activations * step.parts / n <= memory:
            return n
    return None


def found(name: str) -> Hardware:
    """The hardware of that name; `cpu` is this machine, measured.

    Raises:
        ForetellError: there is none of that name.
    """
    if name == CPU:
        return this_cpu()
    key = name.lower().replace(" ", "").replace("-", "")
    if key not in GPUS:
        known = (*GPUS, CPU)
        raise ForetellError(f"--hardware is {name!r}, expected one of {', '.join(known)}{near(name, known)}")
    return GPUS[key]


def this_cpu() -> Hardware:
    """This machine, with as many threads as torch uses: a moment of products tells its peaks."""
    side = 1024

    def products(dtype: torch.dtype) -> float:
        a, b = torch.ones(2, side, side, dtype=dtype)
        return 2 * side**3 / _seconds(lambda: a @ b)

    native = torch.cpu._is_avx512_bf16_supported()
    fp32 = products(torch.float32)
    bf16 = products(torch.bfloat16) if native else fp32
    threads = torch.get_num_threads()
    bandwidth = CORE_BANDWIDTH * threads
    name = f"this machine's CPU, {threads} thread{'s' if threads > 1 else ''}"
    return Hardware(name, bf16, fp32, _memory(), bandwidth, 0.0, 0.7)


def _seconds(work: Callable[[], object], least: float = 0.3) -> float:
    """Of this thread's processor time, so that others on the machine do not count: the fastest of some calls."""
    work()
    fastest, ends = float("inf"), perf_counter() + least
    while perf_counter() < ends:
        began = thread_time()
        work()
        fastest = min(fastest, thread_time() - began)
    return fastest


def _memory() -> float:
    """Bytes of this machine's memory; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows
        return float("inf")
