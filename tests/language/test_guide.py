"""The Python code of docs/language.md."""

import re
from pathlib import Path

from PIL import Image
from tests.answering import Saying, SayingConfig

from foretell import hub

GUIDE = Path(__file__).parents[2] / "docs" / "language.md"


def test_the_code_runs_as_it_stands_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reply = "<b_st><bin_100><bin_100><bin_500><bin_500><b_ed>"
    hub.save(Saying(SayingConfig(reply=reply)), tmp_path / "runs" / "vista")
    Image.new("RGB", (60, 40), "red").save("photo.png")
    sections = GUIDE.read_text(encoding="utf-8").split("\n## ")
    names = {}
    for section in sections:
        if section.startswith(("Places as tokens", "Questions\n", "Asking")):  # "The model" trains one
            for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
                exec(compile(code, str(GUIDE), "exec"), names)
    assert len(names["answer"].boxes) == 1
    assert Path("drawn.png").stat().st_size > 1000
