import importlib
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
import torch

from foretell import cli
from foretell.claims import CLAIMS, Arm, Claim, Data, Expect, details, estimate, overview, page, recorded, run
from foretell.claims.measures import probes, some
from foretell.data import Images, train_test
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.recipes import Recipe
from foretell.train.loop import TrainConfig

TINY = Recipe(
    IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2)),
    TrainConfig(steps=2, batch=4, monitor_every=0, precision="fp32"),
)


def unmeasured(model: Method, data: Data, seed: int) -> dict[str, float]:
    return {}


def claim(measure: object, **changes: object) -> Claim:
    other = replace(TINY, train=replace(TINY.train, lr=5e-4))
    arms = {"a": Arm(TINY, measure), "b": Arm(TINY, measure), "c": Arm(other, measure)}  # type: ignore[arg-type]
    found = Claim("tiny", "a beats b.", "ours", "none", "tiny", arms, (Expect("score", "a", "b"),))
    return replace(found, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data() -> Data:
    return Data(*train_test("photographs", 16, progress=False))


def test_an_interval_is_students() -> None:
    """1, 2, 3: mean 2, s = 1, t(0.975, 2) = 4.3027, half width 4.3027 / √3 = 2.4841."""
    found = estimate([1.0, 2.0, 3.0])
    assert (found.value, found.seeds) == (2.0, 3)
    assert found.low == pytest.approx(2 - 2.4841, abs=1e-4)
    assert found.high == pytest.approx(2 + 2.4841, abs=1e-4)
    assert estimate([1.0]).high == float("inf")


@pytest.mark.parametrize(
    ("a", "b", "by", "verdict"),
    [
        ((0.5, 0.51, 0.52), (0.3, 0.31, 0.33), 0.0, "holds"),
        ((0.3, 0.31, 0.33), (0.5, 0.51, 0.52), 0.0, "fails"),
        ((0.5, 0.3, 0.4), (0.4, 0.4, 0.4), 0.0, "undecided"),
        ((0.50, 0.51, 0.52), (0.505, 0.516, 0.525), -0.02, "holds"),  # at most 0.02 smaller
        ((0.50, 0.51, 0.52), (0.3, 0.31, 0.33), 0.3, "fails"),
        ((0.5,), (0.1,), 0.0, "undecided"),  # one seed shows nothing
    ],
)
def test_the_interval_of_the_paired_difference_decides(
    a: tuple[float, ...], b: tuple[float, ...], by: float, verdict: str
) -> None:
    results = {arm: {s: {"score": v} for s, v in enumerate(values)} for arm, values in (("a", a), ("b", b))}
    expect = Expect("score", "a", "b", by)
    assert expect.judge(results)[1] == verdict
    assert claim(unmeasured, expects=(expect,)).verdict(results) == verdict


def test_one_failure_decides_and_one_doubt_leaves_it_open() -> None:
    good, bad, open_ = ({0: {"score": x}, 1: {"score": x + d}} for x, d in ((3.0, 0.0), (1.0, 0.0), (2.0, 4.0)))
    results = {"a": good, "b": bad, "c": open_}
    assert (
        claim(unmeasured, expects=(Expect("score", "a", "b"), Expect("score", "a", "c"))).verdict(results)
        == "undecided"
    )
    assert claim(unmeasured, expects=(Expect("score", "b", "a"), Expect("score", "a", "c"))).verdict(results) == "fails"


def test_arms_alike_share_a_training_and_nothing_is_done_twice(data: Data, tmp_path: Path) -> None:
    calls: list[tuple[float, int]] = []

    def measure(model: Method, data: Data, seed: int) -> dict[str, float]:
        weights = sum(p.double().sum().item() for p in model.parameters())
        calls.append((weights, seed))
        return {"score": weights}

    results = run(claim(measure), lambda model, spec: data, tmp_path, (0, 1))
    assert len(calls) == 4
    assert results["a"] == results["b"]
    assert results["a"] != results["c"]
    assert results["a"][0] != results["a"][1]
    assert len(list((tmp_path / "trainings").iterdir())) == 4
    assert run(claim(measure), lambda model, spec: data, tmp_path, (0, 1)) == results
    assert len(calls) == 4
    saved = json.loads((tmp_path / "tiny.json").read_text())
    assert saved["verdict"] == "undecided"
    assert saved["results"]["a"]["1"] == results["a"][1]


def test_an_interrupted_claim_goes_on(data: Data, tmp_path: Path) -> None:
    seen: list[int] = []

    def measure(model: Method, data: Data, seed: int) -> dict[str, float]:
        seen.append(seed)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return {"score": float(len(seen))}

    with pytest.raises(KeyboardInterrupt):
        run(claim(measure), lambda model, spec: data, tmp_path, (0, 1))
    results = run(claim(measure), lambda model, spec: data, tmp_path, (0, 1))
    assert [results[arm][0]["score"] for arm in "abc"] == [1.0, 1.0, 2.0]
    assert seen == [0, 0, 1, 1, 1]


def test_seeds_are_added_to_what_is_recorded(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    def measure(model: Method, data: Data, seed: int) -> dict[str, float]:
        trained.append(seed)
        return {"score": float(seed)}

    def find(model: object, spec: str | None) -> Data:
        return data

    module = importlib.import_module("foretell.claims.run")  # in its package, the name is the function's
    monkeypatch.setattr(module, "RECORDS", tmp_path / "recorded")
    with pytest.raises(ForetellError, match="tiny has no record to add seeds to"):
        run(claim(measure), find, tmp_path / "new", (0, 1), add=True)

    first = run(claim(measure), find, tmp_path / "recorded", (0,))
    trained.clear()
    both = run(claim(measure), find, tmp_path / "new", (0, 1), add=True)
    assert set(trained) == {1}
    assert {arm: by[0] for arm, by in both.items()} == {arm: by[0] for arm, by in first.items()}
    saved = json.loads((tmp_path / "new/tiny.json").read_text())["results"]
    assert [set(by) for by in saved.values()] == [{"0", "1"}] * 3

    run(claim(measure), find, tmp_path / "newer", (0,), add=True)  # nothing is missing
    assert json.loads((tmp_path / "newer/tiny.json").read_text()) == json.loads(
        (tmp_path / "recorded/tiny.json").read_text()
    )

    fewer = Data(data.train.subset(torch.arange(4)), data.test)
    with pytest.raises(ForetellError, match=r"recorded on other data than yours .data"):
        run(claim(measure), lambda model, spec: fewer, tmp_path / "new", (0, 1), add=True)

    def transfer(model: object, spec: str | None) -> Data:
        return Data(data.train, data.test, given)

    given = data
    run(claim(measure), transfer, tmp_path / "recorded", (0,))
    run(claim(measure), find, tmp_path / "without", (0,), add=True)  # which of two claims needs it, its measure knows
    given = fewer
    with pytest.raises(ForetellError, match=r"recorded on other data than yours .other"):
        run(claim(measure), transfer, tmp_path / "new", (0, 1), add=True)


def test_what_another_process_is_at_comes_last(data: Data, tmp_path: Path) -> None:
    seeds: list[int] = []
    held, free = threading.Event(), threading.Event()

    def measure(model: Method, data: Data, seed: int) -> dict[str, float]:
        seeds.append(seed)
        if len(seeds) == 7:
            free.set()
        return {"score": float(seed)}

    def hold(lock: Path) -> None:
        with filelock.FileLock(lock):
            held.set()
            assert free.wait(60)

    results = run(claim(measure), lambda model, spec: data, tmp_path, (0, 1))
    shutil.rmtree(tmp_path / "measured")
    assert seeds == [0, 0, 1, 1]
    first = min((tmp_path / "locks").iterdir(), key=lambda lock: lock.stat().st_mtime_ns)
    other = threading.Thread(target=hold, args=(first,))
    other.start()
    assert held.wait(60)
    assert run(claim(measure), lambda model, spec: data, tmp_path, (0, 1)) == results
    assert seeds[4:] == [0, 1, 1, 0]
    other.join()


def test_every_claim_is_whole() -> None:
    assert len(CLAIMS) >= 10
    for name, found in CLAIMS.items():
        assert found.name == name
        assert found.expects
        for expect in found.expects:
            assert {expect.larger, expect.smaller} <= found.arms.keys()
        if results := recorded(found):
            assert found.arms.keys() == results.keys()
            assert found.verdict(results) in details(found, results)


def test_the_page_is_what_the_records_say() -> None:
    """docs/claims.md is made by `python tools/claims.py`."""
    assert (Path(__file__).parents[2] / "docs/claims.md").read_text(encoding="utf-8") == page(CLAIMS)


def test_the_command_lists_shows_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["claims"])
    assert "iwm-jitter" in capsys.readouterr().out
    cli.main(["claims", "iwm-jitter"])
    assert "Garrido" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        cli.main(["claims", "run", "nonsense", "--data", "photographs"])
    assert "'nonsense' is not a claim" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["claims", "run", "iwm-jitter"])
    assert "iwm-jitter needs labelled images" in capsys.readouterr().err


def test_measures_take_what_there_is(data: Data) -> None:
    torch.manual_seed(0)
    values = probes(IJEPA(TINY.model), data, 0)
    assert 0 <= values["linear"] <= 1
    assert len(some(data.train, 5, 0)) == 5
    assert isinstance(some(data.train, 10**9, 0), Images)
    assert overview([claim(unmeasured)]).splitlines()[0] == "Of 1 findings 1 were not run."
    assert overview([claim(unmeasured)]).count("\n") == 4
