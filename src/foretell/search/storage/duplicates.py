"""Files of the same content share its entries: which of them has these, and who inherits them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from foretell.search.entries import Draft, Entry
from foretell.search.storage.protocol import Addition, Busy, Origin, name_of


def planned(files: Sequence[Addition], before: Mapping[str, str]) -> tuple[list[Addition], dict[str, str]]:
    """What writing files comes to.

    Args:
        files: to be written.
        before: place -> hash, as of now: of these places, and of every other with one of these hashes or of those.

    Returns:
        The files that are not there as they are, each content with entries only once; and the places that no longer
        have the content whose entries they have -> another place that has it.

    Raises:
        Busy: content that was known is not there any more.
    """
    changed, held = [], set(before.values())
    for file in {file.place: file for file in files}.values():
        if before.get(file.place) == file.hash:  # another process brought it
            continue
        if not file.empty:
            if file.hash in held:
                file = file._replace(drafts=[], kept=set(), known=True)
            elif file.known:
                raise Busy(f"{name_of(file.place)}: another process changed what has the same content; add it again")
            held.add(file.hash)
        changed.append(file)
    now = {**before, **{file.place: file.hash for file in changed}}
    for file in changed:
        if file.empty:
            del now[file.place]
    alike = {hash: place for place, hash in now.items()}
    old = {file.place: before[file.place] for file in changed if file.place in before}
    return changed, {place: alike[hash] for place, hash in old.items() if hash in alike}


def sharing(files: Iterable[Origin]) -> dict[str, list[Origin]]:
    """Place -> the file there, and those of the same content."""
    files, alike = list(files), defaultdict[str, list[Origin]](list)
    for file in files:
        alike[file.hash].append(file)
    return {file.place: [file, *(other for other in alike[file.hash] if other != file)] for file in files}


def inherited(entries: Iterable[Entry], former: str, place: str) -> list[Draft]:
    """Entries of the file at a former place as those of another with the same content."""
    drafts = []
    for e in entries:
        metadata = dict(e.metadata)
        if name_of(str(metadata.get("source"))) == name_of(former):
            metadata["source"] = name_of(place)
        key = hashlib.blake2b(f"{place} {e.key}".encode(), digest_size=16).hexdigest()  # the same, should it be redone
        drafts.append(Draft(e.text, e.vector, e.page, e.time, metadata, key))
    return drafts
