"""The Python code of docs/training.md."""

import re
from pathlib import Path

from foretell.data.photographs import CROPS

GUIDE = Path(__file__).parents[2] / "docs" / "training.md"


def test_the_snippets_of_the_guide_run(tmp_path, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(CROPS, "train", 4)
    monkeypatch.setitem(CROPS, "test", 2)
    snippets = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    assert len(snippets) == 2
    found = {}
    for snippet in snippets:
        found = {"out": tmp_path / "run"}
        exec(snippet, found)
    assert (found["images"].classes, len(found["images"])) == (("a", "b", "c", "d"), 64)
    assert (tmp_path / "run" / "model.safetensors").exists()
