"""Models as files: a JSON configuration and safetensors weights. Nothing here can run code from a file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from foretell import registry
from foretell.disk import sync_folder
from foretell.errors import ForetellError, spans
from foretell.method import Method
from foretell.methods import METHODS

M = TypeVar("M", bound=nn.Module)

LONGEST = 200
"""Characters of a list of tensors in an error."""
PICKLE = "a PyTorch pickle, which could run code and is never opened here"
FOREIGN = {
    b"PK\x03\x04": PICKLE,
    b"\x80": PICKLE,
    b"<": "a web page, and not the requested file: download it again",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself by git lfs pull",
}
"""First bytes of files that are mistaken for weights -> their kind."""


def to_config(model: Method) -> dict[str, Any]:
    """The input of `from_config`, which builds the model again, as JSON types: its method's name and its configuration.

    `source` is there for a method that does not come with foretell: it tells people where the method is from.
    """
    for method, (kind, _) in METHODS.items():
        if type(model) is kind:
            more = {"source": registry.source(method), "untrained": model.untrained}
            return {"method": method, "model": dump(model.config)} | {k: v for k, v in more.items() if v}
    raise ForetellError(f"{type(model).__name__} is not a registered method; there are {', '.join(METHODS)}")


def from_config(config: Mapping[str, Any], source: Path | str = "the configuration") -> Method:
    """Build a model, freshly initialised, from what `to_config` gave.

    Args:
        config: holds `method` and `model`, and `untrained` where the predictor is. `source` is only shown, never run.
            Other keys are ignored.
        source: the configuration's name in errors.

    Raises:
        ForetellError: the method is unknown, or a field is missing, unknown, of the wrong kind or out of range.
    """
    method = config.get("method")
    found = registry.find(method) if isinstance(method, str) else None
    if found is None:
        raise ForetellError(f"{source}: {registry.unknown(method, config.get('source'))}")
    kind, schema = found
    parsed = parse(schema, config.get("model"), source, "model")
    with naming(source):
        model = kind(parsed)
    model.untrained = config.get("untrained")
    return model


@contextmanager
def naming(source: Path | str) -> Iterator[None]:
    """Put a file's name before errors that do not begin with it: those of configurations, which know of no file."""
    try:
        yield
    except ForetellError as error:
        if str(error).startswith(str(source)):
            raise
        raise ForetellError(f"{source}: {error}") from None


def dump(config: Any) -> Any:
    """A configuration dataclass as JSON types; `parse` reads it."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def parse(schema: Any, value: Any, source: Path | str, field: str) -> Any:
    """Turn JSON types into a configuration dataclass or another type. Unknown names and wrong values are errors."""
    try:
        with naming(source):
            parsed = TypeAdapter(schema).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (field, *first["loc"]))
        raise ForetellError(f"{source}: {place} is {first.get('input')!r}: {first['msg']}") from None
    unknown = _unknown(value, TypeAdapter(schema).dump_python(parsed), field)
    if unknown:
        raise ForetellError(f"{source}: {unknown} is not a field this version knows; was it written by a newer one?")
    return parsed


def _unknown(given: Any, known: Any, place: str) -> str | None:
    if not (isinstance(given, Mapping) and isinstance(known, Mapping)):
        return None
    for key, value in given.items():
        if key not in known:
            return f"{place}.{key}"
        if deeper := _unknown(value, known[key], f"{place}.{key}"):
            return deeper
    return None


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a power cut, sees the old one or the new one, never a half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, atomically."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ForetellError: the file is missing or is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ForetellError(f"{path} is missing: a model folder holds config.json and model.safetensors") from None
    except (ValueError, OSError, RecursionError) as error:
        raise ForetellError(f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise ForetellError(f"{path} holds a {type(value).__name__}, expected a JSON object")
    return value


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, atomically and through to the disk.

    Raises:
        ForetellError: the disk is full or not writable; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary, dict(metadata or {}))
        temporary.chmod(0o644)  # safetensors lets only the owner read
        with temporary.open("rb+") as file:  # Windows does not sync a file that is open to be read alone
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)  # the rename itself must reach the disk too
    except (OSError, SafetensorError) as error:
        raise ForetellError(f"{path} could not be written ({error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file.

    Raises:
        ForetellError: the file is missing, truncated, or of another format. A pickle is recognised and not opened.
    """
    return _read(path)[0]


