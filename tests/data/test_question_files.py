"""Questions from annotation files: COCO, RefCOCO, gRefCOCO, GQA and NLVR2, in exactly their layouts."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from foretell.data import Questions, load, train_test
from foretell.data.images.padded import PaddedSquare
from foretell.data.items import Unusable
from foretell.data.made.questions.tasks import FINE
from foretell.data.question_files.segments import decoded, outline_of
from foretell.errors import ForetellError
from foretell.language.outlines import filled

SIZE = 40
WIDTH, HEIGHT = 80, 40


def packed(counts):
    """Counts as pycocotools packs them."""
    text = ""
    for place, count in enumerate(counts):
        x = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits, x = x & 31, x >> 5
            more = x != (-1 if bits & 16 else 0)
            text += chr((bits | (32 if more else 0)) + 48)
    return text


def counts_of(mask):
    """Runs of a mask, column by column, the first outside."""
    flat = np.concatenate([[False], mask.T.ravel()])
    ends = np.flatnonzero(np.diff(flat.astype(int)))
    return np.diff(np.concatenate([[0], ends, [mask.size]])).tolist()


@pytest.fixture
def coco(tmp_path):
    """Two pictures, one of them missing; a dog by polygons, a cat by runs, and a crowd of sheep."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), (90, 30, 30)).save(tmp_path / "images" / "1.jpg")
    cat = np.zeros((HEIGHT, WIDTH), bool)
    cat[10:20, 50:70] = True
    cat[13:16, 55:60] = False
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 4, 32, 32], "iscrowd": 0, "area": 1024},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [50, 10, 20, 10], "iscrowd": 0, "area": 185},
        {"id": 3, "image_id": 1, "category_id": 3, "bbox": [0, 0, 80, 40], "iscrowd": 1, "area": 300},
    ]
    annotations[0]["segmentation"] = [[8, 4, 8, 36, 40, 36, 40, 4]]  # counter-clockwise
    annotations[1]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": packed(counts_of(cat))}
    annotations[2]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": [0, WIDTH * HEIGHT]}
    images = [{"id": n, "file_name": f"{n}.jpg", "width": WIDTH, "height": HEIGHT} for n in (1, 2)]
    names = [{"id": n, "name": name} for n, name in enumerate(("dog", "cat", "sheep", "kite"), 1)]
    instances = {"images": images, "annotations": annotations, "categories": names}
    captions = [{"id": n, "image_id": n, "caption": " A dog\nand a cat. "} for n in (1, 2)]
    for name, found in (("instances", instances), ("captions", {"images": images, "annotations": captions})):
        (tmp_path / "annotations" / f"{name}.json").write_text(json.dumps(found))
    return tmp_path


def asked(spec, **options):
    """Task -> question and answer, and what was skipped."""
    data = load(spec, Questions(SIZE), progress=False, **options)
    batch = data.batch(range(len(data)))
    tasks = [data.classes[label] for label in data.labels.tolist()]
    rows = zip(tasks, batch.ragged("question").texts(), batch.ragged("answer").texts(), strict=True)
    return list(rows), data.skipped, batch


def test_runs_are_read_as_pycocotools_writes_them():
    mask = np.random.default_rng(0).random((37, 51)) < 0.3
    mask[3:30, 4:40] = True
    counts = counts_of(mask)
    assert max(counts) > 31
    for encoding in (counts, packed(counts), packed(counts).encode()):
        assert (decoded({"size": [37, 51], "counts": encoding}) == mask).all()
    assert packed([1, 2, 3, 4, 200]) == "1232U6"  # worked out by hand: 200 − 3 = 197 = 5 + 6 · 32


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"size": [2, 2], "counts": [1, 2]}, "has 3 pixels, expected 2 × 2"),
        ({"size": [2, 2], "counts": [5, -1]}, "has 4 pixels, expected 2 × 2"),
        ({"size": [2, 2]}, "has no size or no counts"),
        ({"size": [2, 2], "counts": "o"}, "has no size or no counts"),
        ([[1, 2, 3, 4]], "a polygon of its segmentation has 2 corners, expected 3 or more"),
        ([[1, 2, 3]], "has no pairs of numbers"),
        ([], "it has no segmentation"),
    ],
)
def test_broken_segmentations(found, told):
    with pytest.raises(Unusable, match=told):
        outline_of({"segmentation": found}, PaddedSquare(4, 4))


def test_polygons_that_overlap_are_one_outline():
    two = [[0, 0, 20, 0, 20, 20, 0, 20], [10, 10, 30, 10, 30, 30, 10, 30]]
    spot = outline_of({"segmentation": two}, PaddedSquare(40, 40))
    inside = filled([ring * 40 for ring in spot.rings], 40, 40)
    assert inside[15, 15]
    assert inside.sum() == 400 + 400 - 100


