"""Texts with a model that counts two words, in the place of a text model of the search half."""

import json

import numpy as np
import pytest

from foretell.cli import main, sentences


class Counting:
    """Tells how often a text says each of some words."""

    def passages(self, texts):
        return np.array([[text.count(word) for word in ("fool", "church", "day")] for text in texts], np.float64)


@pytest.fixture
def comments(tmp_path, monkeypatch):
    """CivilComments as WILDS has it: rude texts mention an identity more often, but for the test set."""
    monkeypatch.setattr(sentences, "text_model", lambda name, path: Counting())
    chance = np.random.default_rng(0)
    lines = ["comment_text,toxicity,split," + ",".join(sentences.IDENTITIES)]
    for row in range(600):
        split = ("train", "train", "val", "test")[row % 4]
        rude = chance.random() < 0.5
        named = chance.random() < (0.5 if split == "test" else 0.9 if rude else 0.1)
        words = ["fool"] * int(rude and chance.random() < 0.8) + ["church"] * named + ["day"] * int(chance.integers(4))
        shares = ["0.8" if named and name == "christian" else "0.0" for name in sentences.IDENTITIES]
        lines.append(",".join([" ".join(words), "0.7" if rude else "0.1", split, *shares]))
    lines.append(f"what,,train,{','.join(['0'] * 8)}")
    (tmp_path / "comments.csv").write_text("\n".join(lines))
    return tmp_path / "comments.csv"


def test_environments_of_texts_are_found_and_trained_on(comments, tmp_path, capsys):
    found, run = tmp_path / "found", tmp_path / "run"
    main(f"discover {comments} --features counting --out {found} --steps 60 --draws 2 --seeds 2 --json".split())
    report = json.loads(capsys.readouterr().out)
    assert sum(map(sum, report["environments"].values())) == 300  # those to learn from
    assert set(report["environments"]) == {"not toxicity", "toxicity"}
    assert report["skipped"] == 1
    assert "purity" in report  # whether an identity is mentioned
    groups = found / "environments.parquet"
    main(f"robust {comments} --features counting --groups {groups} --draws 0 --steps 40 --out {run} --json".split())
    report = json.loads(capsys.readouterr().out)
    assert set(report["groups"]) == {f"{y}/{a}" for y in ("not toxicity", "toxicity") for a in ("identity", "none")}
    assert sum(each["rows"] for each in report["groups"].values()) == 150  # those to test on, and not those to validate


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("robust {0} --groups label --features counting --mode encoder", "--mode finetunes a model of pictures"),
        ("robust {1} --groups label --features counting", "expected a column `split` with train and test"),
        ("robust {0} --groups label --features counting --test {2}", "holds texts and {2} holds vectors"),
        ("robust {0} --groups place --features counting", "has no column 'place' for the group"),
        ("discover {3} --features counting", "no row has a label in column 'label'"),
        ("discover {4} --features counting", "no column of labels among text"),
    ],
)
def test_bad_texts_are_refused_in_a_sentence(comments, tmp_path, capsys, command, said):
    (tmp_path / "plain.csv").write_text("text,label\nwell,a\nfool,b\n" * 1)
    np.savez(tmp_path / "vectors.npz", features=np.ones((4, 2)), labels=np.arange(4) % 2)
    (tmp_path / "empty.csv").write_text("text,label\nwell,\nfool,\n")
    (tmp_path / "bare.csv").write_text("text\nwell\nfool\n")
    places = [comments, *(tmp_path / name for name in ("plain.csv", "vectors.npz", "empty.csv", "bare.csv"))]
    with pytest.raises(SystemExit):
        main([*command.format(*places).split(), "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert said.format(*places) in error
    assert "Traceback" not in error
