"""Files of a folder of pictures that are not read: counted by kind, with advice."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from .source import File

ADVICE = {
    "HEIC needs the package pillow-heif: pip install pillow-heif": (".heic", ".heif", ".hif"),
    "raw files of cameras are developed to JPEG or TIFF first": (
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".raw"),
    ),
    "videos are for models of clips": (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
    ),
    "archives are unpacked first": (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"),
}
"""What to do -> the endings of such files."""
CONVERT = "other kinds are saved as PNG, JPEG or TIFF first"
BESIDE = frozenset(
    {".txt", ".json", ".jsonl", ".csv", ".tsv", ".md", ".rst", ".xml", ".yaml", ".yml", ".html", ".htm", ".pdf", ".log"}
    | {".ini", ".cfg", ".toml", ".db", ".py", ".ipynb", ".parquet", ".aae", ".xmp", ".url", ".sh", ".m", ".lnk", ".bib"}
)
"""Endings of files that nobody takes for pictures."""
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def is_picture(root: Path, file: File) -> bool:
    """Whether a file without an ending begins as a picture does."""
    try:
        with (root / file.path).open("rb") as opened:
            head = opened.read(12)
    except OSError:
        return False
    return head.startswith(BEGINNINGS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def told(files: list[File]) -> str | None:
    """What was left out, and what to do; None where there is nothing to tell."""
    kinds = Counter(ending(file) for file in files)
    kinds = Counter({kind: n for kind, n in kinds.items() if kind not in BESIDE})
    if not kinds:
        return None
    counted = ", ".join(
        f"{n:,} {kind or 'without an ending'}"
        for kind, n in sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))[:8]
    )
    advice = [text for text, endings in ADVICE.items() if any(kind in endings for kind in kinds)]
    known = {each for endings in ADVICE.values() for each in endings}
    if any(kind not in known for kind in kinds):
        advice.append(CONVERT)
    return f"{counted} left out ({'; '.join(advice)})"


def ending(file: File) -> str:
    """The ending of a file's name, in small letters; "" without one."""
    return os.path.splitext(file.path)[1].lower()
