"""A knowledge: its names, its entries, and their metadata."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.conftest import TEXTS

from foretell import ForetellError
from foretell.search import Knowledge
from foretell.search.storage.protocol import new_contract_id


def test_it_says_what_it_is(store):
    with Knowledge.create(store, "papers", category="Science", owner="me", description="Some.") as knowledge:
        about = knowledge.about
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", about.contract_id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about.created)
        assert (about.name, about.title, about.category, about.owner) == ("papers", "papers", "Science", "me")
        assert (about.count, about.file_type, about.index_type, about.model) == (0, "", "hnsw", "bge-small-en-v1.5")
        assert knowledge.describe(title="Papers", public=True).title == "Papers"
        assert Knowledge.list(store) == [knowledge.about]
        with Knowledge.open(store, about.contract_id) as same:
            assert same.about == knowledge.about


def test_a_contract_id_is_no_option():
    assert all(new_contract_id()[0].isalnum() for _ in range(1000))


def test_names_are_their_owners(store):
    Knowledge.create(store, "a", owner="one").close()
    Knowledge.create(store, "a", owner="two").close()
    Knowledge.create(store, "b").close()
    with pytest.raises(ForetellError, match="there is a knowledge 'a' already"):
        Knowledge.create(store, "a", owner="one")
    with pytest.raises(ForetellError, match="2 knowledges are called 'a'"):
        Knowledge.open(store, "a")
    with Knowledge.open(store, "a", owner="two") as found:
        assert found.about.owner == "two"
        with pytest.raises(ForetellError, match="already"):
            found.describe(name="a") if found.describe(name="c").name == "a" else Knowledge.create(store, "b")
    with pytest.raises(ForetellError, match="no knowledge 'x'; there are 'a', 'c', 'b'"):
        Knowledge.open(store, "x")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "half \ud800"])
def test_what_is_not_a_name_is_refused(store, name):
    with pytest.raises(ForetellError, match="name"):
        Knowledge.create(store, name)


def test_what_was_removed_is_gone(store, cloud):
    one, two = (Knowledge.create(store, name) for name in ("one", "two"))
    for knowledge in (one, two):
        knowledge.insert_vectors(cloud(5))
    Knowledge.remove(store, "one")
    assert [about.name for about in Knowledge.list(store)] == ["two"]
    for use in (lambda: one.about, lambda: one.query(cloud(1)[0]), lambda: one.insert_vectors(cloud(1))):
        with pytest.raises(ForetellError, match="was removed"):
            use()
    assert len(two.query(cloud(1)[0])) == 5
    with two.store.read() as c:
        tables = {name for (name,) in c.execute("SELECT name FROM sqlite_master")}
    assert not [name for name in tables if name.endswith("_1") and not name.startswith("sqlite")]
    one.close()
    two.close()


def test_a_closed_store_says_so(store):
    with Knowledge.create(store, "k", model="vectors") as knowledge:
        knowledge.insert_vectors(np.eye(3))
    with pytest.raises(ForetellError, match="was closed"):
        knowledge.insert_vectors(np.eye(3))


def test_entries_are_changed_and_fetched(store):
    with Knowledge.create(store, "k") as knowledge:
        knowledge.insert(TEXTS[:2], [{"a": 1}, {"a": 2}])
        before = knowledge.fetch([1, 0])
        assert [entry.text for entry in before] == [TEXTS[1], TEXTS[0]]
        knowledge.update(0, text=TEXTS[2], metadata={"b": True})
        (after,) = knowledge.fetch([0])
        assert (after.text, after.metadata, after.key) == (TEXTS[2], {"b": True}, before[1].key)
        assert knowledge.search("baking bread", 1)[0].id == 0
        assert not knowledge.search("cat", filter={"a": 1})
        assert [h.id for h in knowledge.search("cat windowsill", hybrid=True) if "words" in h.scores] == []
        assert knowledge.about.count == 2
        assert [e.id for e in knowledge.entries(1)] == [1]


def test_a_foreign_model_can_be_stored_but_not_asked(store, cloud):
    with Knowledge.create(store, "k", model="text-embedding-3-small") as knowledge:
        knowledge.insert_vectors(cloud(3), [{"text": "a"}, {}, {}])
        assert [hit.text for hit in knowledge.query(cloud(3)[0], 1)] == ["a"]
        with pytest.raises(ForetellError, match="no model 'text-embedding-3-small'"):
            knowledge.search("x")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    with Knowledge.create(tmp_path_factory.mktemp("bag") / "store", "bag") as knowledge:
        yield knowledge


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), finite, words, words.map(lambda s: 40 * s))


@settings(max_examples=25)
@given(metadata=st.dictionaries(words, values, max_size=4))
def test_metadata_comes_back_as_it_was(bag, metadata):
    (id,) = bag.insert_vectors([[1.0, 0.0]], [metadata])
    bag.update(id, vector=[0.0, 1.0])
    assert bag.fetch([id])[0].metadata == metadata
    for key, value in metadata.items():
        if not isinstance(value, str) or len(value) <= 200:
            assert [hit.id for hit in bag.query([1.0, 1.0], filter={key: value})] == [id]
    assert bag.delete([id]) == 1
    with bag.store.read() as c:
        assert c.execute(f"SELECT count(*) FROM field_{bag.collection.number}").fetchone() == (0,)
