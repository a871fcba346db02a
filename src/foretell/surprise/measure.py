"""Violation of expectation: the distance of the events from the prediction.

Source: Garrido et al., "Intuitive physics understanding emerges from self-supervised pretraining on natural videos",
2025, arXiv:2502.11831, §2.

    S_t = 1/|future| Σ_{j ∈ future} | p_φ(f_θ(V_{t..t+C}))ⱼ − LN(f^EMA(V_{t..t+W}))ⱼ |

A window of W frames slides over a video. The model sees the first C frames of each window and predicts the latents of
the others. The target encoder sees the whole window. Surprise is the mean absolute difference between the two.

Over all contexts a score is the mean; the paper's "filtered" takes the least surprising context of each window.

A target encoder that sees the past too can mix it into the latents of the future. `future` targets avoid this: they
encode the frames that were not shown by themselves. They are not in the paper.

V videos · W frames a window · T tubelets a window · P patches of a tubelet · D width
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import Foresees, require
from foretell.errors import ForetellError
from foretell.evaluate.encode import Device, evaluating
from foretell.method import Method
from foretell.progress import watched

Predict = Callable[[Foresees, Float[Tensor, "V 3 W H W_"], int], Float[Tensor, "V L D"]]
"""Gives the latents of a window after its first tubelets: the model's prediction, or a baseline."""


Targets = Literal["window", "future"]
"""The target encoder sees the whole window, as in the paper, or only the part that is predicted."""


@dataclass(frozen=True)
class Surprise:
    """A model's surprise, video by video."""

    errors: Float[Tensor, "V contexts windows T"]
    """Mean absolute error of each tubelet; NaN where it was context and nothing was predicted."""
    contexts: tuple[int, ...]
    """Frames that were seen of each window, for each row of `errors`."""
    starts: tuple[int, ...]
    """First frame of each window."""
    tubelet: int
    """Frames a tubelet."""

    @property
    def values(self) -> Float[Tensor, "V contexts windows"]:
        """S_t: the mean over all predicted latents."""
        return self.errors.nanmean(-1)

    def relative(self, context: int | None = None) -> Float[Tensor, " V"]:
        """A video's score for a comparison with its twin: the mean over time (§2), for one context or over all."""
        return self._of(context).mean((1, 2))

    def absolute(self, context: int | None = None) -> Float[Tensor, " V"]:
        """A single video's score: the largest over time (§2), for one context or of the mean over all."""
        return self._of(context).mean(1).amax(1)

    def _of(self, context: int | None) -> Float[Tensor, "V _ windows"]:
        if context is None:
            return self.values
        if context not in self.contexts:
            raise ForetellError(f"context {context} was not measured; there are {', '.join(map(str, self.contexts))}")
        return self.values[:, [self.contexts.index(context)]]

    def curve(self) -> tuple[Int[Tensor, " moments"], Float[Tensor, "V moments"]]:
        """Surprise over time: for each tubelet of the video that was ever predicted, the mean over its predictions.

        Returns:
            The first frame of each such tubelet, ascending, and the surprise there.
        """
        T = self.errors.shape[-1]
        frame = torch.tensor(self.starts).unsqueeze(1) + self.tubelet * torch.arange(T)  # [windows, T]
        moments = frame.flatten().unique()
        found = [self.errors[:, :, frame == moment].flatten(1).nanmean(1) for moment in moments]
        curve = torch.stack(found, 1)
        predicted = curve.isfinite().all(0)
        return moments[predicted], curve[:, predicted]


def surprise(
    model: Method, clips: UInt8[Tensor, "V 3 F H W_"], *, predict: Predict | None = None, **options: Any
) -> Surprise:
    """Measure surprise over whole videos.

    Args:
        model: a video model. Its target encoder encodes the events, its context encoder the visible past.
        clips: F frames each, F at least the model's window.
        predict: gives the prediction; None for the model's own.
        options: those of `surprises`.

    Raises:
        ForetellError: as `surprises`.
    """
    return surprises(model, clips, [Asked(predict or predicted)], **options)[0]


@dataclass(frozen=True)
class Asked:
    """A prediction to compare with what happened."""

    predict: Predict
    pasts: Int[Tensor, " V"] | None = None
    """For each clip the index of the clip whose past is shown; None for its own. With another clip's past it is the
    control with a shuffled context: a score that stays does not come from the past.
    """


