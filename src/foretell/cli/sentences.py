"""Labelled texts as vectors of a text model, for `foretell discover` and `robust`: any table, and CivilComments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from foretell.data import Records, Skipped
from foretell.data.columns import Column
from foretell.data.headings import GROUPS, LABELS, SPLITS, heading
from foretell.data.images import layouts
from foretell.data.source import named_splits, split_of
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.search.models.text import TextModel

IDENTITIES = ("male", "female", "LGBTQ", "christian", "muslim", "other_religions", "black", "white")
"""Columns of CivilComments, as WILDS has it: a share of the annotators; a half or more counts."""


def text_model(name: str | None, path: Path) -> TextModel:
    """A text model of the search half.

    Args:
        name: of a model, or a folder; None where the user named none.
        path: of the texts, for errors.

    Raises:
        ForetellError: no model is named, or it is one of pictures.
    """
    from foretell.search.models.load import load_model
    from foretell.search.models.text import TextModel

    if name is None:
        raise ForetellError(
            f"{path}: holds texts and no pictures; name a text model by --features, such as bge-small-en-v1.5, or make "
            "a table of vectors of them"
        )
    model = load_model(name)
    if not isinstance(model, TextModel):
        raise ForetellError(f"--features {name}: a model of pictures; {path} holds texts: name a text model")
    return model


def labelled_texts(
    path: Path,
    model: TextModel,
    label: str | None,
    group: str | None,
    split: str | None = None,
    *,
    whole: bool = False,
) -> Records:
    """The rows of a split: `features`, `labels`, and `groups` where they are known.

    Args:
        path: a table with a column of texts.
        model: makes vectors of texts.
        label: the column of labels; None for a usual name. Shares (toxicity) count from a half on.
        group: the column of groups; None for a usual name, and for whether CivilComments mentions an identity.
        split: "test", or None for those to learn from: all rows, where no column names splits.
        whole: take all rows, too, where no row is to test on.

    Raises:
        ForetellError: there is no column of labels, no such split, or no row with a label.
    """
    found = layouts.texts_of(path)
    assert found is not None
    (columns, rows), name = found
    y, a = heading(path, columns, label, LABELS, "label"), heading(path, columns, group, GROUPS, "group")
    if y is None:
        raise ForetellError(f"{path}: no column of labels among {', '.join(columns)}; name it by --label")
    labels, classes = _numbered([row[columns.index(y)] for row in rows], y)
    known: list[object] = [row[columns.index(a)] for row in rows] if a else []
    if a is None and set(IDENTITIES) <= set(columns):
        places = [columns.index(each) for each in IDENTITIES]
        known = ["identity" if any(float(row[p] or 0) >= 0.5 for p in places) else "none" for row in rows]
    groups, names = _numbered(known, "group") if known else (None, ())
    here = _of(path, columns, rows, split, whole)
    kept = here[labels[here] >= 0]
    if not len(kept):
        raise ForetellError(f"{path}: no row has a label in column {y!r}, expected a class for each")
    texts = [str(rows[row][columns.index(name)]) for row in kept.tolist()]
    stored: dict[str, Column] = {"features": np.asarray(model.passages(texts), np.float32)}
    if groups is not None:
        stored["groups"] = groups[kept]
    skipped = tuple(Skipped(f"row {row}", "its label is missing") for row in here[labels[here] < 0].tolist())
    return Records(stored, torch.from_numpy(labels[kept]), classes, skipped, names={"groups": names} if names else {})


def _of(path: Path, columns: list[str], rows: Sequence[Sequence[Any]], split: str | None, whole: bool) -> np.ndarray:
    """Which rows are of a split."""
    column = heading(path, columns, None, SPLITS)
    said = [split_of(str(row[columns.index(column)])) if column else None for row in rows]
    named = named_splits(said)
    if split == "test" and "test" not in named and not whole:
        raise ForetellError(
            f"{path}: no column names rows to test on, expected a column `split` with train and test: add it, or name "
            "other data by --test"
        )
    wanted = named.get(split or "train")
    return np.array([row for row, each in enumerate(said) if wanted in (None, each)], np.int64)


def _numbered(values: list[object], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
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
    return np.array([number[text] for text in texts], np.int64), names
