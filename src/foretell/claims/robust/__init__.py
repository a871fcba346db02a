"""Whether environments that nobody annotated save the worst group (XRM, arXiv:2309.16748), at a small scale."""

from foretell.claims.robust import colours, grounds, inherited

CLAIMS = (*colours.CLAIMS, *grounds.CLAIMS, *inherited.CLAIMS)

__all__ = ["CLAIMS"]