def test_coco(coco):
    rows, skipped, batch = asked(f"coco:{coco}")
    assert sorted(task for task, _, _ in rows) == ["box", "caption", "outline", "outlines", "region"]
    found = {task: (question, answer) for task, question, answer in rows}
    assert found["caption"][1] == "A dog and a cat."
    for task in ("box", "outline"):
        question, answer = found[task]
        (spot,) = FINE.read(answer).spots
        # 80 × 40 pixels in a square of 80: 20 pixels of white above
        expected = (8, 24, 40, 56) if "the dog" in question else (50, 30, 70, 40)
        assert [value * 80 for value in spot.box] == pytest.approx(expected, abs=0.01)
    assert "every" in found["outlines"][0]
    assert "sheep" not in "".join(question for question, _ in found.values())  # a crowd
    (box,) = FINE.read(found["region"][0]).spots
    assert found["region"][1] == ("a dog" if box.box[0] < 0.2 else "a cat")
    assert [(each.name, each.reason) for each in skipped] == [
        ("2.jpg: caption", "2.jpg: the file does not exist (a broken link?)")
    ]
    pixels = batch.ragged("pixels")[0]
    assert pixels.shape == (1, 3, SIZE, SIZE)
    assert (pixels[0, :, :9] == 255).all()
    assert (pixels[0, 1, 11:29] < 90).all()
    assert asked(f"coco:{coco}")[0] == rows  # the same again
    assert {task for task, _, _ in asked(f"coco:{coco}#tasks=box+caption")[0]} == {"box", "caption"}


def test_an_outline_by_runs_keeps_its_hole(coco):
    spot = outline_of(
        json.loads((coco / "annotations/instances.json").read_text())["annotations"][1], PaddedSquare(80, 40)
    )
    assert len(spot.rings) == 2
    assert filled([ring * 80 for ring in spot.rings], 80, 80).sum() == 200 - 15


