"""Several places as one data set: their order, samples that count twice, and labels that are lost."""

import pytest
import torch

from foretell.data import Clips, EpisodeClips, load
from foretell.errors import ForetellError

from .conftest import film, reader


def greys(images):
    return images.take(range(len(images)))[:, 0, 0, 0].tolist()


@pytest.fixture
def places(tmp_path, encoded):
    """Two folders of three and of two images, each image of a grey of its own."""
    for number, name in enumerate(["a/x/0.png", "a/x/1.png", "a/y/2.png", "b/x/3.png", "b/y/4.png"]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(10 * number))
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture
def clips(tmp_path):
    return reader(load, Clips, tmp_path / "cache", size=8, frames=8)


def test_one_set_lies_behind_the_other(places, read):
    images = read(places)
    assert greys(images) == [0, 10, 20, 30, 40]
    assert images.classes == ("x", "y")
    assert images.labels.tolist() == [0, 0, 1, 0, 1]


def test_any_order_of_rows_is_found(places, read):
    images = read([*places, places[0]])
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0)).tolist()
    assert images.take([*order, -1])[:, 0, 0, 0].tolist() == [[0, 10, 20, 30, 40, 0, 10, 20][i] for i in [*order, -1]]
    assert greys(images.subset([7, 4, 0])) == [20, 40, 0]
    assert images.take([]).shape == (0, 3, 4, 4)
    assert [picture[0, 0, 0] for picture in images.pixels] == [0, 10, 20, 30, 40, 0, 10, 20]
    assert (images.pixels[-1][0, 0, 0], images.pixels[2:4][:, 0, 0, 0].tolist()) == (20, [20, 30])


def test_a_place_that_comes_twice_counts_twice(places, read):
    twice, once = read([places[0], places[0]]), read([places[0]])
    assert greys(twice) == 2 * greys(once)
    assert once.fingerprint == read(places[0]).fingerprint != twice.fingerprint


def test_the_order_of_places_is_part_of_the_fingerprint(places, read):
    assert read(places).fingerprint == read(places).fingerprint != read(places[::-1]).fingerprint


def test_other_classes_leave_no_labels(places, read, tmp_path, encoded):
    for name in "zw":
        (tmp_path / "c" / name).mkdir(parents=True)
        (tmp_path / "c" / name / "0.png").write_bytes(encoded(9))
    images = read([places[0], tmp_path / "c"])
    assert (images.labels, images.classes, len(images)) == (None, (), 5)


def test_what_is_skipped_is_told_of_all(places, read):
    for place in places:
        (place / "x" / "bad.png").write_text("no picture")
    assert [each.name for each in read(places).skipped] == ["x/bad.png", "x/bad.png"]


def test_a_missing_place_among_several_is_named(places, read):
    with pytest.raises(ForetellError, match=r"nowhere.*not found"):
        read([places[0], "/nowhere"])
    with pytest.raises(ForetellError, match="one or more"):
        read([])


def test_scenes_keep_their_pace_among_films(tmp_path, clips):
    path = film(tmp_path / "films/a.mp4", 20, grey=10)
    both = clips(["scenes:8", str(path.parent)], stride=2, clips=3)
    assert len(both) == 8 + 3
    assert torch.equal(both.take(range(8)), clips("scenes:8").take(range(8)))
    step = both.take([8]).float().mean((0, 1, 3, 4)).diff()
    assert step.mean().item() == pytest.approx(20, abs=3)  # every second frame
    with pytest.raises(ForetellError, match=r"4 a second.*another pace \(fps None, stride 2\)"):
        clips("scenes:8", stride=2)
    with pytest.raises(ForetellError, match="another pace"):
        clips(["scenes:8"], stride=2)  # one place is not several
    assert len(clips("scenes:8", clips=3)) == 8
    assert torch.equal(clips("scenes:8", fps=4.0).take([0]), both.take([0]))  # their own: eight frames, two seconds


def test_episodes_are_joined_with_their_steps(tmp_path):
    read = reader(load, EpisodeClips, tmp_path / "cache", size=8, frames=4)
    for folder, scale in (("one", 1), ("two", 100)):
        film(tmp_path / folder / "a.mp4", 6).with_suffix(".csv").write_text(
            "state_x,action_x\n" + "\n".join(f"{scale * k},{scale}" for k in range(6))
        )
    both = read([tmp_path / "one", tmp_path / "two"])
    for place, folder in enumerate(("one", "two")):
        alone, found = read(tmp_path / folder).batch([0]), both.batch([place])
        assert list(found) == ["pixels", "states", "actions"]
        assert all(torch.equal(found[name], alone[name]) for name in found)

    film(tmp_path / "three/a.mp4", 6).with_suffix(".csv").write_text("state_y,action_x\n" + "0,0\n" * 6)
    with pytest.raises(ForetellError, match=r"\(state_x, action_x\) and \(state_y, action_x\)"):
        read([tmp_path / "one", tmp_path / "three"])
