"""Run claims: train and measure each missing arm, and write down the results.

An arm names its training and its measurement by everything that defines them (see `claim.Side`). So claims that share
an arm share its runs, and an interrupted run continues where it stopped. A running training is locked. Meanwhile, other
processes with the same folder take the other trainings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import filelock

from foretell import __version__
from foretell.claims.claim import Claim, Data, Results, Side, Values
from foretell.claims.figure import figure
from foretell.data.reads import Reads
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.hub.files import read_json, write_atomically, write_json
from foretell.progress import say

RECORDS = Path(__file__).parent / "records"
"""The results, one file for each claim. They ship with the package."""


Find = Callable[[Reads[Any], str | None], Data[Any]]
"""From what an arm reads the data that it works on: as the claim says, or, for None, the reader's data."""


def run(claim: Claim, find: Find, out: Path, seeds: Sequence[int], *, add: bool = False) -> Results:
    """Run a claim. Call again with the same `out` to continue after an interruption, or from several processes at once.

    Seeds are the outer loop: the first answer comes early, and the next ones make it certain.

    Args:
        claim: the claim to run.
        find: finds the data, in the size that a model takes.
        out: folder for trainings and results.
        seeds: those of the trainings; at least two give intervals.
        add: add to the recorded results. They stay unchanged, and only missing seeds are trained.

    Returns:
        The results. They are also written to `out`/NAME.json as they grow, and drawn in `out`/NAME.svg if the claim has
        panels.

    Raises:
        ForetellError: there is no record of this data to add to, or the figure's package is not installed.
    """
    if claim.panels:
        needed("matplotlib", "the claim's figure")
    known = _known(claim, find) if add else {}
    results: Results = {arm: known.get(arm, {}) for arm in claim.arms}

    def save() -> None:
        write_json(out / f"{claim.name}.json", record(claim, results, _fingerprints(claim, find)))
        if claim.panels:
            write_atomically(out / f"{claim.name}.svg", figure(claim, results))

    out.mkdir(parents=True, exist_ok=True)
    if all(results.values()):  # the recorded results, complete or in part
        save()
    left, passed = deque((seed, arm) for seed, arm in product(seeds, claim.arms) if seed not in results[arm]), 0
    while left:
        seed, name = left.popleft()
        arm, others = claim.arms[name], passed > len(left)  # other processes train all that is left
        say(f"{claim.name}: {name}, seed {seed}")
        try:
            values = _result(arm, seed, find(arm.reads, claim.data), out, wait=others)
        except filelock.Timeout:
            say("another process trains this one; the others come first")
            left.append((seed, name))
            passed += 1
            continue
        passed = 0
        results[name] = dict(sorted({**results[name], seed: values}.items()))
        if all(seed in by for by in results.values()):
            save()
    return results


def _result(arm: Side, seed: int, data: Data[Any], out: Path, wait: bool) -> Values:
    """The measures of one arm and seed, from disk where they are there.

    Raises:
        filelock.Timeout: another process runs that training, and there is no need to wait for it.
    """
    made, measured = arm.names(data, seed)
    kept, lock = out / "measured" / f"{measured}.json", out / "locks" / f"{made}.lock"
    for parent in (lock.parent, kept.parent):
        parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock, timeout=-1 if wait else 0):
        if kept.is_file():
            return read_json(kept)
        values = arm.values(data, seed, out / "trainings" / made)
        write_json(kept, values)
        return values


def record(claim: Claim, results: Results, data: dict[str, str]) -> dict[str, Any]:
    """The record of a claim: its verdict, every number, the data, and the version of the package."""
    verdict = claim.verdict(results)
    return {"claim": claim.name, "verdict": verdict, "results": results, **data, "version": __version__}


def recorded(claim: Claim) -> Results | None:
    """The recorded results of a claim; None if it was never run."""
    path = RECORDS / f"{claim.name}.json"
    if not path.is_file():
        return None
    return {arm: {int(seed): values for seed, values in by.items()} for arm, by in read_json(path)["results"].items()}


def _known(claim: Claim, find: Find) -> Results:
    """The recorded results, if they used this data."""
    results = recorded(claim)
    if results is None:
        raise ForetellError(f"{claim.name} has no record to add seeds to: run it without --add")
    saved = read_json(RECORDS / f"{claim.name}.json")
    for which, data in _fingerprints(claim, find).items():
        if saved.get(which, data) != data:  # without `other`: recorded without one
            raise ForetellError(f"{claim.name} was recorded on other data than yours ({which}): run it without --add")
    return results


def _fingerprints(claim: Claim, find: Find) -> dict[str, str]:
    """Of what the claim's first arm learns from, as `--data` and `--other` name it."""
    data = find(next(iter(claim.arms.values())).reads, claim.data)
    return {"data": data.train.fingerprint} | ({"other": data.other.train.fingerprint} if data.other else {})
