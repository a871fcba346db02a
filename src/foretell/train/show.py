"""Progress for people: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

WORDS = {"rankme": "RankMe", "knn": "kNN"}
"""Labels of measures, where they differ from the names."""
BASELINES = {"constant": "predicting the same of every image", "copy": "repeating the nearest visible or last latent"}
"""The guesses that need no learning, by the name of their error among the measures."""


class Show:
    """Draws a run's steps, loss, speed and time left on standard error. Use as a context."""

    def __init__(self, steps: int, every: float = 10.0, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.steps = steps
        self.every = every
        self.spoke = 0.0
        self.bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f} · {task.fields[speed]:,.0f} images/s"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("train", total=steps, loss=float("nan"), speed=0.0)
        self.first: tuple[float, int] | None = None

    def __enter__(self) -> Show:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        """Print one line above the progress."""
        self.bar.console.print(text, highlight=False, soft_wrap=True)

    def step(self, done: int, loss: float, speed: float) -> None:
        """Tell how far the run is."""
        now = time.monotonic()
        self.first = self.first or (now, done)
        self.bar.update(self.task, completed=done, loss=loss, speed=speed)
        if not self.console.is_terminal and (now - self.spoke >= self.every or done == self.steps):
            self.spoke = now
            began, at = self.first
            left = (now - began) / (done - at) * (self.steps - done) if done > at else None
            rest = "" if left is None else f" · {timedelta(seconds=round(left))} left"
            self.say(f"step {done}/{self.steps} · loss {loss:.4f} · {speed:,.0f} images/s{rest}")

    def measures(self, done: int, values: dict[str, float]) -> None:
        """Print the values of the monitors."""
        text = " · ".join(
            f"{WORDS.get(k, k)} {v:.1f}" if k == "rankme" else f"{WORDS.get(k, k)} {v:.3f}" for k, v in values.items()
        )
        self.say(f"  measured at {done}: {text}")
        if done == self.steps and (sentence := unlearned(values)):
            self.say(sentence)


def unlearned(values: dict[str, float]) -> str | None:
    """A sentence for a run that ends with an error above one that needs no learning; None where it is below.

    Args:
        values: those of the monitors, see `foretell.train.monitors.Monitors.measure`.
    """
    # V-JEPA 2-AC adds the error of a rollout to its loss; `copy` is for `teacher`, its error one step ahead
    error = values.get("teacher", values["loss"])
    better = [f"{text} ({values[name]:.3f})" for name, text in BASELINES.items() if error > values.get(name, error)]
    if not better:
        return None
    return (
        f"The model has learned nothing yet that shows in its error: {error:.3f} is above that of "
        f"{' and of '.join(better)}. Train for more steps, or on more images."
    )
