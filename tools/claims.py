"""Write docs/claims.md and its figures from the records.

With folders of runs as arguments: first take their results as records.

python tools/claims.py [runs/claims]
"""

import shutil
import sys
from pathlib import Path

from foretell.claims import CLAIMS, RECORDS, figure, page, recorded

DOCS = Path(__file__).parents[1] / "docs"


def main(folders: list[str], docs: Path = DOCS) -> None:
    """Take the results of runs as records, and write the page and the figures."""
    for folder in folders:
        for name in CLAIMS:
            if (found := Path(folder) / f"{name}.json").is_file():
                shutil.copy(found, RECORDS)
    for claim in CLAIMS.values():
        if claim.panels and (results := recorded(claim)):
            (docs / "assets" / "claims").mkdir(parents=True, exist_ok=True)
            (docs / "assets" / "claims" / f"{claim.name}.svg").write_text(figure(claim, results), encoding="utf-8")
    (docs / "claims.md").write_text(page(CLAIMS), encoding="utf-8")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(print(__doc__))
    main(sys.argv[1:])
