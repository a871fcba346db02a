"""Labelled texts as rows of a text model's vectors, for `foretell discover`: any table, and CivilComments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from foretell.data.headings import GROUPS, LABELS, SPLITS, heading
from foretell.data.images import layouts
from foretell.data.source import split_of
from foretell.errors import ForetellError
from foretell.robust.rows import Labelled

IDENTITIES = ("male", "female", "LGBTQ", "christian", "muslim", "other_religions", "black", "white")
"""Columns of CivilComments, as WILDS has it: a share of the annotators; a half or more counts."""


def labelled_texts(path: Path, model: str | None, label: str | None, group: str | None) -> Labelled:
    """The rows to learn from.

    Args:
        path: a table with a column of texts.
        model: a text model of the search half, by name or folder.
        label: the column of labels; None for a usual name. Shares (toxicity) count from a half on.
        group: the column of groups; None for a usual name, and for whether CivilComments mentions an identity.

    Raises:
        ForetellError: no model is named, or there is no column of labels.
    """
    found = layouts.texts_of(path)
    assert found is not None
    (columns, rows), name = found
    if model is None:
        raise ForetellError(
            f"{path}: holds texts ({name}) and no pictures; name a text model by --features, such as "
            "bge-small-en-v1.5, or make a table of vectors of them"
        )
    y, a = heading(path, columns, label, LABELS, "label"), heading(path, columns, group, GROUPS, "group")
    if y is None:
        raise ForetellError(f"{path}: no column of labels among {', '.join(columns)}; name it by --label")
    split = heading(path, columns, None, SPLITS)
    if split is not None and any(split_of(str(row[columns.index(split)])) == "train" for row in rows):
        rows = [row for row in rows if split_of(str(row[columns.index(split)])) == "train"]
    labels, classes = _numbered([row[columns.index(y)] for row in rows], y)
    known: list[object] = [row[columns.index(a)] for row in rows] if a else []
    if a is None and set(IDENTITIES) <= set(columns):
        places = [columns.index(each) for each in IDENTITIES]
        known = ["identity" if any(float(row[p] or 0) >= 0.5 for p in places) else "none" for row in rows]
    groups, names = _numbered(known, "group") if known else (None, ())
    kept = (labels >= 0).nonzero().squeeze(1)
    from foretell.search.models.load import load_model

    embed = load_model(model)
    if embed.kind != "text":
        raise ForetellError(f"--features {model}: a model of pictures; {path} holds texts: name a text model")
    texts = [str(rows[row][columns.index(name)]) for row in kept.tolist()]
    x = torch.from_numpy(np.asarray(embed.passages(texts), np.float32))
    return Labelled(x, labels[kept], classes, None if groups is None else groups[kept], names)


def _numbered(values: list[object], name: str) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Numbers of values, −1 where there is none, and their names; shares between 0 and 1 become no and yes."""
    texts = ["" if value is None or value != value else str(value).strip() for value in values]
    try:
        numbers = [float(text) for text in texts if text]
    except ValueError:
        numbers = []
    if numbers and any(0 < number < 1 for number in numbers) and min(numbers) >= 0 and max(numbers) <= 1:
        texts = [text and (name if float(text) >= 0.5 else f"not {name}") for text in texts]
    names = tuple(sorted(set(texts) - {""}))
    number = {each: k for k, each in enumerate(names)} | {"": -1}
    return torch.tensor([number[text] for text in texts]), names
