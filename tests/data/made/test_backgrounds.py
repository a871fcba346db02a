import numpy as np
import pytest

from foretell.data import GroupedPhotographs, Photographs, load
from foretell.data.made import backgrounds
from foretell.data.made.splits import HELD_OUT
from foretell.errors import ForetellError


def read(tmp_path, spec, reads=None, **more):
    return load(spec, reads or GroupedPhotographs(32), cache_dir=tmp_path, progress=False, **more)


def test_grounds_go_with_labels_in_training_and_with_nothing_in_the_test_set():
    dials = backgrounds.Dials(0.9, 0.2)
    drawn = [backgrounds.scene(index, dials, 0)[0] for index in range(3000)]
    assert np.mean([s.group == s.label for s in drawn]) == pytest.approx(0.9, abs=0.02)
    assert np.mean([s.kind != s.label for s in drawn]) == pytest.approx(0.2, abs=0.03)
    test = [backgrounds.scene(HELD_OUT + index, backgrounds.EVEN, 0)[0] for index in range(3000)]
    assert np.mean([s.group == s.label for s in test]) == pytest.approx(0.5, abs=0.03)
    assert all(s.kind == s.label for s in test)
    assert all(s.animal in backgrounds.ANIMALS[s.kind] and s.ground in backgrounds.GROUNDS[s.group] for s in drawn)


def test_no_pixel_of_a_photograph_is_in_both_parts():
    for ground in (ground for kind in backgrounds.GROUNDS for ground in kind):
        for a in ground.train:
            for b in ground.test:
                assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])
        for left, top, right, bottom in (*ground.train, *ground.test):
            assert min(right - left, bottom - top) >= backgrounds.SIDE


def test_pictures_come_with_groups_and_files(tmp_path):
    train, test = (read(tmp_path, "backgrounds:32:correlation=1", split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (32, 4)
    assert train.classes == ("bird", "mammal")
    assert train.names["groups"] == ("sky", "land")
    assert (train.batch(range(32))["groups"] == train.labels).all()
    assert train.take([0]).shape == (1, 3, 32, 32)
    facts = train.subset([5, 3]).facts()
    assert facts.files[0].endswith(", 5")
    assert facts.widths.tolist() == [64, 64]
    again = read(tmp_path / "other", "backgrounds:32:correlation=1")
    assert again.fingerprint == train.fingerprint
    plain = read(tmp_path, "backgrounds:32:correlation=1", Photographs(32))
    assert (plain.labels == train.labels).all()
    assert (plain.take([7]) == train.take([7])).all()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("backgrounds:many", "expected backgrounds, or backgrounds:N"),
        ("backgrounds:8:colour=1", "there is no dial 'colour', expected correlation, noise or test"),
        ("backgrounds:8:correlation=2", "correlation is 2, expected 0.5 to 1"),
        ("backgrounds:8:noise=lots", "noise is 'lots', expected a number"),
    ],
)
def test_dials_that_cannot_be_are_refused(tmp_path, spec, said):
    with pytest.raises(ForetellError, match=said):
        read(tmp_path, spec)
