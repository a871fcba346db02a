"""A run from its settings to a finished folder: config.json, metrics.jsonl, checkpoints/, and the model at the end."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock
import torch

from foretell import __version__, hub, registry
from foretell.data import Dataset, Specs, Videos, load, places
from foretell.errors import ForetellError
from foretell.hub.files import brief, dump, parse, read_json, to_config, write_json
from foretell.method import Method
from foretell.methods import METHODS, begin
from foretell.train import checkpoint
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.runs import card
from foretell.train.show import Show, shown
from foretell.train.world import World, enter, leave

CHANGEABLE = {
    "source",
    *("steps", "accumulate", "device", "shard", "checkpoint_every", "log_every", "monitor_every", "tensorboard"),
    "data.spec",
}
"""The settings that a resumed run may change: length, device and output, the place of its data (not its contents), and
the place of its method's file. (Another number of steps stretches the schedules from there on.)
"""
SHOWN = 5  # files that could not be used, with the reason


def run(
    model: Any,
    config: TrainConfig,
    data: Specs,
    out: str | Path,
    *,
    encoder: str | None = None,
    init: str | None = None,
    resume: bool = False,
    images: Dataset | None = None,
) -> None:
    """Train a model in a folder of its own, which `foretell.load` then takes.

    Args:
        model: the configuration of a method, such as `IWMConfig`.
        config: the settings of the training.
        data: the place of the data, as for `foretell.data.load`; several places make one data set.
        out: the run's folder; it must be empty or absent, or hold the run to resume.
        encoder: for a method that stands on a frozen encoder (V-JEPA 2-AC) the trained model it is taken from, as
            `foretell.load` takes it. The finished run holds a copy.
        init: a model to begin with, as `foretell.load` takes it: its tensors of the same names and shapes are the first
            weights. Other settings may differ from its own.
        resume: continue the run in `out`, from its beginning if it has no checkpoint yet.
        images: the photographs or clips, if already loaded.

    Raises:
        ForetellError: the folder is taken, or another process trains in it; there is no run to resume, its settings
            differ, or as `Trainer.run`.
    """
    if not isinstance(config, TrainConfig):
        raise ForetellError(f"config is a {type(config).__name__}, expected a TrainConfig: the model's comes first")
    out, world = Path(out), enter(config.device)
    try:
        with _held(out, config.steps, resume, world):
            torch.manual_seed(config.seed)
            built = begin(model, None if encoder is None else hub.load(encoder))
            if images is None:
                images = load(data, built.reads, progress=world.first)
            built = built.suited(images)
            source = {"spec": " ".join(map(str, places(data))), "fingerprint": images.fingerprint}
            begun = [] if init is None else warm(built, init)
            given = {name: value for name, value in (("encoder", encoder), ("init", init)) if value}
            settings = to_config(built)
            _record(out, settings | {"train": asdict(config), "data": source} | given, world)
            with shown(config.steps, quiet=not world.first) as show:
                for sentence in begun:
                    show.say(sentence)
                _tell_skipped(images, show)
                Trainer(built, images, config, out, world, show).run(resume)
                if world.first:  # read the saved file: it has whole tensors, also if processes hold parts
                    model = hub.load(out)
                    hub.save(model, out, card(model, out))
                world.wait()
                own = registry.source(settings["method"]) or ""
                method = f" --method {own}" if registry.is_place(own) else ""
                show.say(f"{out} holds the model: {built.use.format(out=out, data=places(data)[0])}{method}")
    except BaseException:
        leave(failed=True)
        raise
    leave()


def warm(model: Method, init: str) -> list[str]:
    """Take over another model's weights, where names and shapes are the same.

    Args:
        model: the model to be trained; it is changed.
        init: the other, as `foretell.load` takes it.

    Returns:
        Sentences: how many tensors were taken, which ones of the model begin at random, and which of the other have no
        place.

    Raises:
        ForetellError: there is no such model, or none of its tensors fits.
    """
    own, given = model.state_dict(), hub.load(init).state_dict()
    fits = {name: t for name, t in given.items() if name in own and own[name].shape == t.shape}
    if not fits:
        raise ForetellError(
            f"--init {init}: none of its {len(given)} tensors fits this model, expected some of one shape"
        )
    model.load_state_dict(own | fits)
    said = [f"begins with {len(fits)} of {len(own)} tensors of {init}"]
    for text, names in (("begin as they were drawn", own.keys() - fits), ("have no place", given.keys() - fits)):
        if names:
            said.append(f"  {len(names)} {text}: {brief(names)}")
    return said


def is_run(folder: Path) -> bool:
    """Whether a training was begun in a folder, so that it can be resumed."""
    return "config.json" in _holds(folder) and "train" in read_json(folder / "config.json")


@contextmanager
def _held(out: Path, steps: int, resume: bool, world: World) -> Iterator[None]:
    """Keep a run's folder for these processes alone: two writers would lose each other's metrics and checkpoints."""
    _check(out, steps, resume)  # before anything is written: the folder may hold the files of others
    lock = filelock.FileLock(out / ".lock")
    if world.first:
        try:
            out.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ForetellError(
                f"{out} is in use by another process that trains there, expected one process for each run: wait "
                "until it ends, or choose another --out"
            ) from None
        except NotImplementedError:  # a file system without locks
            pass
        except OSError as error:
            raise ForetellError(f"{out}: cannot write here ({error.strerror}): choose another --out") from error
        _check(out, steps, resume)  # the holder before may have begun, or ended, since
    try:
        yield
    except BaseException:
        lock.release()
        with suppress(OSError):
            if world.first and {path.name for path in out.iterdir()} == {".lock"}:  # nothing came of it
                (out / ".lock").unlink()
                out.rmdir()
        raise
    lock.release()


def _check(out: Path, steps: int, resume: bool) -> None:
    """Refuse a folder that a run of so many steps cannot have."""
    there = _holds(out)
    if resume and not there:
        raise ForetellError(f"{out} holds no run, expected one to resume: leave --resume out, or correct --out")
    if there and ("config.json" not in there or "train" not in read_json(out / "config.json")):
        raise ForetellError(f"{out} holds other things than a run ({min(there)}): choose another --out")
    if _begun(there) and not resume:
        raise ForetellError(f"{out} already holds a run: add --resume to go on with it, or choose another --out")
    if (at := checkpoint.newest(out / "checkpoints")) > steps:
        raise ForetellError(f"{out} is at step {at}, and --steps {steps} was asked for: give as many, or more")


def _tell_skipped(images: Dataset, show: Show) -> None:
    """Say what could not be used, and why."""
    if not images.skipped:
        return
    some = len(images.skipped)
    clips = isinstance(images, Videos)  # of which a video gives several
    left = f"{len(images):,} {'clips' if clips else 'samples'} of the others are used"
    show.say(f"{some:,} {'videos' if clips else 'files or rows'} could not be used, or not whole; {left}")
    for name, reason in images.skipped[:SHOWN]:
        show.say(f"  {name}: {reason}")
    if some > SHOWN:
        show.say(f"  and {some - SHOWN} more")


def _holds(out: Path) -> set[str]:
    """Names of the files in a folder, except hidden and empty ones. Raises ForetellError where it can be none."""
    try:
        return {
            path.name
            for path in (out.iterdir() if out.exists() else ())
            if not path.name.startswith(".") and (path.is_dir() or path.stat().st_size)
        }
    except OSError as error:
        raise ForetellError(f"{out} cannot be the run's folder ({error.strerror}): choose another --out") from error


def _begun(there: set[str]) -> bool:
    """Whether a run got as far as its first numbers. One that died before leaves the folder to others."""
    return bool(there - {"config.json"})


def _record(out: Path, settings: dict[str, Any], world: World) -> None:
    """Write config.json; those of a run that has begun must be the same."""
    path = out / "config.json"
    settings = json.loads(json.dumps(settings))  # tuples become lists, as they come back from a file
    if _begun(_holds(out)):
        known = read_json(path)
        if known.get("method") == settings["method"]:  # a field that is newer than the run was at its default
            schema = METHODS[settings["method"]].config
            known["model"] = dump(parse(schema, known.get("model"), path, "model"))
            known["train"] = dump(parse(TrainConfig, known.get("train") or {}, path, "train"))
        before, now = _flat(known), _flat(settings)
        for name, value in now.items():
            if before.get(name) != value and name.removeprefix("train.") not in CHANGEABLE:
                raise ForetellError(
                    f"{path}: {name} is {before.get(name)!r}, but {value!r} was given; a resumed run "
                    "keeps its settings: give the same, or start a new run with another --out"
                )
    world.wait()
    if world.first:
        try:
            write_json(path, settings | {"versions": _versions(), "git": _git()})
        except OSError as error:
            raise ForetellError(f"{out}: cannot write here ({error.strerror}): choose another --out") from error
    world.wait()


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested names joined by dots: {"a": {"b": 1}} -> {"a.b": 1}."""
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): value}
    return {name: leaf for key, inner in value.items() for name, leaf in _flat(inner, f"{prefix}{key}.").items()}


def _versions() -> dict[str, str]:
    return {"foretell": __version__, "torch": torch.__version__, "python": platform.python_version()}


def _git() -> str | None:
    """The revision of the checkout the command was given in, with a + where it has changes; None outside of one."""
    try:
        call = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
