"""The training loop: the same few lines for every method, on one device or many.

Everything random is a function of (seed, step): the order of the photographs, crops, colours, masks. So a run that is
    killed and resumed repeats the same steps, and there is no loader state to lose. On one process and a CPU it is the
    same bit for bit; some kernels of a GPU add in no fixed order.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from foretell.data import Batch, Dataset
from foretell.errors import COUNT, NOT_NEGATIVE, SEED, SHARE, ForetellError, within
from foretell.extras import needed
from foretell.hub.files import write_atomically
from foretell.method import Method
from foretell.train import checkpoint
from foretell.train.monitors import Monitors
from foretell.train.optimizer import chosen, set_rates
from foretell.train.prefetch import Prefetched
from foretell.train.schedules import cosine, linear, warmup_cosine
from foretell.train.show import Show
from foretell.train.world import World, accumulating, distribute


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training. The schedules are I-JEPA's, with warm-up as a share of the run."""

    steps: int = 20_000
    """Optimiser steps."""
    batch: int = 128
    """Photographs an optimiser step, over all processes and accumulated parts."""
    accumulate: int = 1
    """Parts a step is computed in, one after the other, to save memory."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon`, not in the papers: for the matrices of transformer blocks, at the same rates (`foretell.train.muon`)."""
    lr: float = 1e-3
    """Peak learning rate."""
    lr_start: float = 1e-4
    lr_end: float = 1e-6
    warmup: float = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = 0.04
    weight_decay_end: float = 0.4
    rates_ahead: int = 0
    """Steps that the learning rate and the weight decay are ahead of the schedule: 1 in the released code of the JEPA
    papers, which moves them before the first step."""
    momentum: float = 0.996
    """Momentum of the target encoder's moving average at the start; rises linearly."""
    momentum_end: float = 1.0
    clip: float = 0.0
    """Largest norm of the gradient; 0 leaves it alone, as I-JEPA does."""
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bfloat16 where the processor computes in it, float32 elsewhere."""
    device: str = "auto"
    shard: bool = False
    """Under torchrun: split the model over the processes (FSDP2) instead of copying it (DDP)."""
    checkpoint_every: int = 1000
    log_every: int = 20
    monitor_every: int = 500
    """Steps between two looks at spread, RankMe, kNN and baselines; 0 never looks."""
    tensorboard: bool = False
    """Also write TensorBoard files (needs the extra `tensorboard`)."""

    def __post_init__(self) -> None:
        within(self, **dict.fromkeys(("steps", "batch", "accumulate", "checkpoint_every", "log_every"), COUNT))
        amounts = (
            "lr",
            "lr_start",
            "lr_end",
            "weight_decay",
            "weight_decay_end",
            "clip",
            "monitor_every",
            "rates_ahead",
        )
        within(self, **dict.fromkeys(amounts, NOT_NEGATIVE))
        within(self, warmup=SHARE, momentum=SHARE, momentum_end=SHARE, seed=SEED)
        if self.batch % self.accumulate:
            raise ForetellError(f"batch {self.batch} cannot be split into accumulate = {self.accumulate} equal parts")
        if self.momentum > self.momentum_end:
            raise ForetellError(f"momentum {self.momentum} must not exceed momentum_end {self.momentum_end}")


class Trainer:
    """One run: a model, the photographs it learns from, and a folder for its checkpoints and metrics.jsonl.

    Args:
        model: freshly built; it is moved to the world's device.
        images: photographs at the model's image size.
        config: its settings.
        out: the run's folder.
        world: from `world.enter`.
        show: draws the progress; None draws none.
    """

    def __init__(
        self, model: Method, images: Dataset, config: TrainConfig, out: Path, world: World, show: Show | None = None
    ) -> None:
        parts = world.size * config.accumulate
        if config.batch % parts:
            raise ForetellError(
                f"batch {config.batch} cannot be shared by {world.size} processes × {config.accumulate} parts"
            )
        model.prepare(images)
        self.model, self.images, self.config, self.out, self.world, self.show = model, images, config, out, world, show
        self.called = distribute(model, world, config.shard)
        self.dtype = precision(config.precision, world.device)
        modules = [(module, 1.0) for module in model.trained().values()]
        self.optimizer = chosen(config.optimizer, modules, config.lr, config.weight_decay, self.dtype)
        self.monitors = Monitors(images, config.seed) if config.monitor_every else None

    def batch(self, part: int) -> Batch:
        """The samples of this process in one part of a step, in memory. Parts are counted through all steps.

        A function of the part's number, the data and the configuration alone.
        """
        config, world = self.config, self.world
        step, within = divmod(part, config.accumulate)
        index = batch_index(step, len(self.images), config.batch, config.seed)
        return self.images.batch(index[within * world.size + world.rank :: world.size * config.accumulate])

    def parts(self, start: int, steps: int) -> range:
        """Numbers of the parts of some steps, as `batch` takes them."""
        return range(start * self.config.accumulate, steps * self.config.accumulate)

    def step(self, step: int, batches: Iterator[Batch] | None = None) -> Tensor:
        """One optimiser step.

        Args:
            step: its number.
            batches: gives the batch of each part; None makes them now.

        Returns:
            The loss, a scalar on the device.
        """
        config, world = self.config, self.world
        batches = batches or map(self.batch, self.parts(step, step + 1))
        rates = schedule(config, step)
        set_rates(self.optimizer, rates["lr"], rates["weight_decay"])
        total = torch.zeros((), device=world.device)
        for part in range(config.accumulate):
            place = part * world.size + world.rank
            batch = next(batches).to(world.device)
            views = self.model.views(batch, generator(config.seed, step, place))
            with accumulating(self.called, last=part == config.accumulate - 1):
                with torch.autocast(world.device.type, self.dtype, enabled=self.dtype != torch.float32):
                    loss = self.called(views) / config.accumulate
                loss.backward()
            total += loss.detach()
        if config.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.model.update_target(rates["momentum"])
        return total

    def run(self, resume: bool = False) -> None:
        """Train to the last step.

        Args:
            resume: continue from the newest checkpoint, if there is one.

        Raises:
            Collapsed: the latents became the same for every image.
            Stopped: the run was asked to stop; it is saved and can be resumed.
            ForetellError: the loss or a weight is not finite, or a file cannot be written.
        """
        config = self.config
        start = self._resume() if resume else 0
        total, seen, spent = torch.zeros((), device=self.world.device), start, 0.0
        writing = Log(self.out, start, config.tensorboard) if self.world.first else nullcontext()
        ahead = Prefetched(self.parts(start, config.steps), self.batch, self.world.device)
        with stop_signals(self.world) as stopping, writing as log, ahead:
            for step in range(start, config.steps):
                began = time.monotonic()
                total += self.step(step, ahead)
                spent += time.monotonic() - began
                done = step + 1
                last = done == config.steps
                if done % config.log_every == 0 or last:
                    loss = self.world.mean(total / (done - seen)).item()
                    self._log(log, done, loss, (done - seen) * config.batch / spent)
                    total, seen, spent = torch.zeros_like(total), done, 0.0
                if self.monitors and (done % config.monitor_every == 0 or last):
                    self._monitor(log, done)
                if done % config.checkpoint_every == 0 or last or stopping:
                    checkpoint.save(self.out / "checkpoints", done, self.model, self.optimizer, self.world)
                if stopping and not last:
                    raise Stopped(f"stopped at step {done} of {config.steps}; the same command with --resume continues")

    def _resume(self) -> int:
        start, damaged = checkpoint.resume(self.out / "checkpoints", self.model, self.optimizer, self.world)
        if self.show:
            for sentence in damaged:
                self.show.say(f"passed over a checkpoint: {sentence}")
            self.show.say(f"resuming after step {start}" if start else "no checkpoint yet: starting at step 0")
        return start

    def _log(self, log: Log | None, done: int, loss: float, speed: float) -> None:
        if log:
            log.write(done, {"loss": loss, **schedule(self.config, done - 1), "images_per_second": speed})
        if self.show:
            self.show.step(done, loss, speed)
        if not isfinite(loss):
            raise ForetellError(
                f"the loss became {loss} at step {done}. Try a lower --lr, a longer --warmup, or --clip 1"
            )

    def _monitor(self, log: Log | None, done: int) -> None:
        assert self.monitors
        part = self.config.batch // (self.world.size * self.config.accumulate)
        measures = self.monitors.measure(self.model, self.world.device, part, self.dtype)
        if log:
            log.write(done, {"monitor": measures})
        if self.show:
            self.show.measures(done, measures)
        # each process measures by itself, and all must come to one verdict: who ends alone leaves the others waiting
        shared = {
            name: self.world.mean(torch.tensor(measures[name], device=self.world.device)).item()
            for name in ("spread",)
            if name in measures
        }
        self.monitors.judge(measures | shared)


class Stopped(ForetellError):
    """Asked to stop by Ctrl-C or a signal; everything is saved."""


@contextmanager
def stop_signals(world: World) -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying in the middle of a step; a second one dies at once.

    Several processes would have to agree on a step to stop at: there torchrun's own handling stays.
    """
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, before[signal.Signals(number)])

    main = threading.current_thread() is threading.main_thread()  # only there can signals be handled
    numbers = (signal.SIGINT, signal.SIGTERM) if main and world.size == 1 else ()
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def schedule(config: TrainConfig, step: int) -> dict[str, float]:
    """The rates of a step."""
    warmup, ahead = int(config.warmup * config.steps), step + config.rates_ahead
    return {
        "lr": warmup_cosine(ahead, config.steps, warmup, config.lr_start, config.lr, config.lr_end),
        "weight_decay": cosine(ahead, config.steps, config.weight_decay, config.weight_decay_end),
        "momentum": linear(step, config.steps, config.momentum, config.momentum_end),
    }


def precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type to compute in. On a CPU bfloat16 pays only where the processor multiplies in it."""
    if wanted == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if wanted == "bf16" else torch.float32


def batch_index(step: int, samples: int, batch: int, seed: int) -> Tensor:
    """The photographs of step `step`, [batch] int64: each once an epoch, in an order drawn from (seed, epoch)."""
    first = step * batch
    epochs = range(first // samples, (first + batch - 1) // samples + 1)
    return torch.cat(
        [  # only the requested part is copied: an epoch's order can be long
            _order(samples, seed, epoch)[max(first - epoch * samples, 0) : first + batch - epoch * samples]
            for epoch in epochs
        ]
    )


@lru_cache(maxsize=2)
def _order(samples: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(samples, generator=generator(seed, epoch, 0))


def generator(seed: int, step: int, part: int) -> torch.Generator:
    """The source of chance for one part of one step, made from nothing but these numbers."""
    mixed = np.random.SeedSequence((seed, step, part)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> 1))


class Log:
    """metrics.jsonl, a line a measurement; a resumed run drops the lines it is about to write again."""

    def __init__(self, out: Path, start: int, tensorboard: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "metrics.jsonl"
        if path.exists():
            write_atomically(path, "".join(f"{json.dumps(line)}\n" for line in read(path) if line["step"] <= start))
        self.file = path.open("a", encoding="utf-8")
        self.board: Any = None
        if tensorboard:
            needed("tensorboard", "--tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(out / "tensorboard", purge_step=start)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.file.close()
        if self.board:
            self.board.close()

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one line, and hand it to the operating system at once."""
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()
        if self.board:
            measured = {f"monitor/{name}": value for name, value in values.get("monitor", {}).items()}
            for name, value in (measured or values).items():
                self.board.add_scalar(name, value, step)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, without a last one that was cut by a crash."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
