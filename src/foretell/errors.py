"""The one error, and the one warning, that are meant for a person; and what refuses numbers that cannot be."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from sys import float_info
from typing import Any


class ForetellError(Exception):
    """Something the user can mend.

    The message is one sentence or two: the file or field, what was found, what was expected, what to do.
    The command line prints it on standard error and exits with status 1; no traceback.
    """


class ForetellWarning(UserWarning):
    """Something the user should know before going on; the command line prints it as one sentence."""


@dataclass(frozen=True)
class Range:
    """The finite numbers from `low` to `high`. Its text is the expected value in an error."""

    low: float = -float_info.max
    high: float = float_info.max
    above: bool = False
    """Whether `low` itself is left out."""
    whole: bool = False
    """Whether numbers of another type than int are left out."""

    def __contains__(self, number: Any) -> bool:
        if self.whole and not isinstance(number, int):
            return False
        return (self.low < number if self.above else self.low <= number) and number <= self.high

    def __str__(self) -> str:
        return f"a whole number, {self._ends()}" if self.whole else self._ends()

    def _ends(self) -> str:
        if self.low == -float_info.max:
            return "a finite number"
        if self.high == float_info.max:
            return f"{'above' if self.above else 'at least'} {self.low:g}"
        return f"above {self.low:g} and at most {self.high}" if self.above else f"{self.low:g} to {self.high}"


FINITE, POSITIVE, NOT_NEGATIVE = Range(), Range(0, above=True), Range(0)
SHARE, SOME = Range(0, 1), Range(0, 1, above=True)
"""A share of a whole, and one that is not nothing."""
SEED = Range(0, 2**63 - 1)
COUNT, SIZE, SIDE, DEPTH = Range(1), Range(1, 100_000), Range(1, 10_000), Range(1, 1000)
"""Counts, widths, pixels, frames, layers: no computer has room for larger numbers."""


def check_range(name: str, value: Any, expected: Range, error: type[ForetellError] = ForetellError) -> None:
    """Refuse a number that is out of range, or not a number.

    Args:
        name: the number's name in errors.
        value: a number, or several: each must be within the range, and two are a span, the smaller first. None passes.
        expected: the range.
        error: the kind of error that is raised.

    Raises:
        ForetellError: the message has the name, what was found and what was expected.
    """
    numbers = value if isinstance(value, (tuple, list)) else () if value is None else (value,)
    span = len(numbers) == 2
    if all(each in expected for each in numbers) and not (span and numbers[0] > numbers[1]):
        return
    shown = (f"{n:g}" if isinstance(n, float) and not expected.whole else repr(n) for n in numbers)
    end = ", the smaller first" if span else ", and finite" if inf in numbers else ""
    raise error(f"{name} is {(' to ' if span else ', ').join(shown)}, expected {expected}{end}")


def within(config: object, what: str = "", /, **ranges: Range) -> None:
    """Refuse a configuration with a number that is out of range, as `check_range` does.

    Args:
        config: has the fields.
        what: the name of the configuration in errors.
        ranges: a field's name -> its range.

    Raises:
        ForetellError: the message names the first such field.
    """
    for name, expected in ranges.items():
        check_range(f"{what} {name}".lstrip(), getattr(config, name), expected)


def spans(numbers: Iterable[int], between: str = ", ") -> str:
    """Ascending numbers in few words, for a message: 3, 5, 6, 7 are "3, 5–7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return between.join(f"{first}–{last}" if last > first else str(first) for first, last in runs)


def near(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant, for a message: " (did you mean 'train'?)"; nothing where no name is like it."""
    from difflib import get_close_matches  # errors are imported by everything

    names = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), names, 1)
    return f" (did you mean {names[found[0]]!r}?)" if found else ""
