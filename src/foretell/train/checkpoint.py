"""Everything that a run needs to continue, in one safetensors file of whole tensors, from any number of processes.

A file saved by two processes holding slices resumes in one, and the other way round. Values that are functions of the
step (schedules, the order of the data, every random number) are not saved.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from foretell.errors import ForetellError
from foretell.hub.files import finite, load_weights, read_metadata, read_weights, write_weights
from foretell.method import Method
from foretell.train.world import World, gathered, like

KEEP = 2
"""Checkpoints of a run that stay."""


def save(
    folder: Path, step: int, model: Method, optimizer: torch.optim.Optimizer, world: World, keep: int = KEEP
) -> None:
    """Write step-<step>.safetensors, then remove all but the newest `keep`. Every process must call it.

    Files of later steps, which a resumed run passed over, are removed: they must not push out what it writes.

    Raises:
        ForetellError: the model or the optimizer holds NaN or infinity: nothing is written and nothing is removed.
    """
    parts = {f"model.{name}": t for name, t in model.state_dict().items()}
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
    for p, state in optimizer.state.items():
        parts |= {f"optimizer.{names[p]}|{key}": t for key, t in state.items()}
    _check_finite(step, parts, world)
    tensors: dict[str, Tensor] = {}
    for name, part in parts.items():  # one whole tensor at a time: a device that holds a slice may not hold all
        whole = gathered(part)
        if world.first:
            tensors[name] = whole.cpu()
        del whole
    if world.first:
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / f"step-{step:08d}.safetensors", tensors, {"step": str(step)})
        earlier = [path for path in _all(folder) if _step(path) <= step]
        for old in set(_all(folder)) - set(earlier[-keep:]):
            old.unlink()
    world.wait()


def _check_finite(step: int, parts: dict[str, Tensor], world: World) -> None:
    """Each process looks at its slices, and all come to one verdict."""
    odd = ""
    try:
        finite(parts, "the model")
    except ForetellError as error:
        odd = str(error).partition(", expected")[0]
    if world.mean(torch.tensor(float(bool(odd)), device=world.device)):
        raise ForetellError(
            f"{odd or 'another process holds NaN or infinity'} at step {step}, expected finite numbers, so it was not "
            "saved; the last checkpoint stays. Try a lower --lr, a longer --warmup, or --clip 1"
        )


def resume(folder: Path, model: Method, optimizer: torch.optim.Optimizer, world: World) -> tuple[int, list[str]]:
    """Load the newest whole checkpoint. Every process must call it.

    Returns:
        The step it was saved after (0 where there is none), and a sentence for each file passed over: damaged ones,
        and those that hold NaN or infinity.

    Raises:
        ForetellError: there are checkpoints and none can be read, or processes find different ones.
    """
    damaged: list[str] = []
    tensors: dict[str, Tensor] = {}
    step, source = 0, folder
    for path in reversed(_all(folder)):
        try:
            tensors, step = read_weights(path), int(read_metadata(path)["step"])
            finite(tensors, path)
            source = path
            break
        except (ForetellError, KeyError) as error:
            damaged.append(str(error))
            step = 0
    if not world.agree(step):  # some would begin while others continue, and they would wait for each other for ever
        raise ForetellError(
            f"the newest checkpoint of {folder} has step {step} here, and another process finds another: the run's "
            "folder must be one that all machines share"
        )
    if damaged and not step:
        raise ForetellError(f"no checkpoint in {folder} can be read: {damaged[0]}")
    if step:
        _load(model, optimizer, tensors, source)
    return step, damaged


def newest(folder: Path) -> int:
    """The step of the newest checkpoint, whole or not; 0 without one."""
    return max(map(_step, _all(folder)), default=0)


def _load(model: Method, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], path: Path) -> None:
    whole = {key.removeprefix("model."): t for key, t in tensors.items() if key.startswith("model.")}
    own = model.state_dict()
    load_weights(model, {name: like(own[name], t) if name in own else t for name, t in whole.items()}, path)
    named = dict(model.named_parameters())
    for key, t in tensors.items():
        if key.startswith("optimizer."):
            name, _, field = key.removeprefix("optimizer.").partition("|")
            p = named[name]
            optimizer.state[p][field] = like(p, t) if t.shape == p.shape else t.to(p.device)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))
