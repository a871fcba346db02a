"""Small pictures of entries: kept with them, moved with them, and deleted with them."""

import io
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from foretell import ForetellError
from foretell.data.images.decode import decode, decode_shown
from foretell.search import Draft, Knowledge, Store
from foretell.search.models import thumbnails
from foretell.search.storage.protocol import Addition

RED, GREEN = ((220, 20, 20), (20, 220, 20))


def opened(file):
    return Image.open(io.BytesIO(file)).convert("RGB")


def photograph(path, colour, size=(400, 200)):
    Image.new("RGB", size, colour).save(path)
    return path


def colour_of(file):
    return [round(float(value)) for value in np.asarray(opened(file)).mean((0, 1))]


def test_a_photograph_is_shown_whole_upright_and_small(tmp_path):
    image = Image.new("RGB", (400, 200), RED)
    image.paste(GREEN, (0, 0, 40, 200))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    pixels, small = decode_shown(tmp_path / "a.jpg", 64, thumbnails.SIDE)
    np.testing.assert_array_equal(pixels, decode(tmp_path / "a.jpg", 64))
    assert small.size == (80, 160)
    file = opened(thumbnails.of_picture(small))
    assert np.abs(np.subtract(file.getpixel((40, 4)), GREEN)).max() < 20  # the left end is now on top
    assert np.abs(np.subtract(file.getpixel((40, 100)), RED)).max() < 20


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "F"])
def test_every_kind_of_picture_has_one_and_none_grows(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode in ("I;16", "F", "CMYK") else "a.png")
    image = Image.new("L", (30, 20), 90)
    values = np.asarray(image).astype(np.uint16 if mode == "I;16" else np.float32)
    (Image.fromarray(values) if mode in ("I;16", "F") else image.convert(mode)).save(path)
    pixels, small = decode_shown(path, 8, thumbnails.SIDE)
    np.testing.assert_array_equal(pixels, decode(path, 8))
    assert (small.size, small.mode) == ((30, 20), "RGB")
    assert np.asarray(small).mean((0, 1)) == pytest.approx(pixels.mean((1, 2)), abs=3)


def test_frames_stand_side_by_side():
    frames = np.zeros((3, 3, 10, 10), np.uint8)
    frames[1] = 255
    strip = np.asarray(opened(thumbnails.of_frames(frames)))
    assert strip.shape == (10, 30, 3)
    assert [round(float(strip[:, a : a + 10].mean()) / 255) for a in (0, 10, 20)] == [0, 1, 0]
    assert thumbnails.frames_of(1) == (1, thumbnails.SIDE)
    assert thumbnails.frames_of(16) == (thumbnails.FRAMES, thumbnails.FRAME)


def test_photographs_have_thumbnails_from_ingest_to_removal(store, tmp_path):
    photograph(tmp_path / "red.png", RED)
    photograph(tmp_path / "green.png", GREEN)
    with Knowledge.create(store, "album", model="iwm-mini") as album:
        album.add(tmp_path / "red.png", tmp_path / "green.png")
        red, green = sorted(album.entries(), key=lambda entry: entry.metadata["source"], reverse=True)
        assert (red.has_thumbnail, green.has_thumbnail) == (True, True)
        assert all(hit.has_thumbnail for hit in album.search(tmp_path / "red.png"))
        file = album.thumbnail(red.id)
        assert opened(file).size == (160, 80)
        assert colour_of(file) == pytest.approx(RED, abs=6)
        album.update(red.id, metadata={"source": "red.png", "seen": True})
        assert album.thumbnail(red.id) == file
        photograph(tmp_path / "red.png", (20, 20, 220))
        album.add(tmp_path / "red.png")
        (blue,) = [entry for entry in album.entries() if entry.metadata["source"] == "red.png"]
        assert colour_of(album.thumbnail(blue.id)) == pytest.approx((20, 20, 220), abs=6)
        assert album.collection.thumbnails([red.id]) == {}
        album.export(tmp_path / "album.parquet")
        with Knowledge.import_(tmp_path / "other", tmp_path / "album.parquet") as moved:
            assert moved.thumbnail(green.id) == album.thumbnail(green.id)
        album.delete([green.id])
        assert album.collection.thumbnails([green.id, blue.id]).keys() == {blue.id}
        with pytest.raises(ForetellError, match="there is no entry"):
            album.thumbnail(green.id)
    Knowledge.remove(store, "album")
    with closing(Store(store)) as left, left.read() as c:
        assert c.execute("SELECT name FROM sqlite_master WHERE name LIKE 'thumbnail%'").fetchall() == []


def kept_through_everything(store):
    """What every store does with thumbnails. Vectors alone: no model is needed."""
    with Knowledge.create(store, "small", model="vectors") as small:
        x = np.eye(4, dtype=np.float32)
        files = [
            Addition(place, "same", "PNG", drafts, set(), known=place == "b")
            for place, drafts in (
                ("a", [Draft("", x[0], metadata={"source": "a"}, key="0" * 32, thumbnail=b"first")]),
                ("b", []),
            )
        ]
        small.collection.put_files(files, None)
        (first,) = small.entries()
        assert (first.has_thumbnail, small.thumbnail(first.id)) == (True, b"first")
        small.collection.remove_file("a")  # b inherits the entry
        (heir,) = small.entries()
        assert (heir.id == first.id, small.thumbnail(heir.id)) == (False, b"first")
        assert small.collection.thumbnails([first.id]) == {}
        small.write([Draft("new", x[1], key=heir.key)])
        small.update(heir.id, metadata={"changed": True})
        assert small.thumbnail(heir.id) == b"first"
        small.write([Draft("", x[1], key=heir.key, thumbnail=b"second"), Draft("plain", x[2], key="2" * 32)])
        assert small.thumbnail(heir.id) == b"second"
        assert {hit.text: hit.has_thumbnail for hit in small.query(x[1], 2)} == {"": True, "plain": False}
        (plain,) = [entry for entry in small.entries() if not entry.has_thumbnail]
        assert small.thumbnail(plain.id) is None
        rows = [row for some in small.collection.rows(1) for row in some]
        assert {row.entry.text: row.thumbnail for row in rows} == {"": b"second", "plain": None}
        with pytest.raises(ForetellError, match="50,000 bytes, expected at most 48,000"):
            small.write([Draft("", x[3], thumbnail=bytes(50_000))])
        small.delete([heir.id])
        assert small.collection.thumbnails([heir.id, plain.id]) == {}


def test_a_folder_keeps_them_through_everything(store):
    kept_through_everything(store)
