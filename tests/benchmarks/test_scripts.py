"""Benchmarks and tools still fit what they measure: they are seldom run, and nothing else says that they broke."""

import ast
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import contours, ingest, search, shortcuts, stores

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tools/*.py")])
OURS = ("foretell", "benchmarks")


def loaded(path: Path) -> ModuleType:
    """A script, imported but not run."""
    if path.parent.name == "benchmarks":
        return importlib.import_module(f"benchmarks.{path.stem}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what would hold it is no package
        return False


def missing(tree: ast.AST, module: ModuleType) -> list[str]:
    """What a script takes from this package's modules, also within functions, that is not there."""
    lost, modules = [], {name: value for name, value in vars(module).items() if isinstance(value, ModuleType)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            found = importlib.import_module(node.module)
            lost += [
                f"{node.module}.{each.name}"
                for each in node.names
                if not hasattr(found, each.name) and not is_module(f"{node.module}.{each.name}")
            ]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = modules.get(node.value.id)
            if found and found.__name__.split(".")[0] in OURS and not hasattr(found, node.attr):
                lost.append(f"{found.__name__}.{node.attr}")
    return lost


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_a_script_takes_from_the_package_is_there(path: Path) -> None:
    assert missing(ast.parse(path.read_text("utf-8")), loaded(path)) == []


def test_a_name_that_is_gone_is_found() -> None:
    text = "from foretell.search import Knowledge, Wisdom\nshortcuts.away()\ndef f():\n  from foretell.errors import No"
    lost = missing(ast.parse(text), sys.modules[__name__])
    assert sorted(lost) == ["benchmarks.shortcuts.away", "foretell.errors.No", "foretell.search.Wisdom"]


def rows(capsys) -> list[list[str]]:
    """The rows of the tables that were printed."""
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("| ")]


def test_kinds_of_search_are_compared(capsys) -> None:
    search.quality(12, 3, deep=5)
    found = rows(capsys)
    assert [row[0] for row in found if row[0] in ("words (BM25)", "vectors", "both")] == [
        "words (BM25)",
        "vectors",
        "both",
    ]
    assert all(float(row[1].split()[0]) > 0.5 for row in found[2:])


def test_stores_are_measured_as_they_grow(capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    stores.growth([300])
    costs, recalls = (row for row in rows(capsys) if row[0] == "300")
    assert float(costs[1]) > 0
    assert recalls[1:] == ["1.000"] * 5  # so few are all compared


def test_documents_are_read(capsys) -> None:
    ingest.main(pages=3)
    assert capsys.readouterr().out.startswith("3 pages: ")


def test_shortcuts_are_found(capsys) -> None:
    shortcuts.main(rows=200, width=8, draws=2, steps=5, rounds=1)
    assert len(rows(capsys)) > 2


def test_outlines_are_held_against_masks(tmp_path, capsys) -> None:
    square = [10.0, 10.0, 70.0, 10.0, 70.0, 70.0, 10.0, 70.0]
    each = {"iscrowd": 0, "area": 3600.0, "bbox": [10.0, 10.0, 60.0, 60.0], "segmentation": [square]}
    (tmp_path / "instances.json").write_text(json.dumps({"annotations": [each]}))
    contours.main(tmp_path / "instances.json")
    shares = [float(cell.split()[0]) for row in rows(capsys)[2:] for cell in row[1:4]]
    assert min(shares) > 0.9
