"""Laws of the source: one name has one meaning, and a function fits on a page."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import foretell

ROOT = Path(foretell.__file__).parent
LONGEST = 60
"""Lines of a function, without its docstring."""
ALIKE = {"Block": "a scene has blocks of wood and a transformer has blocks of layers: both are the field's words"}
"""Names with two meanings -> why."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def types(module: ast.Module) -> Iterator[str]:
    """Public classes and aliases of types that a module defines."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if not name.isupper():  # constants, and variables of types
                    yield name


def test_no_two_types_have_one_name():
    homes = defaultdict(set)
    for path, module in sources():
        if not path.startswith("cli/"):  # a class there has the flags of a command, and the command's name
            for name in types(module):
                if name[0].isupper():
                    homes[name].add(path)
    several = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1}
    assert several.keys() == ALIKE.keys(), several


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno
    first = function.body[0]
    whole = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None or first.end_lineno is None:
        return whole
    return whole - (first.end_lineno - first.lineno + 1)


def test_functions_are_short():
    long = {}
    for path, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines(node) > LONGEST:
                long[f"{path}: {node.name}"] = lines(node)
    assert not long
