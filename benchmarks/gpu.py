"""The first minutes on a GPU: whether it computes what a CPU computes, how fast, and what `foretell cost` misses.

python -m benchmarks.gpu                         # under eight minutes; writes $OUT/gpu.json, or gpu.json
python -m benchmarks.gpu --device cpu --small    # the same parts in seconds, of tiny models

A part that fails says so in the file, and the others go on. The file is written after every part.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from foretell.data import Batch, Images
from foretell.data.columns import several_texts, tensor
from foretell.method import Method, seeded
from foretell.methods import begin
from foretell.recipes import RECIPES
from foretell.train.cost import blank, skeleton, step_cost
from foretell.train.loop import TrainConfig, Trainer, generator
from foretell.train.optimizer import adamw
from foretell.train.prefetch import Prefetched
from foretell.train.world import World

MINUTES = 8
SAME = 1e-4
"""How far losses and gradients may be from the CPU's, relative to the largest."""
PARITY = ("ijepa", "flexpredict", "iwm", "vjepa-tiny", "pixels", "simclr", "vicreg", "byol", "llip-mini", "vjepa-ac")
LARGE = {"ijepa-vith14": (64, 32, 16, 8), "vjepa-vitl16": (32, 16, 8, 4)}
"""Recipes, and the batches that are tried until one fits."""
TINY = {"ijepa": (2,), "vjepa-tiny": (2,)}


@dataclass(frozen=True)
class Bench:
    """Where and how large."""

    device: torch.device
    small: bool
    ends: float
    """When to begin no further measurement, in seconds of `time.monotonic`."""

    @property
    def cuda(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Return when all is computed."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object], repeats: int, warm: int = 2) -> float:
        """Of one call: the mean of some that follow each other, after `warm` that are not counted."""
        for _ in range(warm):
            work()
        self.wait()
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        self.wait()
        return (time.perf_counter() - began) / repeats

    def bf16(self) -> AbstractContextManager[object]:
        """Autocast as training has it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=not self.small)


def about(bench: Bench) -> dict[str, Any]:
    """The machine and the versions."""
    found: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__}
    if bench.cuda:
        p = torch.cuda.get_device_properties(bench.device)
        found |= {"name": p.name, "memory": p.total_memory, "processors": p.multi_processor_count}
        found |= {"capability": f"{p.major}.{p.minor}", "cuda": torch.version.cuda}
    return found


def limit(bench: Bench) -> dict[str, float]:
    """Operations a second of one large product, which no step can exceed."""
    side, found = 256 if bench.small else 8192, {}
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        a, b = torch.randn(2, side, side, device=bench.device).to(dtype)
        found[name] = 2 * side**3 / bench.seconds(lambda a=a, b=b: a @ b, 10)
    return found


def moved(value: Any, device: torch.device) -> Any:
    """Every tensor of a prediction problem on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{name: moved(each, device) for name, each in vars(value).items()})
    return value


def numbers(model: Method, count: int) -> Batch:
    """A batch of random numbers, of what a model reads."""
    chance, columns = torch.Generator().manual_seed(0), {}
    shapes = blank(skeleton(model.config), count)
    for name in shapes:
        if name == "captions":
            texts = [[f"{word} {n}" for word in ("a red ball", "two dogs", "the sea", "a road")] for n in range(count)]
            columns[name] = tensor(several_texts(texts))
        elif name == "pixels":
            columns[name] = torch.randint(256, shapes[name].shape, generator=chance, dtype=torch.uint8)
        else:
            columns[name] = torch.randn(shapes[name].shape, generator=chance)
    return Batch(**columns)


def parity(bench: Bench) -> dict[str, Any]:
    """Loss and gradients of every method beside the CPU's, in float32, from the same weights and problem."""
    torch.backends.cudnn.allow_tf32 = False  # torch lets convolutions round to ten bits
    return {name: attempt(_parity_of, name, bench) for name in PARITY}


