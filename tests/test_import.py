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


DECODED = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from foretell.search.models import pictures
folder = Path(sys.argv[1])
frames = [Image.fromarray(np.full((8, 8, 3), 20 * n, np.uint8)) for n in range(8)]
frames[0].save(folder / "a.png")
frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=100)
cut, gif = {"size": 8, "frames": 4}, str(folder / "a.gif")
shapes = [[np.shape(value) for value in found] for found in (
    pictures.still(str(folder / "a.png"), 8), pictures.middle(gif, cut), pictures.whole(gif, 8, 4),
    ((clip for _, clip, _ in list(pictures.film(gif, cut))[1:])),
    (pixels for pixels, _ in pictures.photograph(str(folder / "a.png"), 8)),
)]
assert shapes == [[(3, 8, 8)], [(4, 3, 8, 8)], [(4, 3, 8, 8)], [(4, 3, 8, 8)] * 2, [(3, 8, 8)]], shapes
print(*sorted({"torch", "torchvision"} & set(sys.modules)))
"""


def test_the_process_that_decodes_pictures_and_videos_imports_no_torch(tmp_path):
    """It starts in a ninth of the time, and takes 30 MB, not 500."""
    run = subprocess.run([sys.executable, "-c", DECODED, tmp_path], capture_output=True, text=True)
    assert (run.stdout.split(), run.stderr) == ([], "")


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
