"""Questions about pictures: places in pixels of the pictures, the drawing, the command and the agents' tool."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tests.answering import Saying, SayingConfig

from foretell import hub
from foretell.ask import ask, draw
from foretell.cli import main
from foretell.data.images.padded import PaddedSquare, padded
from foretell.errors import ForetellError
from foretell.language.outlines import filled
from foretell.language.places import Places

BOX = "<b_st><bin_100><bin_300><bin_500><bin_700><b_ed>"
RING = "<bin_0><bin_250><bin_1000><bin_250><bin_1000><bin_750><bin_0><bin_750>"
HOLE = "<bin_400><bin_400><bin_400><bin_600><bin_600><bin_600><bin_600><bin_400>"


def says(reply, **config):
    return Saying(SayingConfig(reply=reply, image_size=32, **config))


def picture(width, height, colour=(40, 90, 160)):
    return Image.new("RGB", (width, height), colour)


@pytest.fixture
def files(tmp_path):
    for name, size in (("wide.png", (80, 40)), ("tall.png", (30, 60))):
        picture(*size).save(tmp_path / name)
    return [str(tmp_path / name) for name in ("wide.png", "tall.png")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")

    def save(reply):
        return str(hub.save(says(reply), folder / f"model{len(list(folder.iterdir()))}"))

    return save


def test_nothing_is_cut_away_and_white_stands_beside():
    square = padded(picture(80, 40, (255, 0, 0)), 32)
    assert square.shape == (3, 32, 32)
    red = square[1] < 128
    assert red[8:24].all()
    assert (square[:, [*range(8), *range(24, 32)]] == 255).all()


@pytest.mark.parametrize("size", [(80, 40), (30, 60), (7, 7), (1, 300)])
def test_places_go_to_the_square_and_back(size):
    square = PaddedSquare(*size)
    points = np.random.default_rng(0).random((9, 2)) * size
    shares = square.shares(points)
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_allclose(square.pixels(shares), points, atol=1e-9)
    assert square.pixels(np.array([[0.0, 0.0], [1.0, 1.0]])).tolist() == [[0, 0], list(size)]


def test_boxes_are_in_pixels_of_the_picture():
    answer = ask(says(f"here {BOX}"), [picture(80, 40)], "where is  it?")
    # the square is 80 pixels wide, and the picture begins 20 pixels below its top
    assert answer.boxes[0].box == pytest.approx((8, 4, 40, 36))
    assert (answer.text, answer.lost, answer.question) == ("here", (), "where is it?")


def test_outlines_keep_their_holes_and_their_pictures(files):
    reply = f"<image_2><m_st>{RING}<m_ring>{HOLE}<m_ed>"
    answer = ask(says(reply), files, "outline it")
    (mask,) = answer.masks
    assert mask.image == 1
    assert len(mask.rings) == 2
    # of a tall picture in a square of 60 pixels, which has white to its left and right
    assert mask.rings[0].tolist() == [[0, 15], [30, 15], [30, 45], [0, 45]]
    inside = filled(mask.rings, 60, 30)
    assert inside[16].all()
    assert not inside[30, 15]
    told = answer.told()
    assert told["masks"] == [{"image": 1, "rings": [[list(p) for p in ring.tolist()] for ring in mask.rings]}]


def test_a_box_in_the_question_becomes_a_place(files):
    model = says("a red dog")
    ask(model, [picture(80, 40)], "what is in [8, 4, 40, 36]?")
    assert model.asked == ["what is in <b_st><bin_1000><bin_3000><bin_5000><bin_7000><b_ed>?"]
    for wrong in ("[0, 0, 81, 4]", "[4, 4, 4, 8]", "[9, 4, 4, 8]", "[-1, 0, 4, 4]"):
        with pytest.raises(
            ForetellError, match=r"is not in the first picture, expected \[x0, y0, x1, y1\] with x from"
        ):
            ask(model, [picture(80, 40)], f"what is in {wrong}?")


@pytest.mark.parametrize(
    ("reply", "text", "lost"),
    [
        ("<b_st><bin_1><b_ed>", "<b_st><bin_1><b_ed>", "a box of 1 numbers, expected 4 numbers"),
        ("a dog <b_st><bin_1><b_ed>", "a dog", "a box of 1 numbers, expected 4 numbers"),
        ("", "", "the model said nothing"),
        (f"<image_3>{BOX}", f"<image_3>{BOX}", "a box in picture 3, and there are 1"),
    ],
)
def test_what_cannot_be_read_is_shown_and_marked(reply, text, lost):
    answer = ask(says(reply), [picture(20, 20)], "where?")
    assert answer.text == text
    assert lost in answer.lost
    assert not answer.boxes
    assert draw(answer).width > 300


def test_any_reply_is_answered():
    chance = np.random.default_rng(0)
    tokens = [*Places(9).tokens, "<image_2>", "dog", "<", ">", "é", "<bin_99>", "\n"]
    pictures = [picture(20, 30), picture(30, 20)]
    for _ in range(60):
        reply = "".join(chance.choice(tokens, chance.integers(0, 30)))
        answer = ask(says(reply, bins=9), pictures, "where?")
        assert answer.boxes or answer.masks or answer.points or answer.lost or answer.text
        json.dumps(answer.told())


def test_what_cannot_be_asked(files, tmp_path):
    model = says("yes", pictures=1)
    with pytest.raises(ForetellError, match="the question is empty, expected words"):
        ask(model, files[:1], "  ")
    with pytest.raises(ForetellError, match="there is no picture, expected one or more"):
        ask(model, [], "where?")
    with pytest.raises(ForetellError, match="found 2 pictures, expected at most 1: this model takes no more"):
        ask(model, files, "where?")
    with pytest.raises(ForetellError, match=r"none\.png: the file does not exist"):
        ask(model, [tmp_path / "none.png"], "where?")


def test_the_drawing_shows_places_where_they_are():
    answer = ask(says(f"<m_st>{RING}<m_ring>{HOLE}<m_ed>"), [picture(100, 100, (0, 0, 0))], "outline it")
    drawn = np.asarray(draw(answer)).astype(int)

    def at(x, y):  # in shares of the picture
        return drawn[24 + round(y * 360), 24 + round(x * 360)]

    assert at(0.2, 0.5).sum() > 60  # tinted
    assert at(0.5, 0.5).sum() == 0  # the hole
    assert at(0.5, 0.1).sum() == 0  # outside


def test_the_command(files, saved, tmp_path, capsys):
    model = saved(f"a dog {BOX}")
    out = tmp_path / "drawn.png"
    main(["ask", model, *files, "where is it?", "--json", "--out", str(out)])
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "a dog"
    assert told["boxes"] == [{"image": 0, "box": [8, 4, 40, 36]}]
    assert (told["masks"], told["points"], told["lost"], told["images"]) == ([], [], [], files)
    with Image.open(out) as drawn:
        assert drawn.width > 500
    main(["ask", model, files[0], "where is it?"])
    assert capsys.readouterr().out.splitlines() == ["a dog", f"box in {files[0]}: 8, 4, 40, 36"]
    main(["ask", saved(f"<m_st>{RING}<m_ed><p_st><bin_500><bin_500><p_ed><m_st>"), files[0], "outline it"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"outline of 4 corners in {files[0]}, within 0, 0, 80, 40"
    assert lines[1] == f"point in {files[0]}: 40, 20"
    assert lines[2].startswith("not read: a mask of 0 numbers")


def test_wrong_words_are_told(files, saved, capsys, tmp_path):
    model = saved("yes")
    for words, status, told in (
        ([model], 2, "ask needs an IMAGE and a question"),
        ([model, files[0]], 2, "ask needs a question"),
        ([model, "where?"], 2, "ask needs an IMAGE before the question"),
        ([model, *files], 2, "tall.png is a picture, expected a question in words behind the pictures"),
        ([model, files[0], " "], 2, "the question is empty"),
        ([model, files[0], "where", "is", "it?"], 2, "where: the file does not exist (a broken link?): a question of"),
        ([model, str(tmp_path / "no.png"), "where is it?"], 1, "no.png: the file does not exist"),
        ([model, *files * 3, "where is it?"], 1, "found 6 pictures, expected at most 4"),
        ([model, files[0], "where?", "--out", str(tmp_path / "a.txt")], 2, "is not the name of a picture"),
        (["iwm-mini", files[0], "where?"], 1, "asking needs a model that answers questions; IWM does not: train one"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["ask", *words])
        assert stop.value.code == status
        assert told in capsys.readouterr().err


def test_a_model_on_its_device_is_asked_without_training():
    model = says("yes").train()
    ask(model, [picture(8, 8)], "is it?")
    assert model.training
    assert next(model.parameters()).device == torch.device("cpu")
