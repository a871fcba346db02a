"""Claims as Markdown, for the terminal and for the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite

from foretell.claims.claim import Claim, Estimate, estimate
from foretell.claims.run import Results, recorded


def overview(claims: Iterable[Claim]) -> str:
    """How many findings hold; then of each claim the finding, the verdict here, and the difference that it rests on."""
    rows, counts = list[str](), Counter[str]()
    for claim in claims:
        results = recorded(claim)
        verdict = "not run" if results is None else claim.verdict(results)
        difference, seeds = ("", "") if results is None else _decisive(claim, results)
        rows.append(f"| [{claim.name}](#{claim.name}): {claim.finding} | **{verdict}** | {difference} | {seeds} |")
        counts[verdict] += 1
    told = ", ".join(f"{counts[name]} {does}" for name, does in COUNTED.items() if counts[name])
    head = [f"Of {len(rows)} findings {told}.", "", "| finding | here | difference | seeds |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


COUNTED = {"holds": "hold", "fails": "fail", "undecided": "are undecided", "not run": "were not run"}


def _decisive(claim: Claim, results: Results) -> tuple[str, str]:
    """The first difference whose verdict is the claim's, with its interval, and the seeds it was seen with."""
    judged = [(expect, *expect.judge(results)) for expect in claim.expects]
    expect, difference, _ = next(each for each in judged if each[2] == claim.verdict(results))
    return f"{expect.measure}: {expect.larger} − {expect.smaller} {written(difference)}", str(difference.seeds)


def details(claim: Claim, results: Results | None, pictures: str | None = None) -> str:
    """One claim: the paper's numbers, our numbers for each arm, and the differences.

    Args:
        claim: the claim.
        results: our results; None before it was run.
        pictures: the folder of NAME.svg, for claims with a figure; None for no pictures.
    """
    lines = [f"## {claim.name}", "", claim.finding, ""]
    lines += [f"- Source: {claim.source}.", f"- Paper: {claim.paper}.", f"- Here: {claim.scale}."]
    lines += [f"- {claim.remark}"] if claim.remark else []
    if results is None:
        return "\n".join([*lines, "", "Not run yet."]) + "\n"
    lines += ["", *_arms(results), "", *_differences(claim, results)]
    if claim.panels and pictures:
        lines += ["", f"![{', '.join(claim.panels)} by arm]({pictures}/{claim.name}.svg)"]
    return "\n".join([*lines, "", f"Verdict: **{claim.verdict(results)}**."]) + "\n"


def _arms(results: Results) -> list[str]:
    """Each arm's measures over the seeds."""
    measures = list(dict.fromkeys(name for by in results.values() for values in by.values() for name in values))
    lines = ["| arm | seeds | " + " | ".join(measures) + " |", "|---|---|" + "---|" * len(measures)]
    for arm, by in results.items():
        found = [estimate([values[name] for values in by.values() if name in values]) for name in measures]
        lines.append(f"| {arm} | {len(by)} | " + " | ".join(written(e) for e in found) + " |")
    return lines


def _differences(claim: Claim, results: Results) -> list[str]:
    lines = ["| expected | difference | |", "|---|---|---|"]
    for expect in claim.expects:
        difference, verdict = expect.judge(results)
        lines.append(f"| {expect.text} | {written(difference)} | {verdict} |")
    return lines


def written(e: Estimate) -> str:
    """A mean and its interval; three digits, or one for large numbers."""
    if not e.seeds:
        return ""
    digits = 3 if abs(e.value) < 10 else 1
    interval = f" ({e.low:.{digits}f} to {e.high:.{digits}f})" if isfinite(e.low) else ""
    return f"{e.value:.{digits}f}{interval}"


def page(claims: Mapping[str, Claim]) -> str:
    """The documentation's page of all claims."""
    return "\n".join(
        [
            INTRODUCTION,
            overview(claims.values()),
            "",
            *(details(c, recorded(c), "assets/claims") for c in claims.values()),
        ]
    )


INTRODUCTION = """# Claims

This page repeats the papers' findings at a scale that one processor trains in minutes. The arms of a claim differ in
one thing and are trained from the same seeds. Values are means over seeds with 95 % intervals (Student's t);
differences are paired by seed. A claim *holds* if the intervals of all expected differences are on the expected side.
It *fails* if one is on the other side. Otherwise it is *undecided*: more seeds would help. A small scale can hide an
effect that a large one shows. A claim that fails here fails at this scale.

```sh
foretell claims                                              # the table below
foretell claims run iwm-conditioning --data cifar10          # one again, with three seeds
```

The same command continues an interrupted run. Processes with the same `--out` share the work. `--seeds 5 --add` takes
the recorded seeds, if they used the same data, and trains only the two missing ones.

The records used CIFAR-10; those of V-JEPA used scenes that are made here. Every number is in
`src/foretell/claims/records`.
"""
