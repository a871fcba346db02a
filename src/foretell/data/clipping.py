"""How videos are cut into clips."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.errors import Range, within

WHOLE = Range(1, whole=True)


@dataclass(frozen=True)
class Clipping:
    """How a video is cut into clips: the settings of `foretell.data.Clips`, for a process without torch."""

    size: int
    frames: int = 16
    fps: float | None = None
    stride: int = 1
    clips: int = 1

    def __post_init__(self) -> None:
        within(self, size=WHOLE, frames=WHOLE, stride=WHOLE, clips=WHOLE, fps=Range(0, 1000, above=True))

    @property
    def span(self) -> int:
        """Frames from a clip's first to its last, before the stride."""
        return (self.frames - 1) * self.stride + 1