def surprises(
    model: Method,
    clips: UInt8[Tensor, "V 3 F H W_"],
    asked: Sequence[Asked],
    *,
    contexts: Sequence[int] | None = None,
    stride: int = 2,
    targets: Targets = "window",
    batch: int = 32,
    device: Device = None,
    progress: str | None = None,
) -> list[Surprise]:
    """Measure several surprises at the same videos. They share targets, and predictions where that is possible.

    Args:
        model: a video model; its target encoder encodes what happened.
        clips: F frames each, F at least the model's window.
        asked: the predictions to compare with it; each gives a surprise.
        contexts: C, frames seen of each window, multiples of the model's tubelet; None: 2, 4, … 10 sixteenths of a
            window, as the paper has them.
        stride: frames between two windows.
        targets: the input of the target encoder.
        batch: windows that the networks take at a time. It changes no number, because no window is padded. The memory
            holds the latents of that many windows, or of one window of each clip if those are more.
        device: the device to compute on; None for the model's.
        progress: the name of the work on a progress bar; None for no bar.

    Raises:
        ForetellError: the model does not predict clips, there are no clips, a clip is shorter than the model's window,
            or a context is not a whole number of tubelets below the window.
    """
    world = require(model, Foresees, "surprise")
    config = world.config.encoder
    W, tubelet, V, F = config.frames, config.tubelet, len(clips), clips.shape[2]
    if not V:
        raise ForetellError("there are no clips to be surprised at")
    chosen = measurable(model, F, contexts)
    starts = tuple(range(0, F - W + 1, stride))
    P = (config.image_size // config.patch_size) ** 2
    errors = torch.full((len(asked), V, len(chosen), len(starts), W // tubelet), float("nan"))

    moments = max(batch // V, 1)
    with evaluating(model, device) as device:
        parts = partial(_parts, batch=batch, device=device)
        for i in watched(range(0, len(starts), moments), progress):
            now = slice(i, i + moments)
            windows = torch.cat([clips[:, :, s : s + W] for s in starts[now]])  # all clips of a moment, then the next
            whole = parts(world.target, windows) if targets == "window" else None
            for row, context in enumerate(chosen):
                seen, said = context // tubelet, {}
                first, same = _distinct(windows[:, :, :context])
                for predict in {one.predict for one in asked}:
                    said[predict] = parts(_asking(predict, world, seen), windows[first])[same].unflatten(0, (-1, V))
                s_y = parts(_asking(after, world, seen), windows) if whole is None else whole[:, seen * P :]
                s_y = s_y.unflatten(0, (-1, V))
                for number, one in enumerate(asked):
                    s_hat = said[one.predict] if one.pasts is None else said[one.predict][:, one.pasts]
                    wrong_by = (s_hat - s_y).abs().mean(-1).unflatten(2, (-1, P)).mean(-1)
                    errors[number, :, row, now, seen:] = wrong_by.transpose(0, 1).cpu()
    return [Surprise(one, chosen, starts, tubelet) for one in errors]


def _asking(predict: Predict, world: Foresees, seen: int) -> Callable[[Tensor], Tensor]:
    """A prediction as a function of windows alone."""
    return lambda x: predict(world, x, seen)


def _parts(
    say: Callable[[Tensor], Tensor], windows: UInt8[Tensor, "n 3 W H W_"], batch: int, device: torch.device
) -> Float[Tensor, "n L D"]:
    """What is said of windows, of a batch at a time."""
    return torch.cat([say(to_float(some.to(device))) for some in windows.split(batch)])


def measurable(
    model: Method, frames: int, contexts: Sequence[int] | None = None, source: str = "the video"
) -> tuple[int, ...]:
    """The contexts to measure in clips of that many frames; errors call the clips `source`. Raises as `surprise`."""
    config = require(model, Foresees, "surprise").config.encoder
    W, tubelet = config.frames, config.tubelet
    chosen = tuple(contexts) if contexts else default_contexts(W, tubelet)
    if wrong := [c for c in chosen if c % tubelet or not 0 < c < W]:
        raise ForetellError(
            f"context {wrong[0]}: expected a multiple of {tubelet} frames, more than 0 and less than the window of {W}"
        )
    if frames < W:
        raise ForetellError(f"{source} has {frames} frames and the model's window is {W}: it is too short to surprise")
    return chosen


def _distinct(pasts: UInt8[Tensor, "V 3 C H W_"]) -> tuple[list[int], list[int]]:
    """Indices of the distinct pasts, and for every past its place among them. Matched clips share one."""
    known: dict[bytes, int] = {}
    same = [known.setdefault(past.numpy().tobytes(), len(known)) for past in pasts.cpu()]
    return [same.index(one) for one in range(len(known))], same


def default_contexts(window: int, tubelet: int) -> tuple[int, ...]:
    """2, 4, 6, 8 and 10 sixteenths of a window, as the paper has them, in whole tubelets."""
    found = (round(k * window / 16 / tubelet) * tubelet for k in (2, 4, 6, 8, 10))
    return tuple(dict.fromkeys(max(c, tubelet) for c in found))


def predicted(model: Foresees, x: Float[Tensor, "V 3 W H W_"], seen: int) -> Float[Tensor, "V L D"]:
    """The model's prediction for a window after its first `seen` tubelets."""
    return model.foresee(x, seen)


def after(model: Foresees, x: Float[Tensor, "V 3 W H W_"], seen: int) -> Float[Tensor, "V L D"]:
    """Targets of a window after its first `seen` tubelets, which the target encoder does not see."""
    return model.target(x, model.divide(x, seen)[1])


def copied(model: Foresees, x: Float[Tensor, "V 3 W H W_"], seen: int) -> Float[Tensor, "V L D"]:
    """The baseline that repeats the last tubelet's latents, encoded with nothing that comes after."""
    grid = model.patch_encoder.grid(x)
    past = model.target(x[:, :, : seen * model.patch_encoder.patch[0]])
    return past.unflatten(1, (seen, -1))[:, -1].repeat(1, grid[0] - seen, 1)
