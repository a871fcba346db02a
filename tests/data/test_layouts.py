import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from foretell.data import GroupedPhotographs, Vectors, load
from foretell.data.kinds import holds
from foretell.errors import ForetellError


@pytest.fixture
def read(tmp_path):
    def read(place, reads=None, **more):
        return load(place, reads or GroupedPhotographs(8), cache_dir=tmp_path / "cache", progress=False, **more)

    return read


def picture(path, value=100, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((12, 10, 3), value, np.uint8)).save(path, **more)


def groups(data):
    return [data.names["groups"][g] if g >= 0 else None for g in data.batch(range(len(data)))["groups"].tolist()]


def classes(data):
    return [data.classes[c] for c in data.labels.tolist()]


def test_waterbirds(tmp_path, read):
    root = tmp_path / "waterbird_complete95"
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for k, (y, split, place) in enumerate([(0, 0, 0), (1, 0, 1), (1, 0, 0), (0, 1, 1), (1, 2, 0)]):
        picture(root / f"{y:03d}.species" / f"{k}.jpg")
        lines.append(f"{k},{y:03d}.species/{k}.jpg,{y},{split},{place},x.jpg")
    (root / "metadata.csv").write_text("\n".join(lines))
    train, test = read(root, split="train"), read(root, split="test")
    assert classes(train) == ["landbird", "waterbird", "waterbird"]
    assert groups(train) == ["land", "water", "land"]
    assert (classes(test), groups(test)) == (["waterbird"], ["land"])
    facts = train.facts([1])
    assert facts.files == ["001.species/1.jpg"]
    assert (facts.widths[0], facts.heights[0], facts.formats) == (10, 12, ["JPEG"])
    assert facts.sizes[0] == (root / "001.species/1.jpg").stat().st_size


def test_celeba(tmp_path, read):
    for k in range(4):
        picture(tmp_path / "img_align_celeba" / f"{k}.jpg")
    (tmp_path / "list_attr_celeba.txt").write_text(
        "4\nBlond_Hair Male Smiling\n0.jpg 1 -1 1\n1.jpg -1 1 1\n2.jpg -1 -1 -1\n3.jpg 1 1 -1\n"
    )
    with pytest.raises(ForetellError, match=r"and no list_eval_partition\.txt"):
        read(tmp_path)
    (tmp_path / "list_eval_partition.txt").write_text("0.jpg 0\n1.jpg 0\n2.jpg 1\n3.jpg 2\n")
    train = read(tmp_path)
    assert classes(train) == ["Blond_Hair", "not Blond_Hair"]
    assert groups(train) == ["not Male", "Male"]
    smiling = read(tmp_path, GroupedPhotographs(8, label="Smiling"), split="test")
    assert classes(smiling) == ["not Smiling"]
    with pytest.raises(ForetellError, match=r"no column 'Smilling' for the label; did you mean 'Smiling'\?"):
        read(tmp_path, GroupedPhotographs(8, label="Smilling"))


def test_metashift_and_imagenet9(tmp_path, read):
    for split in ("train", "test"):
        for pet in ("cat", "dog"):
            for place in ("sofa", "bench"):
                picture(tmp_path / "metashift" / split / pet / f"{pet}({place})" / "1.jpg")
    train = read(tmp_path / "metashift")
    assert classes(train) == ["cat", "cat", "dog", "dog"]
    assert groups(train) == ["cat(bench)", "cat(sofa)", "dog(bench)", "dog(sofa)"]
    for place in ("original/train", "original/val", "mixed_rand/val"):
        for name in ("00_dog", "01_bird"):
            picture(tmp_path / "in9" / place / name / "1.JPEG")
    assert classes(read(tmp_path / "in9")) == ["dog", "bird"]
    assert groups(read(tmp_path / "in9", split="test")) == ["mixed_rand"] * 2


def test_class_folders_have_no_groups(tmp_path, read):
    for name in ("cat", "dog"):
        picture(tmp_path / name / "1.png")
    found = read(tmp_path)
    assert classes(found) == ["cat", "dog"]
    assert "groups" not in found.columns
    with pytest.raises(ForetellError, match="this folder has no table, so there is no column 'place'"):
        read(tmp_path, GroupedPhotographs(8, group="place"))


def test_a_table_of_paths(tmp_path, read):
    for k in range(3):
        picture(tmp_path / f"{k}.png")
    table = tmp_path / "list.csv"
    table.write_text("path,class,site\n0.png,a,x\n1.png,b,\ngone.png,b,y\n2.png,,y\n")
    found = read(table, GroupedPhotographs(8, group="site"))
    assert (classes(found), groups(found)) == (["a", "b"], ["x", None])
    assert [tuple(each) for each in found.skipped] == [
        ("gone.png", "the file does not exist (a broken link?)"),
        ("2.png", "its label is missing"),
    ]
    assert holds(str(table)) == "pictures"
    with pytest.raises(ForetellError, match=r"no column 'sight' for the group; did you mean 'site'\?"):
        read(table, GroupedPhotographs(8, group="sight"))
    pq.write_table(pa.table({"path": ["0.png", "1.png"], "class": [1, 0]}), tmp_path / "list.parquet")
    assert classes(read(tmp_path / "list.parquet")) == ["1", "0"]
    (tmp_path / "short.csv").write_text("path,class\n0.png\n")
    with pytest.raises(ForetellError, match="row 1 has 1 fields, expected 2"):
        read(tmp_path / "short.csv")


def test_parquet_with_pictures_and_a_column_of_groups(tmp_path, read):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    rows = {
        "image": [{"bytes": file.getvalue(), "path": None}] * 4,
        "label": [0, 1, 1, 0],
        "kind": ["p", "q", "p", "q"],
    }
    pq.write_table(pa.table(rows | {"place": ["x", "y", None, "y"]}), tmp_path / "set.parquet")
    found = read(tmp_path / "set.parquet")
    assert (classes(found), groups(found)) == (["0", "1", "1", "0"], ["x", "y", None, "y"])
    other = read(tmp_path / "set.parquet", GroupedPhotographs(8, label="kind", group="label"))
    assert (classes(other), groups(other)) == (["p", "q", "p", "q"], ["0", "1", "1", "0"])
    assert holds(str(tmp_path / "set.parquet")) == "pictures"


def test_vectors_with_columns_by_name_and_npy(tmp_path, read):
    (tmp_path / "t.csv").write_text("u,v,diagnosis,site\n1,2,ill,n\n3,4,well,s\n")
    found = read(tmp_path / "t.csv", Vectors("diagnosis", "site"))
    assert found.batch([1])["features"].tolist() == [[3.0, 4.0]]
    assert (classes(found), groups(found)) == (["ill", "well"], ["n", "s"])
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float64).reshape(6, 2))
    np.save(tmp_path / "labels.npy", np.array([0, 1, 0, 1, 0, 1], np.uint8))
    rows = read(tmp_path / "x.npy", Vectors())
    assert rows.columns["features"] == ("float32", (2,))
    assert classes(rows) == ["0", "1"] * 3
    np.save(tmp_path / "flat.npy", np.arange(3))
    with pytest.raises(ForetellError, match=r"holds int64 \[3\], expected numbers \[N, D\]"):
        read(tmp_path / "flat.npy", Vectors())
