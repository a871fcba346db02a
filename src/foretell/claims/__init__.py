"""The papers' findings, tried again at a small scale: `foretell claims run NAME` says whether one holds here."""

from foretell.claims import expand, flexpredict, ijepa, iwm, vedit, vjepa
from foretell.claims.claim import Arm, Claim, Data, Estimate, Expect, Results, estimate
from foretell.claims.figure import figure
from foretell.claims.page import details, overview, page
from foretell.claims.run import RECORDS, recorded, run

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (*iwm.CLAIMS, *ijepa.CLAIMS, *flexpredict.CLAIMS, *expand.CLAIMS, *vjepa.CLAIMS, *vedit.CLAIMS)
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
    "Results",
    "details",
    "estimate",
    "figure",
    "overview",
    "page",
    "recorded",
    "run",
]