def read_metadata(path: Path) -> dict[str, str]:
    """The text metadata of a safetensors file. Raises as `read_weights` does."""
    return _read(path, tensors=False)[1]


def _read(path: Path, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()} if tensors else {}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise ForetellError(f"{path} is missing: a model folder holds config.json and model.safetensors") from None
    except (SafetensorError, OSError, ValueError) as error:
        found = _kind(path) or f"not a whole safetensors file of {path.stat().st_size:,} bytes ({error})"
        raise ForetellError(f"{path} is {found}, expected weights in safetensors") from None


def _kind(path: Path) -> str | None:
    """The kind of a file that cannot be read as safetensors, by its first bytes; None if it begins as one."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "an empty file"
    if head[8:9] == b"{":  # the size of a safetensors header, which stands before it, may be any byte
        return None
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    return next((kind for start, kind in FOREIGN.items() if head.lstrip().startswith(start)), None)


def built(build: Callable[[], M], tensors: Mapping[str, Tensor], source: Path | str) -> M:
    """The result of `build`, with weights. Sizes that differ from these are refused before they take memory.

    Raises:
        ForetellError: as `load_weights`.
    """
    with torch.device("meta"):
        sketch = build()
    check(sketch.state_dict(), tensors, source)
    model = build()
    model.load_state_dict(dict(tensors))
    return model


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], source: Path | str) -> None:
    """Load tensors into a model, strictly: every name and shape must be there, and no other.

    Raises:
        ForetellError: it lists the tensors that are missing, unexpected, of another shape or type, or not finite.
    """
    check(model.state_dict(), tensors, source)
    model.load_state_dict(dict(tensors))


def check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], source: Path | str) -> None:
    """Hold names, shapes and types against each other, and see that numbers are. Raises as `load_weights` does."""
    shapes = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if expected[name].shape != found[name].shape
    ]
    types = [
        f"{name} is {found[name].dtype}"
        for name in expected.keys() & found.keys()
        if expected[name].is_floating_point() != found[name].is_floating_point()
    ]
    kinds = {
        "missing": expected.keys() - found.keys(),
        "unexpected": found.keys() - expected.keys(),
        "of another shape": shapes,
        "of another type": types,
    }
    account = "; ".join(f"{len(names)} {kind}: {brief(names)}" for kind, names in kinds.items() if names)
    if account:
        raise ForetellError(f"{source} does not fit the model that it describes ({account})")
    finite(found, source)


def finite(tensors: Mapping[str, Tensor], source: Path | str) -> None:
    """Refuse NaN and infinities, which otherwise come out as features, probes and files that look like any others.

    Raises:
        ForetellError: naming the tensors that hold some.
    """
    odd = [name for name, t in tensors.items() if not _finite(t)]
    if odd:
        names = brief(odd)
        some = names if len(names) <= LONGEST else f"{len(odd)} tensors, such as {min(odd)}"
        raise ForetellError(
            f"{source} holds NaN or infinity in {some}, expected finite numbers: its training diverged or the "
            "file is damaged; use an earlier checkpoint"
        )


def _finite(t: Tensor) -> bool:
    t = t.to_local() if hasattr(t, "to_local") else t  # a slice, where a model is spread over processes
    if not t.is_floating_point() or not t.numel():
        return True
    # The extremes are NaN where anything is. They take 0.1 s a GB (reading takes 0.7); isfinite().all() would take 2.
    return bool(torch.stack((t.float() if t.itemsize == 1 else t).aminmax()).isfinite().all())


def brief(names: Iterable[str]) -> str:
    """All names in few words: where only the first number differs they share a place, as in blocks.0–11.norm1."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for name in names:
        head, *rest = re.split(r"(\d+)", name, maxsplit=1)
        numbers.setdefault((head, "".join(rest[1:])), []).extend(map(int, rest[:1]))
    return ", ".join(f"{head}{spans(sorted(found), '|')}{tail}" for (head, tail), found in sorted(numbers.items()))
