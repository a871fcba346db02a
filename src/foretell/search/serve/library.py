"""The knowledges of a store, as the holders of keys may use them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from foretell.search.knowledge import Knowledge
from foretell.search.models.load import is_shipped
from foretell.search.models.text import DEFAULT
from foretell.search.serve.refusal import Refused, keyless
from foretell.search.storage.protocol import About, Backend, Key

OPEN = 256  # knowledges whose indexes are kept in memory
FOREIGN = re.compile(r"[A-Za-z0-9][\w.:-]*(/[A-Za-z0-9][\w.-]*)?")
"""What a model may be called that is none of ours: a name, with or without an owner, and no path."""


class Library:
    """What a caller may see and change.

    A caller is a key, or None for everyone. All may read what is public; the keys of its owner may read the rest, and
    change it where they may write; keys of scope admin may do so with everyone's. To all others it does not exist.

    Args:
        store: where they are.
        reranker: what reads the best where a search asks for it: the service's choice, never a caller's.
    """

    def __init__(self, store: Backend, reranker: str) -> None:
        self.store = store
        self.reranker = reranker
        self._open: OrderedDict[str, Knowledge] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, caller: Key | None, name: str, *, write: bool = False) -> Knowledge:
        """A knowledge by its contract id, or one of the caller's by its name.

        Raises:
            Refused: 401 without a key, 404 where there is none that the caller may read, 403 where it may only read.
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
        """Whether this knowledge is open, and a search for a vector would be over before a thread had begun it."""
        knowledge = self._open.get(contract_id)
        return knowledge is not None and knowledge.collection.quick

    def every(self, caller: Key | None, *, own: bool = False) -> Sequence[About]:
        """What the caller may read, oldest first. own: only the caller's, of scope admin everyone's."""
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
        """As `Knowledge.create`, owned by the caller. The model is a name, never a path of this machine.

        Raises:
            Refused: 401 without a key, 403 where it may not write, 400 for no such model.
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
        """Wait for the indexes that are built."""
        for knowledge in self._open.values():
            knowledge.close()

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
