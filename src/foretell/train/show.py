"""Progress for people: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from foretell.progress import Bar, bar

WORDS = {"rankme": "RankMe", "knn": "kNN"}
"""Labels of measures, where they differ from the names."""
BASELINES = {"constant": "predicting the same of every image", "copy": "repeating the nearest visible or last latent"}
"""The guesses that need no learning, by the name of their error among the measures."""


class Show:
    """Tells a run's steps, loss, speed and time left.

    Args:
        steps: of the run.
        bar: where they are told.
        every: seconds between two lines, where no bar is drawn.
    """

    def __init__(self, steps: int, bar: Bar, every: float = 10.0) -> None:
        self.steps, self.bar, self.every = steps, bar, every
        self.say = bar.say
        self.spoke = 0.0
        self.first: tuple[float, int] | None = None

    def step(self, done: int, loss: float, speed: float) -> None:
        """Tell how far the run is."""
        now = time.monotonic()
        began, at = self.first = self.first or (now, done)
        told = f"step {done}/{self.steps} · loss {loss:.4f} · {speed:,.0f} images/s"
        self.bar.reach(done, told)
        if not self.bar.drawn and (now - self.spoke >= self.every or done == self.steps):
            self.spoke = now
            left = (now - began) / (done - at) * (self.steps - done) if done > at else None
            self.say(told if left is None else f"{told} · {timedelta(seconds=round(left))} left")

    def measures(self, done: int, values: dict[str, float]) -> None:
        """Print the values of the monitors."""
        text = " · ".join(
            f"{WORDS.get(k, k)} {v:.1f}" if k == "rankme" else f"{WORDS.get(k, k)} {v:.3f}" for k, v in values.items()
        )
        self.say(f"  measured at {done}: {text}")
        if done == self.steps and (sentence := unlearned(values)):
            self.say(sentence)


@contextmanager
def shown(steps: int, quiet: bool = False) -> Iterator[Show]:
    """Show a run on standard error while the context is open; `quiet` shows nothing."""
    with bar(None if quiet else "training", steps) as drawn:
        yield Show(steps, drawn)


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
