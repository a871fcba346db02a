"""Latents of clips that nobody has, simulated from what is done in them.

    latent = √a · prototype(step) + √b · offset(task) + √c · offset(video) + √(1 − a − b − c) · noise

All four are standard normal, so that a latent's numbers have variance 1, and a, b and c are shares of it. The same name
gives the same prototype in every split and every run of a seed.

P latents a clip · D width
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np

from foretell.errors import SHARE, SIZE, ForetellError, check_range

SIMULATED = "Latents are simulated; the sequences of steps are real."
"""What every table of such data says."""


@dataclass(frozen=True)
class Simulated:
    """How latents are simulated; the share of noise is what the other three leave."""

    OPTIONS: ClassVar = ("step", "task", "video", "width", "count")

    seed: int = 0
    step: float = 0.15
    """Share of what is done in the clip."""
    task: float = 0.1
    """Share of what it is done for: one look for all clips of a task."""
    video: float = 0.25
    """Share of who films: one look for all clips of a video."""
    width: int = 64
    """D."""
    count: int = 1
    """P, latents a clip. Each has a prototype and noise of its own; the offsets are the same."""

    def __post_init__(self) -> None:
        for name in ("step", "task", "video"):
            check_range(f"the share {name}", getattr(self, name), SHARE)
        for name in ("width", "count"):
            check_range(name, getattr(self, name), SIZE)
        if (total := self.step + self.task + self.video) > 1 + 1e-9:
            raise ForetellError(f"the shares step, task and video add up to {total:g}, expected at most 1")

    @staticmethod
    def of(options: Mapping[str, str], seed: int) -> Simulated:
        """From the options of a place. Raises ForetellError where one is not a number, or out of range."""
        values: dict[str, Any] = {}
        for name, value in options.items():
            kind = int if name in ("width", "count") else float
            try:
                values[name] = kind(value)
            except ValueError:
                raise ForetellError(f"{name} is {value!r}, expected a number") from None
        return Simulated(seed, **values)

    def latents(self, video: str, task: str, steps: Sequence[str]) -> np.ndarray:
        """The latents of one video's steps.

        Args:
            video: its name, from which its offset and its noise are drawn.
            task: of the video.
            steps: labels, one or more.

        Returns:
            float32 [S, P, D].
        """
        P, D = self.count, self.width
        prototypes = np.stack([_kept(self.seed, "step", step, (P, D)) for step in steps])
        film, noise = (
            _drawn(self.seed, what, video, shape) for what, shape in (("video", D), ("noise", prototypes.shape))
        )
        offsets = self.task**0.5 * _kept(self.seed, "task", task, D) + self.video**0.5 * film
        left = max(1 - self.step - self.task - self.video, 0.0)
        return (self.step**0.5 * prototypes + offsets + left**0.5 * noise).astype(np.float32)


def _drawn(seed: int, what: str, name: str, shape: int | tuple[int, ...]) -> np.ndarray:
    digest = sha256(f"{seed} {what} {name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little")).standard_normal(shape)


_kept = lru_cache(maxsize=10_000)(_drawn)
