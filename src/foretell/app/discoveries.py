"""The pages of discoveries: the environments that XRM found in data, their pictures, and how the worst group fares."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from PIL import Image

from foretell.app.door import check_key
from foretell.app.frame import shown
from foretell.app.kept import KeptFiles, png
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.http.refusal import Refused
from foretell.search.serve.call import Call

DEEP = 4
"""Folders below the folder of runs that are looked into."""
MOST = 500
"""Discoveries, and classifiers, that are listed at most."""
ACROSS, SHOWN, CELL = 6, 12, 64
"""Pictures of an environment in a row, pictures of it, and their side in pixels."""
REPORT = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "sandbox allow-popups",
    "Cache-Control": "private, no-cache",
}
"""Headers of a whole report: it needs nothing but itself, and runs nothing."""
FILES = ("environments.parquet", "report.json")
"""Of a discovery."""

router = APIRouter()


@router.get("/discover")
async def every(request: Request) -> Response:
    """List the discoveries."""
    call, root = Call(request), _root(request)
    check_key(call)

    def run() -> list[dict[str, Any]]:
        return [
            {"name": folder.relative_to(root).as_posix(), **told(report)}
            for folder in _folders(root, FILES)
            if "flip_rate" in (report := read_report(folder))
        ]

    return shown(request, "discoveries", found=await call.search(run))


@router.get("/discover/report/{name:path}")
async def whole(request: Request, name: str) -> Response:
    """The whole report of a discovery, as `foretell discover` wrote it."""
    call, root = Call(request), _root(request)
    check_key(call)

    def run() -> bytes:
        path = _found(root, name) / "report.html"
        if not path.is_file():
            raise Refused(404, f"the discovery {name!r:.80} has no report.html")
        return path.read_bytes()

    return Response(await call.search(run), headers=REPORT, media_type="text/html")


@router.get("/discover/{name:path}")
async def page(request: Request, name: str) -> Response:
    """Show a discovery: its environments, pictures of each, and classifiers that were trained on it."""
    call, root, kept = Call(request), _root(request), request.app.state.kept
    check_key(call)

    def run() -> dict[str, Any]:
        folder = _found(root, name)
        return {
            "name": name,
            **told(read_report(folder)),
            "pictures": sheets(folder, kept),
            "whole": (folder / "report.html").is_file(),
            "classifiers": list(trained_on(folder, root)),
        }

    return shown(request, "discovery", **await call.search(run))


def told(report: Mapping[str, Any]) -> dict[str, Any]:
    """What pages tell of a discovery."""
    environments: Mapping[str, Sequence[int]] = report["environments"]
    several = max((len(sizes) for sizes in environments.values()), default=2)
    stability = report.get("stability")
    return {
        "data": str(report.get("data") or ""),
        "rows": sum(map(sum, environments.values())),
        "environments": environments,
        "numbers": list(range(several)),
        "lacking": sum(sum(sizes[1:]) for sizes in environments.values()),
        "flip_rate": report["flip_rate"],
        "stability": stability,
        "stable": None if stability is None else stability["low"] > stability["chance"],
        "purity": report.get("purity"),
    }


def sheets(folder: Path, kept: KeptFiles) -> dict[str, dict[int, str]]:
    """For each class and environment the address of a picture with some of its pictures; empty without any."""
    path = folder / "examples.parquet"
    if not path.is_file():
        return {}
    try:
        rows = needed("pyarrow.parquet", "the pictures of a discovery").read_table(path).to_pylist()
        found: dict[str, dict[int, list[bytes]]] = {}
        for row in rows:
            some = found.setdefault(str(row["class"]), {}).setdefault(int(row["environment"]), [])
            some += [row["image"]] if len(some) < SHOWN else []
        return {name: {e: kept.keep(_sheet(some), "image/png") for e, some in by.items()} for name, by in found.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForetellError(f"examples.parquet of this discovery is damaged ({type(error).__name__})") from None


def trained_on(folder: Path, root: Path) -> Iterator[dict[str, Any]]:
    """What `foretell robust` reached by the environments of a discovery, run by run."""
    from foretell.robust.files import digest

    own = digest(folder / FILES[0])
    for each in _folders(root, ("report.json",)):
        report = read_report(each)
        source = report.get("told")
        if isinstance(source, dict) and own is not None and source.get("file") == own and "worst_group" in report:
            settings = report.get("settings") or {}
            yield {
                "name": each.relative_to(root).as_posix(),
                "algorithm": settings.get("algorithm", ""),
                "worst": report["worst_group"],
                "average": report["average"],
                "groups": report["groups"],
            }


def read_report(folder: Path) -> dict[str, Any]:
    """The report.json of a folder; empty where it is no report."""
    try:
        found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _folders(root: Path, names: Sequence[str]) -> Sequence[Path]:
    """Folders below the folder of runs that contain these files."""
    places = [root, *(path for depth in range(1, DEEP + 1) for path in root.glob("/".join("*" * depth)))]
    there = (path for path in sorted(places) if path.is_dir() and all((path / name).is_file() for name in names))
    return [path for path, _ in zip(there, range(MOST), strict=False)]


def _found(root: Path, name: str) -> Path:
    """The folder of a discovery. Raises Refused (404)."""
    folder = root / name
    outside = ".." in Path(name).parts or Path(name).is_absolute() or "\0" in name
    if outside or not folder.is_dir() or "flip_rate" not in read_report(folder):
        raise Refused(404, f"there is no discovery {name!r:.80}")
    return folder


def _root(request: Request) -> Path:
    root: Path | None = request.app.state.runs
    if root is None:
        raise Refused(404, "no discoveries are shown here: start foretell serve with --runs DIR")
    return root


def _sheet(pictures: Sequence[bytes]) -> bytes:
    """Pictures beside each other, in rows."""
    down = -(-len(pictures) // ACROSS)
    sheet = Image.new("RGBA", (ACROSS * (CELL + 4) - 4, down * (CELL + 4) - 4), (0, 0, 0, 0))
    for number, content in enumerate(pictures):
        with Image.open(io.BytesIO(content)) as image:
            cell = image.convert("RGB").resize((CELL, CELL), Image.Resampling.BICUBIC)
        sheet.paste(cell, (number % ACROSS * (CELL + 4), number // ACROSS * (CELL + 4)))
    return png(sheet)
