"""The values that change over a run, as pure functions of the step: there is nothing to save or restore."""

from math import cos, pi


def cosine(step: int, steps: int, start: float, end: float) -> float:
    """Half a cosine from `start` at step 0 to `end` at `steps`, and `end` from there on."""
    share = min(step / max(steps, 1), 1.0)
    return end + (start - end) * 0.5 * (1 + cos(pi * share))


def linear(step: int, steps: int, start: float, end: float) -> float:
    """A straight line from `start` at step 0 to `end` at `steps`, and `end` from there on."""
    return start + (end - start) * min(step / max(steps, 1), 1.0)


def warmup_cosine(step: int, steps: int, warmup: int, start: float, peak: float, end: float) -> float:
    """A straight line from `start` to `peak` over `warmup` steps, then half a cosine to `end` at `steps`."""
    if step < warmup:
        return linear(step, warmup, start, peak)
    return cosine(step - warmup, steps - warmup, peak, end)
