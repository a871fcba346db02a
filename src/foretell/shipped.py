"""The models that come with the package, by name. Listing them needs no torch; `foretell.load` loads one."""

from __future__ import annotations

from pathlib import Path

from foretell.errors import ForetellError

SHIPPED = Path(__file__).parent / "hub" / "models"
"""The folder that contains them: a folder for each name."""


def models() -> list[str]:
    """Names of the models that ship with the package, ready for `foretell.load`."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / "config.json").is_file())


def card(name: str) -> str:
    """The model card of a shipped model: its origin, and every number that was measured.

    Raises:
        ForetellError: no model of this name ships.
    """
    if name not in models():
        raise ForetellError(f"{name!r} is not a shipped model; there are {', '.join(models())}")
    return (SHIPPED / name / "README.md").read_text(encoding="utf-8")