def _parity_of(name: str, bench: Bench) -> dict[str, Any]:
    recipe = RECIPES[name]()
    with seeded(0):
        model = begin(recipe.model) if not recipe.encoder else skeleton_filled(recipe.model)
    model.train()
    batch = numbers(model, 4)
    views = model.views(batch, generator(0, 0, 0))
    drawn = model.views(batch.to(bench.device), generator(0, 0, 0))
    other = deepcopy(model).to(bench.device)
    losses = []
    for each, problem in ((model, views), (other, moved(views, bench.device))):
        if hasattr(problem, "chance"):  # a GPU draws other noise on positions
            problem = replace(problem, chance=None)
        loss = each(problem)
        loss.backward()
        losses.append(loss.item())
    pairs = [
        (p.grad, q.grad.cpu())
        for p, q in zip(model.parameters(), other.parameters(), strict=True)
        if p.grad is not None and q.grad is not None
    ]
    largest = max(p.abs().max().item() for p, _ in pairs)
    gradients = max((p - q).abs().max().item() for p, q in pairs) / largest
    loss = abs(losses[0] - losses[1]) / abs(losses[0])
    same = [(a, b.cpu()) for a, b in zip(_tensors(views), _tensors(drawn), strict=True)]
    problem = max(((a.float() - b.float()).abs().max().item() for a, b in same), default=0.0)
    return {"loss": loss, "gradients": gradients, "views": problem, "same": max(loss, gradients) < SAME}


def skeleton_filled(config: Any) -> Method:
    """A model that stands on another's encoder, with random weights in its place."""
    from foretell.methods import METHODS

    return next(entry.kind for entry in METHODS.values() if entry.config is type(config))(config)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for each in vars(value).values() for t in _tensors(each)] if is_dataclass(value) else []


def stepping(model: Method, views: Any, bench: Bench) -> Callable[[], None]:
    """A training step: forward, backward, AdamW, moving average."""
    optimizer = adamw([(module, 1.0) for module in model.trained().values()], 1e-4, 0.04)

    def step() -> None:
        with bench.bf16():
            loss = model(views)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        model.update_target(0.996)

    return step


def prepared(name: str, batch: int, bench: Bench) -> tuple[Method, Any]:
    """A recipe's model on the device, and a problem of so many samples."""
    with seeded(0), bench.device:
        model = begin(RECIPES[name]().model).train()
    model.to(bench.device)
    return model, model.views(numbers(model, batch).to(bench.device), generator(0, 0, 0))


def steps(bench: Bench) -> dict[str, Any]:
    """The papers' sizes: the share of the limit and of the memory, beside what `foretell cost` says."""
    found, peak = {}, limit(bench)
    for name, batches in (TINY if bench.small else LARGE).items():
        found[name] = attempt(_step_of, name, batches, bench, peak)
        _free(bench)
    return found


def _step_of(name: str, batches: tuple[int, ...], bench: Bench, peak: dict[str, float]) -> dict[str, Any]:
    for batch in batches:
        try:
            return _measured(name, batch, bench, peak)
        except torch.cuda.OutOfMemoryError:
            pass
        _free(bench)  # after the error, which holds what did not fit
    raise RuntimeError(f"not even a batch of {batches[-1]} fits")


def _measured(name: str, batch: int, bench: Bench, peak: dict[str, float]) -> dict[str, Any]:
    if bench.cuda:
        torch.cuda.reset_peak_memory_stats(bench.device)
    model, views = prepared(name, batch, bench)
    seconds = bench.seconds(stepping(model, views, bench), 1 if bench.small else 5, 1 if bench.small else 2)
    precision = "fp32" if bench.small else "bf16"
    recipe = RECIPES[name]()
    said = step_cost(skeleton(recipe.model), replace(recipe.train, batch=batch, accumulate=1), bf16=not bench.small)
    found = {"batch": batch, "seconds": seconds, "flops": said.flops, "precision": precision}
    found |= {"of the limit": said.flops / seconds / peak[precision], "memory said": said.state + said.activations}
    if bench.cuda:
        most, there = torch.cuda.max_memory_allocated(bench.device), torch.cuda.get_device_properties(bench.device)
        found |= {"memory": most, "of the memory": most / there.total_memory}
    return found


def compiled(bench: Bench) -> dict[str, float]:
    """A step with and without torch.compile of each transformer block."""
    name, batch = ("ijepa", 2) if bench.small else ("ijepa-vitb16", 128)
    model, views = prepared(name, batch, bench)
    step, repeats = stepping(model, views, bench), 1 if bench.small else 10
    plain = bench.seconds(step, repeats, 1 if bench.small else 3)
    for module in model.modules():
        if type(module).__name__ == "Block":
            module.compile(backend="eager" if bench.small else "inductor")
    began = time.perf_counter()
    step()
    bench.wait()
    first = time.perf_counter() - began
    return {"batch": batch, "plain": plain, "compiled": bench.seconds(step, repeats), "first": first}


