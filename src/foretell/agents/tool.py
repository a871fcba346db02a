"""A tool of an agent: its parameters are fields, its docstring tells the agent what it does, and `run` does it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import getdoc
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from foretell.errors import ForetellError
from foretell.search.serve.api.bodies import RequestBody

if TYPE_CHECKING:
    from foretell.agents.desk import Desk

ALIASES = {
    "top": "limit",
    "top_k": "limit",
    "k": "limit",
    "n": "limit",
    "count": "limit",
    "name": "knowledge",
    "collection": "knowledge",
    "text": "texts",
    "question": "query",
    "where": "filter",
    "entry_id": "id",
    "image": "file",
    "video": "file",
    "picture": "file",
    "path": "file",
}
"""Other tools' names for parameters -> the names here."""


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool tells the agent."""

    content: Mapping[str, Any]
    """Types of JSON."""
    pictures: Sequence[bytes] = ()
    """Files of pictures (PNG)."""


@dataclass(frozen=True)
class Effects:
    """What a tool changes. Clients ask their users before they call some tools."""

    writes: bool = False
    destroys: bool = False
    """Whether something is lost that the tool cannot bring back."""
    again: bool = True
    """Whether a second call with the same arguments changes nothing more."""


class AgentTool(RequestBody):
    """A tool. Its instance is a call with checked arguments."""

    tool: ClassVar[str]
    """The name that agents call."""
    effects: ClassVar[Effects] = Effects()

    @abstractmethod
    async def run(self, desk: Desk) -> ToolAnswer:
        """Do it. Raises ForetellError, whose sentence the agent reads."""
        ...

    @classmethod
    def told(cls) -> str:
        """What it does, for the agent."""
        return " ".join((getdoc(cls) or "").split())

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Its parameters, as JSON Schema."""
        return {name: part for name, part in _plain(cls.model_json_schema()).items() if name != "description"}

    @classmethod
    def checked(cls, arguments: Mapping[str, Any]) -> AgentTool:
        """A call with these arguments.

        Raises:
            ForetellError: one is missing, unknown, or of another type.
        """
        try:
            return cls.model_validate(dict(arguments))
        except ValidationError as error:
            raise ForetellError(_sentence(cls, error)) from None


def _sentence(tool: type[AgentTool], error: ValidationError) -> str:
    """The first thing that is wrong with a call, and what to do."""
    first = error.errors()[0]
    place, name = [str(part) for part in first["loc"]], str(first["loc"][-1]) if first["loc"] else ""
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        known = _fields(tool, place[:-1])
        like = ALIASES[name] if ALIASES.get(name) in known else next(iter(get_close_matches(name, known, 1)), None)
        owner = f"{tool.tool}: {'.'.join(place[:-1])}" if place[:-1] else tool.tool
        meant = f": did you mean {like}?" if like else ""
        return f"{owner} has no parameter {name!r:.60}, expected {', '.join(known) or 'none'}{meant}"
    if first["type"] == "missing":
        return f"{tool.tool} needs {where}, and it is missing: add it"
    message = first["msg"].removeprefix("Value error, ")
    return f"{tool.tool}: {where or 'the arguments'}: {message[:1].lower()}{message[1:]}"


def _fields(tool: type[AgentTool], place: Sequence[str]) -> list[str]:
    """The parameters at a place in a tool's arguments."""
    schema = tool.model_json_schema()
    here: Any = schema
    for part in place:
        here = here.get("properties", {}).get(part, here.get("items", {}))
        options = [here, *here.get("anyOf", [])]
        named = next((option["$ref"].rpartition("/")[2] for option in options if "$ref" in option), None)
        here = schema["$defs"][named] if named else here
    return list(here.get("properties", {}))


def _plain(schema: Any) -> Any:
    """A schema without what tells an agent nothing: titles made of names, and null for a parameter that is left out.

    An agent pays for each word. A null that it sends is still understood.
    """
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {
        key: {name: _plain(each) for name, each in value.items()} if key in ("properties", "$defs") else _plain(value)
        for key, value in schema.items()
        if key != "title" and (key, value) != ("default", None)
    }
    options = [each for each in told.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        del told["anyOf"]
        told = options[0] | told
    return told
