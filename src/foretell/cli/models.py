"""List the shipped models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from foretell import shipped
from foretell.cli.flags import parse


def models(args: list[str]) -> None:
    """List the models that ship with foretell, or print one's card: foretell models [NAME]."""

    @dataclass(frozen=True)
    class Models:
        """List the shipped models, or print one's card."""

        name: Annotated[Positional[str | None], arg(help="print this model's card", metavar="[NAME]")] = None

    flags = parse(Models, args, "models")
    print(shipped.card(flags.name) if flags.name else "\n".join(shipped.models()))
