"""List and clean the folder of decoded data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from foretell.cli.flags import Usage, parse
from foretell.errors import NOT_NEGATIVE, check_range


@dataclass(frozen=True)
class Cache:
    """List the data that was decoded once and kept ($FORETELL_CACHE or ~/.cache/foretell), or remove some of it."""

    remove: Annotated[
        tuple[str, ...], arg(help="remove these: names from the list, or all. The data itself stays where it is")
    ] = ()
    older: Annotated[float | None, arg(help="remove what was not used for so many days")] = None
    json: Annotated[bool, arg(help="print JSON")] = False

    def __post_init__(self) -> None:
        check_range("--older", self.older, NOT_NEGATIVE, Usage)
        if self.remove and self.older is not None:
            raise Usage("--remove and --older are two choices: leave one of them out")


def cache(args: list[str]) -> None:
    """List or clean decoded data: foretell cache [--json] | foretell cache --remove NAME...|all | --older DAYS."""
    from foretell.data.cache import default_folder
    from foretell.data.cache_folder import entries, remove
    from foretell.errors import ForetellError

    flags = parse(Cache, args, "cache")
    folder = default_folder()
    found = entries(folder)
    if flags.remove or flags.older is not None:
        names = {entry.path.name for entry in found}
        if unknown := [name for name in flags.remove if name != "all" and name not in names]:
            raise ForetellError(f"{folder} has no cache {unknown[0]!r}: foretell cache lists the names")
        gone = [
            entry
            for entry in found
            if (entry.days >= flags.older if flags.older is not None else {"all", entry.path.name} & {*flags.remove})
        ]
        for entry in gone:
            remove(entry)
        print(f"{len(gone)} removed, {_size(sum(entry.size for entry in gone))} of disk free again")
        return
    if flags.json:
        told = [
            {"name": e.path.name, "source": e.source, "samples": e.samples, "bytes": e.size, "days": round(e.days, 2)}
            for e in found
        ]
        print(json.dumps({"folder": str(folder), "caches": told}, indent=2))
        return
    for entry in found:
        print(
            f"{_size(entry.size):>9}  {entry.samples:>9,}  {entry.days:>6.1f} days  {entry.path.name}  {entry.source}"
        )
    print(f"{_size(sum(entry.size for entry in found))} in {len(found)} caches in {folder}")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
