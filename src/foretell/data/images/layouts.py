"""Folders of photographs with groups, as their publishers lay them out.

- **Waterbirds**, and any other folder with a `metadata.csv`: a row a file (see `listed`).
- **CelebA**: `list_attr_celeba.txt` and `list_eval_partition.txt` beside `img_align_celeba/`. The label is Blond_Hair
  and the group is Male, unless other attributes are asked for.
- **ImageNet-9** (Backgrounds Challenge): `original/train/` to learn from, `mixed_rand/val/` to test on; class folders.
- **MetaShift**, and any other folder of class folders with a folder for each group inside: `cat/cat(sofa)/1.jpg`.
"""

from __future__ import annotations

from pathlib import Path

from foretell.data.folder import ENDINGS
from foretell.data.headings import FILES, TEXTS, heading
from foretell.data.images import listed, parquet
from foretell.data.images.listed import ListedRow, Listing
from foretell.data.source import SPLITS, File, Splits, file_at, files_below, identity
from foretell.errors import ForetellError

ATTRIBUTES, PARTITION, ALIGNED = "list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba"
TABLES = (".csv", ".tsv", ".parquet")


def find(root: Path, label: str | None = None, group: str | None = None) -> Splits | None:
    """The splits of a place with groups; None for a folder that tells of no group.

    Raises:
        ForetellError: a column that was asked for is missing, or a layout is not whole.
    """
    if root.is_file():
        return _table(root, label, group) if root.suffix.lower() in TABLES else None
    if (root / ATTRIBUTES).is_file():
        return _celeba(root, label, group)
    if tables := sorted(root.glob("metadata*.csv")):
        return listed.find(tables[0], label, group)
    files = files_below(root)
    if tables_of_pictures := [file for file in files if file.path.lower().endswith(".parquet")]:
        return parquet.find(root, tables_of_pictures, label, group, groups=True)
    if label or group:
        raise ForetellError(
            f"{root}: this folder has no table, so there is no column {label or group!r}, expected metadata.csv with "
            "file_name and other columns, or leave --label and --group out: folders are classes"
        )
    if (root / "mixed_rand").is_dir():
        return _imagenet9(root, files)
    return _nested(root, files)


def _table(path: Path, label: str | None, group: str | None) -> Splits:
    if path.suffix.lower() == ".parquet" and parquet.has_pictures(path):
        return parquet.find(path, [file_at(path)], label, group, groups=True)
    return listed.find(path, label, group)


def lists_pictures(path: Path) -> bool:
    """Whether a table holds pictures or lists paths of pictures. Raises ForetellError where it cannot be read."""
    if path.suffix.lower() == ".parquet" and parquet.has_pictures(path):
        return True
    columns, rows = listed.read(path)
    name = heading(path, columns, None, FILES)
    if name is None or not rows:
        return False
    values = [row[columns.index(name)] for row in rows[:8]]
    return all(isinstance(value, str) and Path(value).suffix.lower() in ENDINGS for value in values)


def texts_of(path: Path) -> tuple[Listing, str] | None:
    """A table and its column of texts, where it has one and lists no picture."""
    table = listed.read(path)
    name = heading(path, table.columns, None, TEXTS)
    return None if name is None or lists_pictures(path) else (table, name)


def _celeba(root: Path, label: str | None, group: str | None) -> Splits:
    lines = (root / ATTRIBUTES).read_text(encoding="utf-8").splitlines()
    columns, rows = lines[1].split(), [line.split() for line in lines[2:] if line.strip()]
    y, a = (
        1 + columns.index(str(heading(root / ATTRIBUTES, columns, name or usual, (), what)))
        for name, usual, what in ((label, "Blond_Hair", "label"), (group, "Male", "group"))
    )
    if not (root / PARTITION).is_file():
        raise ForetellError(f"{root}: found {ATTRIBUTES} and no {PARTITION}, expected both, as CelebA comes")
    said = dict(line.split()[:2] for line in (root / PARTITION).read_text().splitlines() if line.strip())
    named = [(f"not {name}", name) for name in (columns[y - 1], columns[a - 1])]
    found = [
        ListedRow(
            f"{ALIGNED}/{row[0]}",
            named[0][int(row[y]) > 0],
            named[1][int(row[a]) > 0],
            listed.NUMBERED.get(said.get(row[0], "")),
        )
        for row in rows
    ]
    known = identity(file_at(root / ATTRIBUTES), file_at(root / PARTITION), y, a)
    return listed.splits(root, root.name, found, known)


def _imagenet9(root: Path, files: list[File]) -> Splits:
    """Learn from photographs as they are; test on those with the background of another class."""
    found = []
    for path in (file.path for file in files if Path(file.path).suffix.lower() in ENDINGS):
        variant, part, *rest = path.split("/")
        if len(rest) == 2 and (variant, part) in (("original", "train"), ("mixed_rand", "val")):
            found.append(
                ListedRow(path, rest[0].partition("_")[2] or rest[0], variant, "train" if part == "train" else "test")
            )
    if len({row.split for row in found}) < 2:
        raise ForetellError(
            f"{root}: found mixed_rand/, but not original/train/CLASS/ and mixed_rand/val/CLASS/ with pictures; "
            "expected both, as ImageNet-9 comes"
        )
    return listed.splits(root, root.name, found, identity("imagenet-9"))


def _nested(root: Path, files: list[File]) -> Splits | None:
    """`class/group/file`, perhaps below a folder for each split, if groups differ from class to class or repeat."""
    known = {name for names in SPLITS.values() for name in names}
    found = []
    for path in (file.path for file in files if Path(file.path).suffix.lower() in ENDINGS):
        parts = path.split("/")
        split = parts.pop(0) if parts[0].lower() in known else None
        if len(parts) != 3:
            return None
        found.append(ListedRow(path, parts[0], parts[1], split))
    groups = {row.group for row in found}
    return listed.splits(root, root.name, found, identity("nested")) if len(groups) > 1 else None
