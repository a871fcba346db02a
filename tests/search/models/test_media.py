"""Videos as entries: clips of a model of videos, frames of a model of images."""

import json
import re
import weakref
from base64 import b64encode

import av
import numpy as np
import pytest
import torch
from PIL import Image

import foretell
from foretell import ForetellError
from foretell.cli import main
from foretell.data import Clips
from foretell.data.video import Film, decode_video
from foretell.masking.tubes import TubeMasks
from foretell.methods import VJEPA
from foretell.methods.vjepa import VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig
from foretell.search import Knowledge

FPS = 10


def picture(kind, number):
    """A frame: stripes across or along, or a square that wanders."""
    x = np.zeros((48, 64, 3), np.uint8)
    if kind == "across":
        x[:: 6 + number % 2] = 255
    elif kind == "along":
        x[:, ::6] = 200
    elif kind == "wanders":
        x[8:24, (3 * number) % 48 : (3 * number) % 48 + 16, 0] = 255
    return x


def film(path, frames, fps=FPS):
    """Write a video of the frames' kinds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 4_000_000
        for number, kind in enumerate(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture(kind, number), "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


THREE = [kind for kind in ("across", "along", "wanders") for _ in range(8)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """The folder of a small V-JEPA, whose clips have 8 frames; it has learned nothing."""
    config = VJEPAConfig(
        VideoViTConfig(image_size=16, patch_size=4, width=24, depth=1, heads=2, frames=8, tubelet=2),
        PredictorConfig(width=12, depth=1, heads=2),
        TubeMasks(),
    )
    torch.manual_seed(0)
    return foretell.save(VJEPA(config), tmp_path_factory.mktemp("vjepa") / "model")


@pytest.fixture
def folder(tmp_path):
    files = tmp_path / "films"
    files.mkdir()
    film(files / "three.mp4", THREE)
    film(files / "odd.mkv", ["along"] * 11)
    film(files / "one.mp4", ["along"])
    film(files / "short.mp4", ["along"] * 5)
    (files / "zero.mp4").write_bytes(b"")
    (files / "damaged.mp4").write_bytes((files / "three.mp4").read_bytes()[:300])
    (files / "other.mp4").write_text("not a film")
    sound(files / "song.avi")
    return files


def test_a_film_is_cut_from_end_to_end(folder, tmp_path):
    cut = Clips(16, frames=4, stride=2)  # a clip spans 7 frames
    there = Film(folder / "three.mp4", cut)
    assert there.spans == [(0.0, 0.7), (0.7, 1.4), (1.4, 2.1), (1.7, 2.4)]
    every = decode_video(folder / "three.mp4", Clips(16, frames=1, clips=24))[0][:, 0]
    for (place, pixels, _), start in zip(there.clips(), (0, 7, 14, 17), strict=True):
        assert there.spans[place][0] == start / FPS
        np.testing.assert_array_equal(pixels, every[start : start + 7 : 2])
    seconds = Film(folder / "three.mp4", Clips(16, frames=1, fps=1.0))
    assert seconds.spans == [(0.0, 1.0), (1.0, 2.0), (2.0, 2.4)]
    for (_, pixels, _), frame in zip(seconds.clips(), (0, 10, 20), strict=True):
        np.testing.assert_array_equal(pixels[0], every[frame])


def test_a_long_film_is_never_in_memory(tmp_path, monkeypatch):
    from foretell.data.video import frames as video

    path, frames, most = film(tmp_path / "long.mp4", ["along"] * 600), [], []
    real = video.square

    def square(*args):
        pixels = real(*args)
        frames.append(weakref.ref(pixels))
        most.append(sum(frame() is not None for frame in frames))
        return pixels

    monkeypatch.setattr(video, "square", square)
    assert sum(1 for _ in Film(path, Clips(8, frames=8)).clips()) == 75
    assert len(most) == 600
    assert max(most) <= 16


def test_clips_are_entries_with_their_time(store, folder, clips, tmp_path):
    with Knowledge.create(store, "films", model=str(clips)) as films:
        Image.new("RGB", (16, 16)).save(folder / "poster.png")
        added = films.add(folder)
        reasons = {name.rpartition("/")[2]: reason for name, reason in added.skipped}
        assert {name: reasons[name][:9] for name in reasons} == {
            "one.mp4": "holds one",
            "short.mp4": "too short",
            "zero.mp4": "empty fil",
            "damaged.mp4": "not a vid",
            "other.mp4": "not a vid",
            "song.avi": "no video ",
            folder.name: "not read:",
        }
        assert "1 of another kind (.png), expected" in reasons[folder.name]
        assert (added.files, added.entries) == (2, 5)
        there = {(e.metadata["source"], e.time) for e in films.entries()}
        assert there == {
            ("three.mp4", (0.0, 0.8)),
            ("three.mp4", (0.8, 1.6)),
            ("three.mp4", (1.6, 2.4)),
            ("odd.mkv", (0.0, 0.8)),
            ("odd.mkv", (0.3, 1.1)),
        }
        assert films.about.file_type == "MKV, MP4"
        for n, kind in enumerate(("across", "along", "wanders")):
            asked = film(tmp_path / "asked.mp4", THREE[8 * n : 8 * n + 8])
            (hit,) = films.search(asked, 1, filter={"source": "three.mp4"})
            assert hit.time[0] == pytest.approx(0.8 * n), kind
            assert hit.score > 0.99
        Image.fromarray(picture("along", 0)).save(tmp_path / "along.png")
        best = films.search(tmp_path / "along.png", 3)
        assert all(hit.metadata["source"] == "odd.mkv" or hit.time == (0.8, 1.6) for hit in best)
        again = films.add(folder)
        assert (again.files, again.unchanged, again.entries) == (0, 2, 0)
        film(folder / "three.mp4", ["across"] * 16)
        changed = films.add(folder)
        assert (changed.files, changed.entries, changed.removed) == (1, 2, 3)
        for use, said in (
            (lambda: films.search(folder / "zero.mp4"), "empty file"),
            (lambda: films.search(folder / "none.mp4"), "none.mp4 is none"),
            (lambda: films.search("a cat"), "contains videos: it is asked with a file, and a cat is none"),
            (lambda: films.search("a cat " * 100), "it is asked with a file"),
            (lambda: films.search(asked, hybrid=True), "contains videos"),
            (lambda: films.search(asked, imagine={"brightness": 0.6}), "action"),
            (lambda: films.add(tmp_path / "along.png"), "not of a kind"),
            (lambda: films.insert(["text"]), "contains videos"),
        ):
            with pytest.raises(ForetellError, match=said):
                use()


def test_what_is_there_of_a_film_that_was_cut_short_is_kept_and_said(store, tmp_path):
    path = film(tmp_path / "cut.mkv", ["along"] * 80)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with Knowledge.create(store, "films", model="iwm-mini") as films:
        added = films.add(path)
        ((name, reason),) = added.skipped
        assert name == str(path)
        assert re.fullmatch(r"cut short: of 8\.0 seconds [34]\.\d are there; these are kept", reason)
        assert 3 <= added.entries <= 5


def test_a_model_of_images_takes_a_frame_a_second(store, folder, tmp_path, capsys):
    at = ["--store", str(store)]
    main(["knowledge", "create", "mixed", "--model", "iwm-mini", *at])
    Image.fromarray(picture("wanders", 0)).save(folder / "still.png")
    main(["knowledge", "add", "mixed", str(folder), *at])
    said = capsys.readouterr()
    assert "7 entries of 4 files added" in said.out
    assert "one.mp4: holds one frame" in said.err
    main(
        ["knowledge", "search", "mixed", str(film(tmp_path / "asked.mp4", ["along"] * 9)), "--top", "1", "--json", *at]
    )
    (hit,) = json.loads(capsys.readouterr().out)["results"]
    assert hit["metadata"]["source"] in ("odd.mkv", "three.mp4", "short.mp4")
    main(["knowledge", "search", "mixed", str(folder / "still.png"), "--top", "9", *at])
    lines = capsys.readouterr().out
    assert lines.startswith("1.000")
    assert "odd.mkv  1.0–1.1 s" in lines


def test_videos_over_http(store, folder, tmp_path):
    from starlette.testclient import TestClient

    from foretell.search import Store
    from foretell.search.serve import keys
    from foretell.search.serve.app import build

    opened = Store(store)
    key = keys.create(opened, "k", "me", "write")
    with TestClient(build(opened), headers={"x-api-key": key}) as client:
        assert client.post("/api/v1/knowledge", json={"name": "films", "model": "iwm-mini"}).status_code == 201

        def put(name):
            return client.put(f"/api/v1/knowledge/films/files/{name}", content=(folder / name).read_bytes())

        def search(**body):
            sent = {k: b64encode(v).decode() if isinstance(v, bytes) else v for k, v in body.items()}
            return client.post("/api/v1/knowledge/films/search", json=sent)

        assert put("three.mp4").json() == {"files": 1, "unchanged": 0, "entries": 3, "removed": 0, "skipped": []}
        assert put("three.mp4").json()["unchanged"] == 1
        for name, said in (("song.avi", "no video in it, only sound"), ("zero.mp4", "empty file")):
            refused = put(name)
            assert (refused.status_code, refused.json()["detail"]) == (400, said)
        (hit,) = search(video=film(tmp_path / "asked.mp4", ["along"] * 10).read_bytes(), top=1).json()["results"]
        assert (hit["metadata"], hit["time"]) == ({"source": "three.mp4"}, [1.0, 2.0])
        Image.fromarray(picture("across", 0)).save(tmp_path / "a.png")
        assert search(image=(tmp_path / "a.png").read_bytes(), top=1).json()["results"][0]["time"] == [0.0, 1.0]
        for body, said in (
            ({"video": b"no film"}, "the video: not a video, or damaged at its beginning"),
            ({"video": "!"}, "video is not base64"),
            ({"query": "/etc/passwd"}, "it is asked with image or video"),
            ({"video": b"", "image": b""}, "expected one of query"),
        ):
            refused = search(**body)
            assert refused.status_code == 400
            assert said in refused.json()["detail"]
    opened.close()