def waiting(bench: Bench) -> dict[str, float]:
    """The share of a training's time that waits for data: decoded photographs in memory, made ahead by the thread."""
    name, batch, count = ("ijepa", 4, 3) if bench.small else ("ijepa-vitb16", 128, 20)
    recipe = RECIPES[name]()
    size = recipe.model.encoder.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (4 * batch, 3, size, size), dtype=np.uint8)
    config = TrainConfig(steps=count, batch=batch, monitor_every=0, precision="fp32" if bench.small else "bf16")
    with TemporaryDirectory() as folder:
        with seeded(0):
            model = begin(recipe.model).train()
        trainer = Trainer(model, Images.of(pixels), config, Path(folder), World(bench.device))
        spent = 0.0

        def timed(batches: Prefetched) -> Any:
            nonlocal spent
            for _ in range(count):
                began = time.perf_counter()
                found = next(batches)
                spent += time.perf_counter() - began
                yield found

        with Prefetched(trainer.parts(0, count), trainer.batch, bench.device) as ahead:
            source = timed(ahead)
            trainer.step(0, source)
            bench.wait()
            spent, began = 0.0, time.perf_counter()
            for step in range(1, count):
                trainer.step(step, source)
            bench.wait()
            total = time.perf_counter() - began
    return {"batch": batch, "share": spent / total, "samples a second": (count - 1) * batch / total}


def peers(bench: Bench) -> dict[str, Any]:
    """Forward and backward of a ViT-L/16 of the same size in other libraries, on the same pictures."""
    batch, size = (2, 64) if bench.small else (64, 224)
    width, depth, heads = (32, 2, 2) if bench.small else (1024, 24, 16)
    x = torch.rand(batch, 3, size, size, device=bench.device)

    def foretell() -> nn.Module:
        from foretell.nn.vit import ViT, ViTConfig

        return ViT(ViTConfig(size, 16, width, depth, heads))

    def timm() -> nn.Module:
        from timm.models.vision_transformer import VisionTransformer

        options = {"num_classes": 0, "global_pool": "", "class_token": False}
        return VisionTransformer(size, 16, embed_dim=width, depth=depth, num_heads=heads, **options)

    def transformers() -> nn.Module:
        from transformers import IJepaConfig, IJepaModel

        config = IJepaConfig(image_size=size, patch_size=16, hidden_size=width, num_hidden_layers=depth)
        config.num_attention_heads, config.intermediate_size = heads, 4 * width
        return IJepaModel(config)

    found = {}
    for build in (foretell, timm, transformers):
        found[build.__name__] = attempt(_encoding, build, x, bench)
        _free(bench)
    return found


def _encoding(build: Callable[[], nn.Module], x: Tensor, bench: Bench) -> dict[str, float]:
    with seeded(0):
        network = build().to(bench.device).train()

    def work() -> None:
        with bench.bf16():
            out = network(x)
        getattr(out, "last_hidden_state", out).float().square().mean().backward()
        network.zero_grad()

    return {"seconds": bench.seconds(work, 1 if bench.small else 10)}


def _free(bench: Bench) -> None:
    gc.collect()
    if bench.cuda:
        torch.cuda.empty_cache()


PARTS: dict[str, Callable[[Bench], Any]] = {
    each.__name__: each for each in (about, limit, parity, steps, waiting, compiled, peers)
}


def attempt(part: Callable[..., Any], *args: Any) -> Any:
    """What a part gives; or, where it fails, why: so that one failure does not lose the others."""
    bench = next(each for each in args if isinstance(each, Bench))
    if time.monotonic() > bench.ends:
        return {"left out": f"{MINUTES} minutes are over"}
    try:
        return part(*args)
    except Exception as error:  # anything may fail on a machine that was never seen
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"failed": f"{type(error).__name__}: {error}", "at": f"{where.filename}:{where.lineno}"}


def main(
    device: str = "cuda", small: bool = False, out: Path | None = None, parts: tuple[str, ...] = tuple(PARTS)
) -> None:
    """Run the parts, and write what they found as JSON.

    Args:
        device: the device to measure.
        small: tiny models, once each: to see that the parts work.
        out: the file; by default gpu.json in the folder $OUT, or here.
        parts: what to run, of about, limit, parity, steps, waiting, compiled, peers.
    """
    bench = Bench(torch.device(device), small, time.monotonic() + 60 * MINUTES)
    path = out or Path(os.environ.get("OUT", ".")) / "gpu.json"
    found: dict[str, Any] = {}
    for name in parts:
        began = time.monotonic()
        found[name] = attempt(PARTS[name], bench)
        print(f"{name}: {json.dumps(found[name])} ({time.monotonic() - began:.1f} s)", flush=True)
        path.write_text(json.dumps(found, indent=2))
        _free(bench)


if __name__ == "__main__":
    tyro.cli(main)
