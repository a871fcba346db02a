"""The command line. Thin: flags come from the dataclasses, work is done elsewhere.

Every wrong input ends in one sentence on standard error and a status that is not 0.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from foretell import __version__
from foretell.cli.learn import claims, evaluate, finetune, train
from foretell.cli.search import keys, knowledge, serve
from foretell.cli.use import demo, export, imagine, models, uncertainty
from foretell.cli.video import scenes, surprise
from foretell.cli.words import Usage, summary, table
from foretell.errors import ForetellError, ForetellWarning

COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "demo": demo,
    "train": train,
    "evaluate": evaluate,
    "finetune": finetune,
    "imagine": imagine,
    "uncertainty": uncertainty,
    "surprise": surprise,
    "claims": claims,
    "models": models,
    "knowledge": knowledge,
    "serve": serve,
    "keys": keys,
    "scenes": scenes,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exits with 0, or with another status after one sentence on standard error."""
    name, *args = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        if name in ("-h", "--help"):
            print("foretell learns latent world models, puts them to work, and searches with them.\n")
            print(table({name: summary(command) for name, command in COMMANDS.items()}))
            print("\n`foretell COMMAND --help` explains one.")
        elif name == "--version":
            print(__version__)
        elif name in COMMANDS:
            with _spoken():
                COMMANDS[name](args)
        else:
            raise Usage(f"{name!r} is not a command; there are {', '.join(COMMANDS)}")
    except ForetellError as error:
        print(f"foretell: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, Usage) else 1)
    except KeyboardInterrupt:
        print("foretell: interrupted", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def _spoken() -> Iterator[None]:
    """Warnings meant for a person, as one sentence on standard error."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, ForetellWarning):
            print(f"foretell: {message}", file=sys.stderr)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
