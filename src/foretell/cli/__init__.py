"""The command line. It is thin: flags come from the dataclasses, and other modules do the work.

Every wrong input ends in one sentence on standard error and a status that is not 0.
"""

from __future__ import annotations

import ast
import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from foretell import __version__
from foretell.cli.flags import Usage, table
from foretell.cli.terminal import plain
from foretell.errors import ForetellError, ForetellWarning, near

COMMANDS = (
    "demo",
    "train",
    "cost",
    "evaluate",
    "features",
    "claims",
    "finetune",
    "classify",
    "decoder",
    "imagine",
    "label",
    "ask",
    "forecast",
    "uncertainty",
    "surprise",
    "scenes",
    "episodes",
    "plan",
    "discover",
    "robust",
    "models",
    "runs",
    "cache",
    "export",
    "knowledge",
    "serve",
    "mcp",
    "keys",
)
"""Every command has a module of its name, with a function of its name. Only the called one is imported: a search
should not wait for the trainer. The list of commands imports none."""


def command(name: str) -> Callable[[list[str]], None]:
    """The function of a command. It takes the arguments after the command."""
    return getattr(import_module(f"{__name__}.{name}"), name)


def about(name: str) -> str:
    """What a command does: the first line of its function's docstring, read without an import."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return (ast.get_docstring(functions[name]) or "").partition("\n")[0]


def completion(shell: str) -> str:
    """A script that lets a shell complete the names of commands, and of files after them.

    Raises:
        Usage: the shell is another than bash, zsh and fish.
    """
    words = " ".join(COMMANDS)
    scripts = {
        "bash": '_foretell() { if [ "$COMP_CWORD" = 1 ]; then '
        f'COMPREPLY=($(compgen -W "{words}" -- "${{COMP_WORDS[1]}}")); fi; }}\n'
        "complete -o default -o bashdefault -F _foretell foretell",
        "zsh": "autoload -Uz compinit && compinit\n"
        f"_foretell() {{ if (( CURRENT == 2 )); then compadd {words}; else _files; fi }}\n"
        "compdef _foretell foretell",
        "fish": "\n".join(
            f"complete -c foretell -n __fish_use_subcommand -a {name} -d '{about(name).partition(':')[0]}'"
            for name in COMMANDS
        ),
    }
    if shell not in scripts:
        raise Usage(f"--completion is {shell!r}, expected one of {', '.join(scripts)}")
    return scripts[shell]


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exits with 0, or with another status after one sentence on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    name, *args = [word for word in words if word != "--debug"] or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "×" is no reason to fail
    try:
        if name in ("-h", "--help"):
            print("foretell learns latent world models, puts them to work, and searches with them.\n")
            print(table({name: about(name) for name in COMMANDS}))
            print("\n`foretell COMMAND --help` explains one. `foretell --completion bash` (zsh, fish) completes names.")
            print("If a model's method is in a file of yours, every command takes --method FILE.py:NAME.")
            print("Every command takes --debug, which shows the traceback behind an error's sentence.")
        elif name == "--version":
            print(__version__)
        elif name == "--completion":
            print(completion(args[0] if args else ""))
        elif name in COMMANDS:
            with _spoken():
                command(name)(_without_methods(args))
        else:
            raise Usage(f"{name!r} is not a command{near(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
        sys.stdout.flush()
    except ForetellError as error:
        if debug:
            traceback.print_exc()
        print(f"foretell: {plain(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, Usage) else 1)
    except KeyboardInterrupt:
        print("foretell: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if debug:
            traceback.print_exc()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest of its buffer would fail again
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone, as `head` does
            sys.exit(141)  # as a shell reports the signal
        print(f"foretell: {error.filename or 'cannot write'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)  # a full disk, most often


def _without_methods(args: list[str]) -> list[str]:
    """Run the files that `--method FILE.py:NAME` names, and return the other words."""
    rest: list[str] = []
    words = iter(args)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag != "--method":
            rest.append(word)
            continue
        place = value if equals else next(words, None)
        if place is None:
            raise Usage("--method is the last word, expected FILE.py:NAME after it")
        import_module("foretell.methods")  # the shipped methods take their names first
        import_module("foretell.registry").from_file(place)
    return rest


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
            print(f"foretell: {plain(str(message))}", file=sys.stderr)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
