"""Shares as people read them."""

from __future__ import annotations

MOST = 3
"""At most so many places behind the point."""
SAME = 1e-9
"""Shares that differ by less are one."""


def percent(value: float, places: int = 1) -> str:
    """A share for people: never 0 % or 100 % where it is not."""
    rounded, least = round(100 * value, places), 10**-places
    if rounded == 100 and value < 1:
        return f"> {100 - least:.{places}f} %"
    if rounded == 0 and value > 0:
        return f"< {least:.{places}f} %"
    return f"{100 * value:.{places}f} %"


def places(*shares: float) -> int:
    """How many places behind the point tell some shares apart from each other, and from 0 % and 100 %: 1 or more."""
    different = {0.0, *(round(share, 9) for share in shares), 1.0}
    enough = (n for n in range(1, MOST) if len({round(100 * share, n) for share in different}) == len(different))
    return next(enough, MOST)


def agreement(stability: dict[str, float]) -> str:
    """How often two seeds agree, for people: of `foretell.robust.discovery.stability`."""
    value, low, high = (stability[name] for name in ("value", "low", "high"))
    if value == 1:
        return "100 % of the rows"
    n = places(value, low, high)
    if high - low < SAME:
        return f"{percent(value, n)} of the rows, whichever repetition is left out"
    return f"{percent(value, n)} of the rows ({percent(low, n)} to {percent(high, n)})"
