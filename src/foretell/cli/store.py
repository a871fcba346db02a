"""The parts that commands on a store share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from tyro.conf import arg

from foretell.cli.flags import first, parse, summary

STORE = "folder of the store, or milvus://HOST:PORT[/DATABASE]"
RERANKER = arg(help="reranker instead of ms-marco-MiniLM-L-12-v2: a cross-encoder or a ColBERT, name or folder")
AGENT_MODEL = arg(help="names or folders of world models that agents and visitors may ask, besides the shipped ones")


class Action(ABC):
    """An action of a command, such as `foretell knowledge create`: its flags are fields, and `run` does the work."""

    @abstractmethod
    def run(self) -> None:
        """Do it. Raises ForetellError."""


def run_action(command: str, actions: Mapping[str, type[Action]], args: list[str]) -> None:
    """Run the action that the first argument names; the other arguments are its flags."""
    name = first(args, command, "COMMAND", {name: summary(action) for name, action in actions.items()})
    parse(actions[name], args[1:], f"{command} {name}").run()
