"""Write docs/claims.md from the records. With folders of runs as arguments: first take their results as records.

python tools/claims.py [runs/claims]
"""

import shutil
import sys
from pathlib import Path

from foretell.claims import CLAIMS, RECORDS, page

for folder in sys.argv[1:]:
    for name in CLAIMS:
        if (found := Path(folder) / f"{name}.json").is_file():
            shutil.copy(found, RECORDS)
(Path(__file__).parents[1] / "docs" / "claims.md").write_text(page(CLAIMS), encoding="utf-8")
