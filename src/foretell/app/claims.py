"""The pages of claims: findings of the papers, repeated at a small scale, each with its figure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from foretell.app.chart import Bars, bars
from foretell.app.frame import shown
from foretell.http.refusal import Refused
from foretell.search.serve.call import Call

if TYPE_CHECKING:
    from foretell.claims import Estimate

ORDER = ("holds", "undecided", "fails", "not run")

router = APIRouter()


@router.get("/claims")
async def every(request: Request) -> Response:
    """List the claims, and whether each holds here."""
    found = await Call(request).search(_all)
    counts = {verdict: sum(each["verdict"] == verdict for each in found) for verdict in ORDER}
    return shown(request, "claims", claims=found, counts={name: n for name, n in counts.items() if n})


@router.get("/claims/{name}")
async def page(request: Request, name: str) -> Response:
    """Show a claim: the paper's numbers, ours, and the differences."""
    return shown(request, "claim", **await Call(request).search(lambda: _one(name)))


@lru_cache(maxsize=1)
def _all() -> list[dict[str, Any]]:
    from foretell.claims import CLAIMS, recorded

    told = []
    for claim in CLAIMS.values():
        results = recorded(claim)
        verdict = claim.verdict(results) if results is not None else "not run"
        told.append({"name": claim.name, "finding": claim.finding, "source": claim.source, "verdict": verdict})
    return told


@lru_cache(maxsize=64)
def _one(name: str) -> dict[str, Any]:
    from foretell.claims import CLAIMS, estimate, recorded
    from foretell.claims.page import written

    if name not in CLAIMS:
        raise Refused(404, f"there is no claim {name!r:.80}")
    claim = CLAIMS[name]
    results = recorded(claim)
    if results is None:
        return {"claim": claim, "verdict": "not run", "charts": [], "expects": [], "seeds": {}}
    measures = dict.fromkeys([*(expect.measure for expect in claim.expects), *claim.panels])
    found = {
        measure: {arm: estimate([v[measure] for v in by.values() if measure in v]) for arm, by in results.items()}
        for measure in measures
    }
    judged = [(expect, *expect.judge(results)) for expect in claim.expects]
    return {
        "claim": claim,
        "verdict": claim.verdict(results),
        "charts": [chart for measure in measures if (chart := _chart(measure, found[measure])) is not None],
        "expects": [
            {
                "text": expect.text,
                "difference": written(difference).replace("-", "−") or "–",
                "verdict": verdict,
            }
            for expect, difference, verdict in judged
        ],
        "seeds": {arm: len(by) for arm, by in results.items()},
    }


def _chart(measure: str, found: dict[str, Estimate]) -> Bars | None:
    return bars(measure, {arm: (e.value, e.low, e.high) for arm, e in found.items() if e.seeds})
