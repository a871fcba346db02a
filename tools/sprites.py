"""Cut the sprites of `foretell.data.sprites` from the emoji's Parquet file: `python tools/sprites.py EMOJI.parquet`.

Reads `things.csv`, which says which pictures ship; writes `sheet.webp` beside it, without loss.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from foretell.data import sprites


def main(parquet: Path) -> None:
    """Write the sheet of all pictures in `things.csv`, in its order."""
    import pyarrow.parquet as pq

    rows = pq.read_table(parquet, columns=["code", "image"]).to_pylist()
    pictures = {row["code"].replace("-FE0F", ""): row["image"]["bytes"] for row in rows}
    wanted = [picture for _, picture, _ in sprites.listed()]
    if missing := [code for code in wanted if code not in pictures]:
        raise SystemExit(f"{parquet}: has no picture {', '.join(missing)}")
    side, across = sprites.SIDE, sprites.ACROSS
    sheet = Image.new("RGBA", (across * side, -(-len(wanted) // across) * side))
    for number, code in enumerate(wanted):
        picture = Image.open(io.BytesIO(pictures[code])).convert("RGBA")
        seen = np.array(picture) * (
            np.array(picture)[..., 3:] > 0
        )  # nothing behind what cannot be seen: it packs better
        sheet.paste(Image.fromarray(seen.astype(np.uint8)), (number % across * side, number // across * side))
    sheet.save(sprites.FOLDER / "sheet.webp", lossless=True, quality=100, method=6, exact=True)
    print(f"{len(wanted)} sprites, {(sprites.FOLDER / 'sheet.webp').stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
