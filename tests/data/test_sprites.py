"""Sprites: those that ship, and those of a folder."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from foretell.data import sprites
from foretell.errors import ForetellError


def outlined(path, size=(30, 20), colour=(200, 40, 40, 255)):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGBA", size)
    picture.paste(colour, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    picture.save(path)


def test_those_that_ship():
    found = sprites.load()
    assert found is sprites.load()
    assert found.pixels.shape == (len(found), 64, 64, 4)
    assert len(found.names) == len(found.thing) == len(found.held_out) == len(found) > 300
    assert (found.pixels[..., 3] > 127).any((1, 2)).all()
    assert (found.pixels[..., 3] < 128).any((1, 2)).all()
    assert 30 < found.held_out.sum() < 60
    assert found.pictures("dog").shape == (3, 64, 64, 4)
    assert len(found.pictures("dog", held_out=True)) == 1
    assert (sprites.FOLDER / "sheet.webp").stat().st_size < 1.5e6
    assert "Apache" in (sprites.FOLDER / "NOTICE").read_text()


def test_a_word_names_one_thing():
    words = Counter(word for thing in sprites.load().things for word in (*thing.words, *thing.held_out_words))
    assert max(words.values()) == 1
    assert all(thing.words for thing in sprites.load().things)


def test_every_thing_has_a_picture_to_learn_from():
    found = sprites.load()
    assert set(found.thing[~found.held_out].tolist()) == set(range(len(found.things)))


def test_no_such_thing():
    with pytest.raises(ForetellError, match="no thing 'doog' among the sprites"):
        sprites.load().pictures("doog")


def test_those_of_a_folder(tmp_path):
    for number in range(1, 6):
        outlined(tmp_path / "own" / "Animal" / f"red_fox-{number}.png")
    outlined(tmp_path / "own" / "ball.png", colour=(10, 20, 30, 255))
    found = sprites.load(tmp_path / "own")
    assert [(thing.name, thing.kinds, thing.words) for thing in found.things] == [
        ("red fox", ("animal",), ("red fox",)),
        ("ball", (), ("ball",)),
    ]
    assert found.held_out.tolist() == [False, False, False, False, True, False]
    ball = found.pictures("ball")[0]
    assert ball[32, 32].tolist() == [10, 20, 30, 255]
    assert not ball[0, 0, 3]
    outlined(tmp_path / "own" / "ball.png", colour=(11, 20, 30, 255))
    assert sprites.load(tmp_path / "own").fingerprint != found.fingerprint


def test_bad_folders_are_a_sentence(tmp_path):
    cases = {tmp_path / "nowhere": "not found, expected transparent pictures"}
    (tmp_path / "empty").mkdir()
    cases[tmp_path / "empty"] = "no picture that may be transparent"
    outlined(tmp_path / "number" / "12.png")
    cases[tmp_path / "number"] = "its name holds no word"
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "dog.png").write_bytes(b"no picture")
    cases[tmp_path / "damaged"] = "dog.png: cannot be read as a picture"
    (tmp_path / "full").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "full" / "dog.png")
    cases[tmp_path / "full"] = "no part of it is transparent"
    (tmp_path / "void").mkdir()
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "void" / "dog.png")
    cases[tmp_path / "void"] = "all of it is transparent"
    for folder, said in cases.items():
        with pytest.raises(ForetellError, match=said):
            sprites.load(folder)
