"""Images with captions, from files; `foretell.data.load` with `Captions` reads them.

- Parquet files with a column of images (their bytes, or their paths) and a column of captions.
- `.tar` shards in WebDataset's layout.
- COCO's captions JSON, with its images beside it, or a folder of COCO's layout.
- A folder of pictures with `captions.csv`, `.tsv`, `.jsonl` or `.parquet`, or with a `.txt` beside each picture.

An image may have several captions. One without is left out and listed in `skipped`, as is a row that names a picture
which is not there. What is odd about captions is counted and told once (see `text`).

Read on in this order: form (what an item tells, and how it is kept), text, columns; then a kind of file (parquet, tar,
coco, table, beside).
"""

from __future__ import annotations

import os
from pathlib import Path

from foretell.data.source import File, Splits, file_at, files_below
from foretell.errors import ForetellError

_EXPECTED = (
    "expected captions:N for scenes that are made here, Parquet files, .tar shards, COCO's captions JSON, or a folder "
    "of pictures with captions.csv, .jsonl or .parquet, or with a .txt beside each"
)


def find(spec: str | Path) -> Splits:
    """The splits of images with captions.

    Raises:
        ForetellError: nothing there, no captions, or a file that cannot be read.
    """
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        return _in_folder(root, files_below(root))
    if str(spec) and os.path.isfile(root):
        return _of_file(root)
    raise ForetellError(f"{str(spec)!r}: not found, {_EXPECTED}")


def _of_file(root: Path) -> Splits:
    from . import coco, parquet, table, tar

    kind = root.suffix.lower()
    if kind == ".parquet" and not parquet.names_pictures(root):
        return parquet.find(root, [file_at(root)])
    if kind == ".tar":
        return tar.find(root, [file_at(root)])
    if kind == ".json":
        return coco.find(root, [root])
    if kind in table.ENDINGS:
        return table.find(root, files_below(root.parent), root.parent)
    raise ForetellError(f"{root}: ends in {kind or 'nothing'}, {_EXPECTED}")


def _in_folder(root: Path, files: list[File]) -> Splits:
    from . import beside, coco, parquet, table, tar

    paths = [root / file.path for file in files]
    for name in table.NAMES:
        for ending in table.ENDINGS:
            found = root / f"{name}{ending}"
            if found in paths and not (ending == ".parquet" and not parquet.names_pictures(found)):
                return table.find(found, files, root)
    if found := [path for path in paths if coco.is_coco(path)]:
        return coco.find(root, found)
    for kind, ending in ((parquet, ".parquet"), (tar, ".tar")):
        if shards := [file for file in files if file.path.lower().endswith(ending)]:
            return kind.find(root, shards)
    if not any(file.path.lower().endswith(".txt") for file in files):
        raise ForetellError(f"{root}: holds no captions, {_EXPECTED}")
    return beside.find(root, files)
