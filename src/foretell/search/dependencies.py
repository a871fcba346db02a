"""Packages that search needs beyond the core, imported when they are used."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from foretell.errors import ForetellError


def needed(module: str, extra: str = "search") -> Any:
    """Import a module of an extra.

    Raises:
        ForetellError: it is not installed.
    """
    try:
        return sys.modules.get(module) or importlib.import_module(module)  # every query calls this
    except ImportError:
        name = module.split(".")[0]
        raise ForetellError(f"this needs {name}, which is not installed: pip install 'foretell[{extra}]'") from None
