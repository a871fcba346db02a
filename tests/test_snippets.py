"""The shell snippets of README and docs are commands as they are, and README tells the verdicts as they are."""

import re
import shlex
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from foretell import hub
from foretell.cli import COMMANDS, main
from foretell.cli.flags import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NUMBERS = {"N": "1", "S": "1", "DAYS": "1", "METHOD": "iwm"}
"""What stands in a snippet for a number, and for one of several words."""


def lines(page: Path) -> list[list[str]]:
    """The words of each command of a page, with all that its brackets leave to choice."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\| [^\]]*(?=\])", "", line)  # of alternatives, the first
            line = re.sub(r"\[(--[^\]]*|DIR)\]", r"\1", line).replace(" ...", "").split(" >> ")[0]
            found.append([NUMBERS.get(word, word) for word in shlex.split(line, comments=True)])
    return [words for words in found if words]


SNIPPETS = [(page.name, words) for page in PAGES for words in lines(page)]
OURS = [(page, words[1:]) for page, words in SNIPPETS if words[0] == "foretell"]


class Understood(Exception):
    """The words of a command were understood; what they ask for is not done."""


@pytest.fixture(scope="module")
def model():
    return hub.load("iwm-mini")


@pytest.fixture(autouse=True)
def _only_understood(monkeypatch, tmp_path, model):
    def understood(*args, **more):
        parse(*args, **more)
        raise Understood

    monkeypatch.chdir(tmp_path)
    Path("OTHER").mkdir()
    Path("OTHER/config.json").write_text('{"method": "iwm", "model": {}}')
    monkeypatch.setattr(hub, "load", lambda *_: model)  # the changes that it knows are flags of `imagine`
    for name in (*COMMANDS, "store"):
        module = import_module(f"foretell.cli.{name}")
        if hasattr(module, "parse"):
            monkeypatch.setattr(module, "parse", understood)


@pytest.mark.parametrize(("page", "words"), OURS, ids=[f"{page}: {shlex.join(words)}" for page, words in OURS])
def test_a_command_of_the_docs_is_understood(page, words, capsys):
    if words[0] == "--completion":
        main(words)
    else:
        with pytest.raises(Understood):
            main(words)


def test_a_flag_that_is_gone_is_found(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "MODEL", "--data", "DATA", "--gone"])
    assert "--gone" in capsys.readouterr().err


def test_other_snippets_name_what_there_is():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for _, words in SNIPPETS:
        if words[0] == "make":
            assert words[1] in targets
        elif words[:2] == ["pip", "install"]:
            assert set(re.findall(r"[a-z]+", "".join(re.findall(r"\[(.*?)\]", " ".join(words))))) <= extras.keys()
        elif words[:2] == ["python", "-m"]:
            assert find_spec(words[2])


def test_the_readme_tells_the_verdicts_of_the_claims():
    verdicts = dict(re.findall(r"^\| \[.*?\]\(#(.*?)\): .*? \| \*\*([a-z ]+)\*\* \|", PAGE.read_text("utf-8"), re.M))
    told = re.findall(r"\[([^\]]*)\]\(docs/claims\.md#(.*?)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(told) > 5
    assert [(said, name) for said, name in told if said != verdicts[name]] == []


PAGE = ROOT / "docs" / "claims.md"
