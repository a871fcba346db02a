"""Files with the same content share one set of entries.

One of these files, the holder, has the entries. When the holder changes or is removed, another file with the same
content inherits them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from foretell.search.entries import Draft, Entry
from foretell.search.storage.protocol import Addition, Busy, Origin, name_of


def plan(files: Sequence[Addition], before: Mapping[str, str]) -> tuple[list[Addition], dict[str, str]]:
    """Decide what must be written, so that each content has its entries once.

    Args:
        files: the files to write.
        before: place -> hash of the content that is stored now. It covers the places of `files`, and every other place
            whose content one of these files has, or had.

    Returns:
        The files that differ from the stored ones. And former holder -> heir: for each place whose content changes, but
        whose old content another place still has, that other place.

    Raises:
        Busy: another process has removed content that this process counted on.
    """
    changed, stored = [], set(before.values())
    for file in {file.place: file for file in files}.values():
        if before.get(file.place) == file.hash:  # another process has added it meanwhile
            continue
        if not file.empty:
            if file.hash in stored:
                file = file._replace(drafts=[], kept=set(), known=True)
            elif file.known:
                raise Busy(
                    f"{name_of(file.place)}: another process changed the file with the same content; add it again"
                )
            stored.add(file.hash)
        changed.append(file)
    now = {**before, **{file.place: file.hash for file in changed}}
    for file in changed:
        if file.empty:
            del now[file.place]
    place_of = {hash: place for place, hash in now.items()}
    old = {file.place: before[file.place] for file in changed if file.place in before}
    return changed, {place: place_of[hash] for place, hash in old.items() if hash in place_of}


def with_same_content(files: Iterable[Origin]) -> dict[str, list[Origin]]:
    """Place -> the file there, followed by the other files with the same content."""
    files, by_hash = list(files), defaultdict[str, list[Origin]](list)
    for file in files:
        by_hash[file.hash].append(file)
    return {file.place: [file, *(other for other in by_hash[file.hash] if other != file)] for file in files}


def inherited(entries: Iterable[Entry], thumbnails: Mapping[int, bytes], former: str, heir: str) -> list[Draft]:
    """The entries of a former holder, as entries of its heir.

    Args:
        entries: of the former holder.
        thumbnails: of these, by their ids.
        former: the place of the former holder.
        heir: the place of another file with the same content.
    """
    drafts = []
    for e in entries:
        metadata = dict(e.metadata)
        if name_of(str(metadata.get("source"))) == name_of(former):
            metadata["source"] = name_of(heir)
        # the key is a function of place and entry, so that a repeated write gives the same entries
        key = hashlib.blake2b(f"{heir} {e.key}".encode(), digest_size=16).hexdigest()
        drafts.append(Draft(e.text, e.vector, e.page, e.time, metadata, key, thumbnails.get(e.id)))
    return drafts
