"""The papers' findings, tried again at a small scale: `foretell claims run NAME` says whether one holds here."""

from foretell.claims import flexpredict, ijepa, iwm
from foretell.claims.claim import Arm, Claim, Data, Estimate, Expect, Results, estimate
from foretell.claims.page import details, overview, page
from foretell.claims.run import RECORDS, recorded, run

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (*iwm.CLAIMS, *ijepa.CLAIMS, *flexpredict.CLAIMS)}
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
    "overview",
    "page",
    "recorded",
    "run",
]
