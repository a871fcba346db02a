"""Train a decoder of a world model's latents, to look at what it imagines."""

from __future__ import annotations

import sys

from foretell.cli.flags import MODEL, Usage
from foretell.cli.train import train


def decoder(args: list[str]) -> None:
    """Train a decoder, which shows a model's latents: foretell decoder MODEL --data DATA --out OUT [--steps N]."""
    if args[:1] in (["-h"], ["--help"]):
        print("usage: foretell decoder MODEL --data DATA --out OUT [flags]\n")
        print(f"MODEL is a {MODEL}.\nIts weights stay as they are. The decoder learns to draw its target latents.")
        print("With --out MODEL/decoder, for a MODEL that is a folder, `foretell imagine` and the pages use it.")
        print("Flags are those of `foretell train decoder --help`; --resume continues.")
        sys.exit(0)
    if not args or args[0].startswith("-"):
        found = f"{args[0]!r} stands there" if args else "none is given"
        raise Usage(f"decoder needs a MODEL first, and {found} (see foretell decoder --help)")
    train(["decoder", "--encoder", args[0], *args[1:]])
