"""The knowledges of a store, with the rights of each caller."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from foretell.http.refusal import Refused, keyless
from foretell.search.knowledge import Knowledge
from foretell.search.models.load import is_shipped
from foretell.search.models.text import DEFAULT
from foretell.search.storage.protocol import About, Backend, Key

OPEN = 256
"""The number of knowledges that keep their indexes in memory."""
FOREIGN = re.compile(r"[A-Za-z0-9][\w.:-]*(/[A-Za-z0-9][\w.-]*)?")
"""A model that is not known here: its name, with or without an owner. A path does not fit."""


def counted_as(caller: Key | None) -> str:
    """The name under which long work of a caller is counted. All callers without a key have one name together."""
    return f"owner {caller.owner}" if caller else "no key"


class Library:
    """The knowledges that a caller may see and change.

    A caller is a key, or None for a request without a key. Everyone may read a public knowledge. The keys of its owner
    may read a private one, and change it with scope `write`. Keys of scope `admin` may do this with every knowledge.
    For every other caller, a private knowledge does not exist.

    Args:
        store: the store of the knowledges.
    """

    def __init__(self, store: Backend) -> None:
        self.store = store
        self._open: OrderedDict[str, Knowledge] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, caller: Key | None, name: str, *, write: bool = False) -> Knowledge:
        """A knowledge by its contract id, or a knowledge of the caller by its name.

        Raises:
            Refused: 401 without a key, 404 if there is none that the caller may read, 403 if the caller may only read.
        """
        owner = caller.owner if caller else None
        found = [each for each in self.store.find(name, owner) if each.contract_id == name or each.owner == owner]
        for each in sorted(found, key=lambda each: each.contract_id != name):
            own = caller is not None and (caller.owner == each.owner or caller.allows("admin"))
            if not (own or each.public):
                continue
            if write and caller is None:
                break
            if write and not (own and caller is not None and caller.allows("write")):
                raise Refused(403, "this key may read this knowledge, but not change it")
            return self._knowledge(each.contract_id)
        if caller is None:
            raise keyless()
        raise Refused(404, f"there is no knowledge {name!r:.80}")

    def quick(self, contract_id: str) -> bool:
        """Whether this knowledge is open, and a search by a vector takes less time than to wake a thread."""
        knowledge = self._open.get(contract_id)
        return knowledge is not None and knowledge.collection.quick

    def visible(self, caller: Key | None, *, own: bool = False) -> Sequence[About]:
        """The knowledges that the caller may read, oldest first.

        Args:
            caller: the caller.
            own: without the public knowledges of other owners. A key of scope `admin` owns everything.
        """
        return [
            about
            for about in Knowledge.list(self.store)
            if (about.public and not own)
            or (caller is not None and (caller.owner == about.owner or caller.allows("admin")))
        ]

    def create(
        self,
        caller: Key | None,
        name: str,
        *,
        model: str,
        title: str = "",
        description: str = "",
        category: str = "",
        public: bool = False,
    ) -> Knowledge:
        """Make a knowledge of the caller, as `Knowledge.create`. The model is a name, never a path of this machine.

        Raises:
            Refused: 401 without a key, 403 if the key may not write, 400 if the model is not a name.
        """
        if caller is None:
            raise keyless()
        if not caller.allows("write"):
            raise Refused(403, "this key may not write")
        if not is_shipped(model) and (not FOREIGN.fullmatch(model) or len(model) > 200 or Path(model).exists()):
            raise Refused(400, f"model is {model!r:.80}, expected a name such as {DEFAULT}")
        about = {"title": title, "description": description, "category": category}
        made = Knowledge.create(self.store, name, model=model, owner=caller.owner, public=public, **about)
        return self._knowledge(made.collection.contract_id)

    def remove(self, caller: Key | None, name: str) -> None:
        """Delete a knowledge for ever. Raises Refused as `find`."""
        knowledge = self.find(caller, name, write=True)
        self.store.remove(knowledge.collection.contract_id)
        with self._lock:
            self._open.pop(knowledge.collection.contract_id, None)

    def close(self) -> None:
        """Stop building indexes: they are built after the next write, and searches are slower until then."""
        for knowledge in self._open.values():
            knowledge.collection.close(wait=False)

    def _knowledge(self, contract_id: str) -> Knowledge:
        with self._lock:
            knowledge = self._open.get(contract_id)
            if knowledge is None:
                knowledge = Knowledge(self.store, self.store.collection(contract_id))
            self._open[contract_id] = knowledge
            self._open.move_to_end(contract_id)
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
        return knowledge
