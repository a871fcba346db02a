"""`foretell keys`: the API keys of a store that is served."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import table
from foretell.cli.store import STORE, Action, run_action


@dataclass(frozen=True)
class Create(Action):
    """Make a key and print it. It is printed only once."""

    name: Annotated[Positional[str], arg(help="name of the key", metavar="NAME")]
    store: Annotated[str, arg(help=STORE, aliases=["--data"])]
    scope: Annotated[
        Literal["read", "write", "admin"],
        arg(help="what the key allows, on the knowledges of its owner; admin: on all knowledges"),
    ] = "read"
    owner: Annotated[
        str, arg(help="owner of the knowledges that it reaches; by default those made here without --owner")
    ] = ""

    def run(self) -> None:
        """Print the key."""
        from foretell.search import open_backend
        from foretell.search.serve import keys

        with contextlib.closing(open_backend(self.store, create=True)) as store:
            print(keys.create(store, self.name, self.owner, self.scope))


@dataclass(frozen=True)
class List(Action):
    """List the keys of a store, the revoked ones too."""

    store: Annotated[str, arg(help=STORE, aliases=["--data"])]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False

    def run(self) -> None:
        """Print a line for each key."""
        from foretell.search import open_backend
        from foretell.search.serve import keys

        with contextlib.closing(open_backend(self.store)) as store:
            listed = keys.list_keys(store)
        if self.json:
            print(json.dumps([asdict(key) for key in listed], indent=2))
        elif listed:
            state = {key.name: f"revoked {key.revoked}" if key.revoked else "" for key in listed}
            print(table({k.name: f"{k.scope:<6} {k.owner!r}  {k.created}  {state[k.name]}" for k in listed}))


@dataclass(frozen=True)
class Revoke(Action):
    """Revoke a key. From now on it opens nothing."""

    name: Annotated[Positional[str], arg(help="name of the key", metavar="NAME")]
    store: Annotated[str, arg(help=STORE, aliases=["--data"])]

    def run(self) -> None:
        """Print nothing."""
        from foretell.search import open_backend
        from foretell.search.serve import keys

        with contextlib.closing(open_backend(self.store)) as store:
            keys.revoke(store, self.name)


ACTIONS: dict[str, type[Action]] = {"create": Create, "list": List, "revoke": Revoke}


def keys(args: list[str]) -> None:
    """API keys of a store that is served: foretell keys create|list|revoke."""
    run_action("keys", ACTIONS, args)
