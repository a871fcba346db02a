"""The code of docs/agents.md, as it stands there."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.agents.test_http import Door

from foretell.cli import main
from foretell.http.settings import ServiceSettings

GUIDE = Path(__file__).parents[2] / "docs" / "agents.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A service in the folder in which the guide is followed."""
    monkeypatch.chdir(tmp_path)
    door = Door(tmp_path / "store", ServiceSettings(rate=0))
    yield door
    door.close()


def commands(block):
    """The commands of a block, each as words."""
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_guide_can_be_followed(place, monkeypatch, capsys):
    pytest.importorskip("langchain_core", reason="needs the extra langchain")
    pytest.importorskip("llama_index.core", reason="needs the extra llamaindex")
    here = f"localhost:{place.port}"
    ran = []
    for kind, block in BLOCKS:
        block = block.replace("localhost:8000", here)
        if kind == "json":
            assert json.loads(block)["mcpServers"]["foretell"]["command"] == "foretell"
        elif kind == "python":
            exec(block, {})
            ran.append(capsys.readouterr().out)
        elif block.startswith("curl"):
            if shutil.which("curl"):
                done = subprocess.run(["sh", "-c", block], capture_output=True, text=True, check=True)
                ran.append(done.stdout)
        elif not block.startswith("foretell serve"):
            for words in commands(block):
                assert words[0] == "foretell"
                main(words[1:])
                told = capsys.readouterr().out
                if words[1] == "keys":
                    monkeypatch.setenv("KEY", told.strip())
                ran.append(told)
    assert "The tower of Pisa leans." in ran[2]
    assert "cosines of one model" in ran[3]
    assert "papers" in ran[4]
    if shutil.which("curl"):
        assert json.loads(ran[5])["results"][0]["text"] == "The tower of Pisa leans."
        assert len(json.loads(ran[-1])["data"][0]["embedding"]) == 384
    assert any("A world model predicts latents. papers" in each for each in ran)


def test_the_guide_names_every_tool():
    from foretell.agents.server import TOOLS

    named = set(re.findall(r"`(\w+)`", GUIDE.read_text(encoding="utf-8")))
    assert {tool.tool for tool in TOOLS} <= named
