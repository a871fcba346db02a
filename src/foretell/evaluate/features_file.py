"""Features in a file: `foretell features`.

n images · D width
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from foretell.data import Pictures
from foretell.data.reads import Reads
from foretell.errors import ForetellError
from foretell.extras import needed

ENDINGS = (".npz", ".parquet")


def write_features(
    path: Path, features: Float[Tensor, "n D"], data: Pictures, files: Sequence[str] | None = None
) -> None:
    """Write features with the classes and the files of their images.

    - `.npz`: `features` float32 [n, D], and where they are known `labels` and `files`, texts [n].
    - `.parquet`: a row an image: columns `file` and `label` where they are known, and a column of lists, `features`.

    `foretell discover` and `foretell.data.Vectors` read both.

    Args:
        path: of the file.
        features: a row an image.
        data: the images.
        files: their names; None where they are not known.

    Raises:
        ForetellError: the ending is another, or pyarrow is not installed.
    """
    classes = np.array(data.classes)
    labels = None if data.labels is None else classes[data.labels.numpy()]
    rows = features.float().numpy()
    if path.suffix.lower() == ".npz":
        told: dict[str, Any] = {"features": rows, "labels": labels, "files": None if files is None else np.array(files)}
        np.savez(path, **{name: values for name, values in told.items() if values is not None})
        return
    if path.suffix.lower() != ".parquet":
        raise ForetellError(f"{path}: is not the name of a table, expected one that ends in {', '.join(ENDINGS)}")
    needed("pyarrow", "writing Parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "file": files,
        "label": labels,
        "features": pa.FixedSizeListArray.from_arrays(rows.ravel(), rows.shape[1]),
    }
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)


def names(spec: str | Path, reads: Reads[Any], data: Pictures, split: str | None, seed: int = 0) -> list[str] | None:
    """The names of a place's files, in the order of the data read there; None where an item gives several samples.

    Args:
        spec: the place.
        reads: as the data was read.
        data: the data.
        split: the split that was read.
        seed: as it was read with.
    """
    splits = reads.find(spec, seed)
    source = splits["test"] if split == "test" else splits.get("train") or splits["all"]
    left = {each.name for each in data.skipped}
    found = [item.name for part in source.parts or (source,) for item in part.read().items if item.name not in left]
    return found if len(found) == len(data) else None
