"""`import foretell` costs no more than `import torch`, and what needs no model waits for none."""

import subprocess
import sys

import pytest

LOADED = """
import sys, torch
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
HEAVY = {"torchvision", "matplotlib", "pyarrow", "av", "pydantic", "tyro", "rich", "huggingface_hub"}


def loaded(module: str) -> set[str]:
    code = LOADED.format(module=module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_foretell_imports_nothing_that_torch_does_not():
    assert loaded("foretell") <= {"foretell", "jaxtyping", "wadler_lindig"}


def test_the_models_need_torch_alone():
    assert not loaded("foretell.methods") & (HEAVY | {"beartype"})


TEXTS = """
import pathlib, sys
from foretell.search import Knowledge
folder = pathlib.Path(sys.argv[1])
(folder / "files").mkdir()
(folder / "files" / "a.txt").write_text("A tower stands in Paris.")
with Knowledge.create(folder / "store", "k") as knowledge:
    knowledge.add(folder / "files")
    knowledge.insert(["Bread is baked of flour and water."])
    assert knowledge.search("Where is the tower?", 1, rerank=True, hybrid=True)[0].metadata["source"] == "a.txt"
    knowledge.export(folder / "k.parquet")
Knowledge.import_(folder / "other", folder / "k.parquet").close()
print(*sorted({"torch", "torchvision", "foretell.data", "foretell.hub"} & set(sys.modules)))
"""


def test_search_on_texts_imports_no_torch(tmp_path):
    run = subprocess.run([sys.executable, "-c", TEXTS, tmp_path], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


ASKED = """
import sys, time
from foretell.cli import main
main(sys.argv[1:])
print(time.process_time(), "torch" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], ["models"], ["models", "iwm-mini"], ["--version"]], ids=" ".join)
def test_what_lists_something_takes_less_than_a_second_of_the_processor(words):
    run = subprocess.run([sys.executable, "-c", ASKED, *words], capture_output=True, text=True, check=True)
    seconds, torch = run.stderr.split()
    assert torch == "False"
    assert float(seconds) < 1
    assert run.stdout
