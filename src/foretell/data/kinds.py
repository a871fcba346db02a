"""What lies at a place, before anything is decoded: pictures, vectors or texts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from foretell.errors import ForetellError

Holds = Literal["pictures", "vectors", "texts"]


def holds(spec: str) -> Holds:
    """What `foretell.data.load` would find at a place with labels.

    Raises:
        ForetellError: there is nothing.
    """
    from foretell.data.made.colormnist import VARIANTS

    name = spec.partition(":")[0]
    if name in VARIANTS:
        return "vectors"
    if name in ("backgrounds", "torchvision") or spec == "photographs":
        return "pictures"
    path = Path(os.path.expanduser(spec))
    if path.is_dir():
        return "pictures"
    if not path.is_file():
        raise ForetellError(
            f"{spec}: not found, expected a folder of pictures in class folders, a table (.csv, .parquet, .npz, .npy), "
            f"photographs, backgrounds, or {', '.join(VARIANTS)}"
        )
    if path.suffix.lower() not in (".csv", ".tsv", ".parquet"):
        return "vectors"
    from foretell.data.images import layouts

    if layouts.lists_pictures(path):
        return "pictures"
    return "texts" if layouts.texts_of(path) else "vectors"
