"""Methods from files and packages: the example of CONTRIBUTING.md, and the limits of a run."""

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import foretell
from foretell import registry
from foretell.cli import main
from foretell.errors import ForetellError
from foretell.methods import METHODS, begin
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

TINY = (
    "--model.encoder.image-size 16 --model.encoder.patch-size 4 --model.encoder.width 24 --model.encoder.depth 1 "
    "--model.encoder.heads 2 --model.predictor.width 12 --model.predictor.depth 1 --model.predictor.heads 2 "
    "--steps 3 --batch 8 --monitor-every 0 --device cpu"
).split()


@pytest.fixture(autouse=True)
def forgotten():
    """Methods and modules of a test are gone after it."""
    methods, recipes, modules = dict(METHODS), dict(registry._recipes), set(sys.modules)
    yield
    for known, before in ((METHODS, methods), (registry._recipes, recipes)):
        known.clear()
        known.update(before)
    for name in set(sys.modules) - modules:
        if name.startswith(("foretell_method_", "other_half", "broken")):
            del sys.modules[name]


def forget():
    """As a new process would begin."""
    for name in [name for name, entry in METHODS.items() if registry.source(name)]:
        del METHODS[name]
    for name in [name for name in sys.modules if name.startswith(("foretell_method_", "other_half"))]:
        del sys.modules[name]


def written() -> str:
    """The method that CONTRIBUTING.md walks through."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine" / "other_half.py"
    path.parent.mkdir()
    path.write_text(written(), encoding="utf-8")
    return path


@pytest.fixture
def photos(tmp_path):
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for n in range(16):
        folder = tmp_path / "photos" / f"class{n % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{n}.png")
    return tmp_path / "photos"


def test_the_walk_of_contributing(file, photos, tmp_path, capsys):
    place, run = f"{file}:OtherHalf", tmp_path / "run"
    main(["train", place, "--data", str(photos), "--out", str(run), *TINY])
    config = json.loads((run / "config.json").read_text())
    assert config["method"] == "other-half"
    assert config["source"] == place
    assert f"--method {place}" in capsys.readouterr().err

    forget()
    with pytest.raises(ForetellError, match=f"config.json: method is 'other-half'.*came from {place}: if you trust"):
        foretell.load(run)
    assert "other-half" not in METHODS  # refusing it has run nothing

    main(["evaluate", str(run), "--data", str(photos), "--json", "--method", place])
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["method"] == "OtherHalf"

    model = foretell.load(run)
    assert type(model).__name__ == "OtherHalf"
    assert model.features(torch.rand(2, 3, 16, 16)).shape == (2, 24)
    views = model.views(foretell_batch(), torch.Generator().manual_seed(0))
    assert views.context_index[0].tolist() == [0, 1, 4, 5, 8, 9, 12, 13]  # the left half of 4 × 4
    assert views.target_index[0].tolist() == [[2, 3, 6, 7, 10, 11, 14, 15]]

    main(["train", place, "--data", str(photos), "--out", str(run), *TINY, "--steps", "5", "--resume"])
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1] == 5


def foretell_batch():
    from foretell.data import Batch

    return Batch(pixels=torch.zeros(2, 3, 20, 20, dtype=torch.uint8))


def test_a_run_whose_file_has_moved_goes_on(file, photos, tmp_path):
    run, moved = tmp_path / "run", tmp_path / "elsewhere.py"
    main(["train", f"{file}:OtherHalf", "--data", str(photos), "--out", str(run), *TINY])
    forget()
    file.rename(moved)
    main(["train", f"{moved}:OtherHalf", "--data", str(photos), "--out", str(run), *TINY, "--steps", "4", "--resume"])
    assert json.loads((run / "config.json").read_text())["source"] == f"{moved}:OtherHalf"


def test_its_help_has_its_own_flags_and_the_recipes_text(file, capsys):
    for flag, all_of_them in (("--help", False), ("--help-all", True)):
        with pytest.raises(SystemExit) as stop:
            main(["train", f"{file}:OtherHalf", flag])
        assert stop.value.code == 0
        said = capsys.readouterr().out
        assert "The other half of your own photographs" in said
        assert "--steps" in said
        assert ("--model.crop" in said) == all_of_them


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package: its module and its metadata lie on the path, as pip leaves them."""
    site = tmp_path / "site"
    info = site / "other_half_method-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "other_half.py").write_text(written(), encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-half-method\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[foretell.methods]\nother-half = other_half:OtherHalf\n")
    monkeypatch.syspath_prepend(str(site))
    return site


