"""Scenes as files to look at: video files, film strips, and a record of every factor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.progress import watched

from . import PROPERTIES, Variety, clips, pairs, scene

SCALE = 4  # each pixel is enlarged, because players blur small pictures
GAP = 2
RED = (209, 73, 91)


def write(
    out: Path,
    n: int,
    seed: int = 0,
    *,
    property: str | None = None,
    hidden: bool = False,
    size: int = 64,
    frames: int = 16,
    variety: Variety | None = None,
) -> list[Path]:
    """Write clips, or pairs of a property (`all` for every one), into a folder.

    Of clips: `clip-0000.mp4`, …, `strips.png` and `scenes.json`. Of pairs: `permanence-visible/possible/0000.mp4` and
    `permanence-visible/impossible/0000.mp4`, …, the layout that `foretell surprise --benchmark pairs` reads; beside
    them `permanence-visible.png` (a row a clip, possible above impossible, with its name, the first impossible frame
    marked) and `permanence-visible.json`.

    Raises ForetellError: no such property, a number is out of range, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if property is None:
            return _clips(out, n, seed, size, frames, variety)
        written = []
        for name in PROPERTIES if property == "all" else [property]:
            written += _pairs(out, name, n, seed, hidden, size, frames, variety)
        return written
    except OSError as error:
        raise ForetellError(f"{out}: cannot write here ({error.strerror or error}): choose another --out") from error


def _clips(out: Path, n: int, seed: int, size: int, frames: int, variety: Variety | None) -> list[Path]:
    made = clips(n, seed, size=size, frames=frames, variety=variety)
    paths = [out / f"clip-{number:04}.mp4" for number in range(n)]
    for path, clip in watched(list(zip(paths, made.pixels, strict=True)), "writing"):
        video(path, clip)
    strips(made.pixels[:32], [path.stem for path in paths[:32]]).save(out / "strips.png")
    _record(out / "scenes.json", [scene(seed, number, frames, variety).record() for number in range(n)])
    return [*paths, out / "strips.png", out / "scenes.json"]


def _pairs(
    out: Path, name: str, n: int, seed: int, hidden: bool, size: int, frames: int, variety: Variety | None
) -> list[Path]:
    made = pairs(name, n, seed, hidden=hidden, size=size, frames=frames, variety=variety)
    stem = f"{name}-{'hidden' if hidden else 'visible'}"
    files = [
        (out / stem / side / f"{number:04}.mp4", clip)
        for number in range(n)
        for side, clip in (("possible", made.possible.pixels[number]), ("impossible", made.impossible.pixels[number]))
    ]
    for side in ("possible", "impossible"):
        (out / stem / side).mkdir(parents=True, exist_ok=True)
    for path, clip in watched(files, "writing"):
        video(path, clip)
    named = [f"{path.stem} {path.parent.name}" for path, _ in files[:32]]
    marks = [
        int(made.violation[int(path.stem)]) if path.parent.name == "impossible" else None for path, _ in files[:32]
    ]
    strips(np.stack([clip for _, clip in files[:32]]), named, marks).save(out / f"{stem}.png")
    _record(out / f"{stem}.json", list(made.records()))
    return [*(path for path, _ in files), out / f"{stem}.png", out / f"{stem}.json"]


def _record(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def video(path: Path, clip: np.ndarray, seconds: float = 2.0) -> None:
    """Write a clip, uint8 [T, 3, H, W], as an H.264 video file, its pixels enlarged."""
    needed("av", "writing videos")
    import av

    frames = clip.repeat(SCALE, axis=2).repeat(SCALE, axis=3).transpose(0, 2, 3, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(len(clip) / seconds), options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def strips(
    clips: np.ndarray, names: Sequence[str] | None = None, marks: Sequence[int | None] | None = None
) -> Image.Image:
    """Clips as film strips: a row a clip, time to the right.

    clips: uint8 [n, T, 3, H, W].
    names: written before each row.
    marks: the frame of each row that gets a red frame; None for none.
    """
    n, frames, _, height, width = clips.shape
    canvas = np.full((n, height + GAP, frames, width + GAP, 3), 255, np.uint8)
    canvas[:, :height, :, :width] = clips.transpose(0, 3, 1, 4, 2)
    image = Image.fromarray(canvas.reshape(n * (height + GAP), frames * (width + GAP), 3))
    draw = ImageDraw.Draw(image)
    for row, mark in enumerate(marks or ()):
        if mark is not None:
            left, top = mark * (width + GAP), row * (height + GAP)
            draw.rectangle((left, top, left + width - 1, top + height - 1), outline=RED, width=max(height // 24, 1))
    if not names:
        return image
    font = ImageFont.load_default(max(height // 5, 9))
    margin = ceil(max(font.getlength(name) for name in names)) + 8
    whole = Image.new("RGB", (margin + image.width, image.height), "white")
    whole.paste(image, (margin, 0))
    draw = ImageDraw.Draw(whole)
    for row, name in enumerate(names):
        draw.text((4, row * (height + GAP) + height // 2), name, fill="black", font=font, anchor="lm")
    return whole