@pytest.fixture
def refer(coco):
    """References in the layout of REFER, beside instances.json."""
    (coco / "annotations/instances.json").rename(coco / "instances.json")
    refs = [
        {"ref_id": n, "ann_id": ann, "image_id": image, "category_id": 1, "file_name": "COCO_1_7.jpg", "split": split}
        | {"sent_ids": [n], "sentences": [{"sent_id": n, "raw": "Left dog", "sent": sent, "tokens": sent.split()}]}
        for n, (ann, image, split, sent) in enumerate(
            [
                (1, 1, "train", "left dog"),
                (2, 1, "val", "right cat"),
                (2, 1, "testA", "the cat"),
                (9, 1, "train", "x"),
                (1, 7, "train", "y"),
                (1, 1, "train", ""),
            ]
        )
    ]
    (coco / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    return coco


def test_refcoco(refer):
    rows, skipped, _ = asked(f"refcoco:{refer}", split="train")
    assert [(task, "left dog" in question or "Left dog" in question) for task, question, _ in rows] == [
        ("box", True),
        ("outline", True),
        ("box", True),
        ("outline", True),
    ]
    boxes = [FINE.read(answer).spots[0].box for _, _, answer in rows]
    assert boxes == [pytest.approx((0.1, 0.3, 0.5, 0.7))] * 4
    assert [each.reason for each in skipped] == [
        "its annotation 9 is not in instances.json",
        "its picture 7 is not in instances.json",
    ]
    train, test = train_test(f"refcoco:{refer}", Questions(SIZE), progress=False)
    assert (len(train), len(test)) == (4, 2)
    assert "right cat" in test.batch([0]).ragged("question").texts()[0]
    test = train_test(f"refcoco:{refer}#test=testA,tasks=box", Questions(SIZE), progress=False)[1]
    assert len(test) == 1
    assert "the cat" in test.batch([0]).ragged("question").texts()[0]
    (refer / "refs(google).p").write_bytes(pickle.dumps([]))
    with pytest.raises(ForetellError, match=r"found refs\(google\).p, refs\(unc\).p, expected one such as refs\(unc\)"):
        asked(f"refcoco:{refer}")
    assert len(asked(f"refcoco:{refer}#by=unc", split="train")[0]) == 4


class Danger:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("content", [pickle.dumps([Danger()]), b"", b"\x80\x04 no pickle"])
def test_nothing_in_a_pickle_is_run(refer, content, capsys):
    (refer / "refs(unc).p").write_bytes(content)
    with pytest.raises(ForetellError, match="expected a pickle of plain lists"):
        asked(f"refcoco:{refer}")
    assert "run" not in capsys.readouterr().out


def test_grefcoco(refer):
    def row(number, targets, **more):
        said = {"sent": f"number {number}", "raw": f"number {number}", "sent_id": number, "tokens": []}
        return {"ref_id": number, "ann_id": targets, "image_id": 1, "split": "train", "sentences": [said]} | more

    rows = [row(1, [1, 2]), row(2, [-1], no_target=True), row(3, [1], sentences=[])]
    (refer / "grefs(unc).json").write_text(json.dumps(rows))
    found, skipped, _ = asked(f"grefcoco:{refer}")
    assert [task for task, _, _ in found] == ["outlines", "outlines"]
    spots = FINE.read(found[0][2]).spots
    assert [len(spot.rings) for spot in spots] == [1, 2]
    assert found[1][2] == "none"
    assert not skipped


def test_gqa(coco):
    rows = {
        "17": {"imageId": "1", "question": "Is it red?", "answer": "Yes", "fullAnswer": "Yes.", "isBalanced": True},
        "18": {"imageId": "1", "question": "Who?"},
        "19": {"imageId": "5", "question": "Who?", "answer": "nobody"},
    }
    for split in ("train", "val", "testdev"):
        (coco / f"{split}_balanced_questions.json").write_text(json.dumps(rows))
    found, skipped, _ = asked(f"gqa:{coco}", split="train")
    assert found == [("vqa", "Is it red?", "yes")]
    assert [each.reason for each in skipped] == ["has no answer", "5.jpg: the file does not exist (a broken link?)"]
    assert len(train_test(f"gqa:{coco}#test=testdev", Questions(SIZE), progress=False)[1]) == 1
    alone = coco / "train_balanced_questions.json"
    assert asked(f"gqa:{alone}#images={coco / 'images'}")[0] == found


def test_nlvr2(tmp_path):
    for split, inner in (("train", "images/train/12"), ("dev", "dev")):
        folder = tmp_path / inner
        folder.mkdir(parents=True)
        for k in range(2):
            Image.new("RGB", (20, 30), (k * 200, 0, 0)).save(folder / f"{split}-8-0-img{k}.png")
        row = {"identifier": f"{split}-8-0-1", "sentence": "Both pictures are red.", "label": "False", "left_url": "u"}
        bad = [{**row, "label": "maybe"}, {**row, "identifier": f"{split}-9-0-1", "directory": 3}]
        lines = [json.dumps(row | ({"directory": 12} if split == "train" else {})), *map(json.dumps, bad), "[", ""]
        (tmp_path / f"{split}.json").write_text("\n".join(lines))
    train, test = train_test(f"nlvr2:{tmp_path}", Questions(SIZE), progress=False)
    assert (len(train), len(test)) == (1, 1)
    batch = train.batch([0])
    assert batch.ragged("answer").texts() == ["false"]
    assert "Both pictures are red" in batch.ragged("question").texts()[0]
    left, right = batch.ragged("pixels")[0][:, 0, SIZE // 2, SIZE // 2].tolist()
    assert (left, right) == (0, 200)
    assert [each.reason.partition(":")[0] for each in train.skipped] == [
        "has no label that is True or False",
        "train-9-0-img0.png",
        "is no object of JSON",
    ]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("coco:{}/none", "not found, expected coco:FOLDER"),
        ("coco:{}#size=3", "'size' is not an option here; there are images, tasks, test, by"),
        ("coco:{}#images", "'images' after # is not an option, expected NAME=VALUE"),
        ("coco:{}#tasks=vqa", "'vqa' is not a task here; there are caption, box"),
        ("coco:{}#test=val", "test is 'val', expected one of all"),
        ("coco:{}#images=/nowhere", "names 2 pictures, such as 1.jpg, and none of them was found, expected /nowhere"),
        ("coco:{}/images", r"holds no instances\*.json and no captions\*.json"),
        ("refcoco:{}", r"holds no refs\(….p or .json, expected one such as refs\(unc\)"),
        ("gqa:{}/images", "holds no file that ends in .json, expected GQA's"),
        ("gqa:{}/annotations/captions.json", "holds no list of rows, expected GQA's"),
        ("nlvr2:{}/images/1.jpg", "its first line is no object of JSON, expected NLVR2's"),
        ("elsewhere", "or files of annotations: coco:FOLDER, refcoco:FOLDER"),
    ],
)
def test_what_cannot_be_read(coco, spec, told):
    with pytest.raises(ForetellError, match=told):
        load(spec.format(coco), Questions(SIZE), progress=False)


def test_a_picture_of_another_size_is_not_used(coco):
    Image.new("RGB", (HEIGHT, WIDTH)).save(coco / "images" / "1.jpg")
    with pytest.raises(ForetellError, match=r"1\.jpg has 40 × 80 pixels, and its annotations are of 80 × 40"):
        asked(f"coco:{coco}")


def test_real_annotations(shared_data):
    found, skipped, _ = asked(f"coco:{shared_data / 'coco-small'}")
    assert len(found) > 150
    assert not skipped
    for task, _, answer in found:
        reply = FINE.read(answer)
        assert not reply.lost
        assert task not in ("box", "outline") or len(reply.spots) == 1