def test_a_packages_method_is_trained_and_loaded_by_its_name(package, photos, tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "other-half" in capsys.readouterr().out
    assert "other_half" not in sys.modules  # help imports nothing of others

    run = tmp_path / "run"
    main(["train", "other-half", "--data", str(photos), "--out", str(run), *TINY])
    assert json.loads((run / "config.json").read_text())["source"] == "package other-half-method"
    forget()
    assert type(foretell.load(run)).__name__ == "OtherHalf"  # installed, so nothing needs to be named

    forget()
    shutil.rmtree(package)
    with pytest.raises(ForetellError, match="came from package other-half-method: install that package"):
        foretell.load(run)


def test_a_package_that_cannot_be_imported_harms_only_itself(package, capsys):
    (package / "other_half.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert registry.find("iwm") is METHODS["iwm"]
    with pytest.raises(ForetellError, match="'other-half' of package other-half-method cannot be imported: No module"):
        registry.find("other-half")
    (package / "other_half.py").write_text("class OtherHalf: pass\n")
    sys.modules.pop("other_half", None)
    with pytest.raises(ForetellError, match="does not register a method of that name"):
        registry.find("other-half")


def test_a_files_record_is_never_run(tmp_path, photos):
    """The author of a config.json does not decide which code runs."""
    trap, mark = tmp_path / "trap.py", tmp_path / "sprung"
    trap.write_text(f"open({str(mark)!r}, 'w')\n")
    folder = foretell.save(
        IJEPA(IJEPAConfig(ViTConfig(16, 4, 24, 1, 2), PredictorConfig(12, 1, 2))), tmp_path / "model"
    )
    config = json.loads((folder / "config.json").read_text())
    for source in (f"{trap}:Trap", "package os", "trap", 3, ["x"]):
        (folder / "config.json").write_text(json.dumps(config | {"method": "trap", "source": source}))
        with pytest.raises(ForetellError, match="method is 'trap'"):
            foretell.load(folder)
        assert not mark.exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{here}/none.py:Name", "there is no file"),
        ("{here}/broken.py:Name", "broken.py: it fails with ZeroDivisionError"),
        ("{here}/plain.py:Name", "plain.py has no Name"),
        ("{here}/plain.py:Plain", "Plain is not registered: decorate it"),
        ("{here}/taken.py:Taken", "the method 'iwm' is foretell.methods.iwm.IWM already"),
        ("{here}/plain.py:a b", "is not the place of a method, expected path/to/file.py:Name"),
    ],
)
def test_what_is_no_method_is_said(tmp_path, place, said):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "plain.py").write_text("class Plain: pass\n")
    taken = written().replace('"other-half"', '"iwm"').replace("class OtherHalf(", "class Taken(")
    (tmp_path / "taken.py").write_text(taken)
    shipped = METHODS["iwm"]
    with pytest.raises(ForetellError, match=said):
        registry.from_file(place.format(here=tmp_path))
    assert METHODS["iwm"] is shipped
    with pytest.raises(ForetellError, match=said):  # and once more: a failure leaves nothing behind
        registry.from_file(place.format(here=tmp_path))


@pytest.mark.parametrize(
    ("words", "said"),
    [("models --method", "expected FILE.py:NAME"), ("models --method=iwm", "expected path/to/file.py")],
)
def test_method_wants_a_place(words, said, capsys):
    with pytest.raises(SystemExit):
        main(words.split())
    assert said in capsys.readouterr().err


def test_methods_that_ship_have_no_source_and_one_name_each():
    shipped = {name: entry for name, entry in METHODS.items() if entry.kind.__module__.startswith("foretell.")}
    assert {"iwm", "vista"} <= shipped.keys()
    assert all(registry.source(name) is None for name in shipped)
    assert len({entry.kind for entry in shipped.values()}) == len(shipped)
    assert len({entry.config for entry in shipped.values()}) == len(shipped)


def test_a_configuration_of_no_method_is_refused():
    @dataclass(frozen=True)
    class Strange:
        pass

    with pytest.raises(ForetellError, match="Strange is not the configuration of a registered method"):
        begin(Strange())
