"""The papers' findings, repeated at a small scale: `foretell claims run NAME` says whether one holds here."""

from foretell.claims import expand, flexpredict, ijepa, iwm, robust, vedit, vista, vjepa
from foretell.claims.claim import Arm, Claim, Data, Estimate, Expect, Experiment, Results, Side, estimate
from foretell.claims.figure import figure
from foretell.claims.page import details, overview, page
from foretell.claims.run import RECORDS, recorded, run

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for group in (iwm, ijepa, flexpredict, expand, vjepa, robust, vedit, vista)
    for claim in group.CLAIMS
}
"""name -> claim."""

__all__ = [
    "CLAIMS",
    "RECORDS",
    "Arm",
    "Claim",
    "Data",
    "Estimate",
    "Expect",
    "Experiment",
    "Results",
    "Side",
    "details",
    "estimate",
    "figure",
    "overview",
    "page",
    "recorded",
    "run",
]
