"""Words of languages without spaces, and names with signs, are found."""

import pytest

from foretell.search import Knowledge
from foretell.search.storage.sqlite import pieces

TEXTS = [
    "港口的灯塔是用花岗岩建造的",
    "他在市场上卖苹果和梨",
    "Code in C++ is compiled",
    "Code in C# is managed",
    "ユーザーは東京タワーを見た",
    "서울에서 기차를 탔다",
    "กรุงเทพมหานครเป็นเมืองหลวง",
    "Part AX-4417/b fits the pump",
    "Part AX-4418/c fits the valve",
    "Die Straße nach ﾄｳｷｮｳ",
    "Ｔｙｐｅ ＢＸ９ is efﬁcient",
]


def by_words(knowledge, query):
    """The results that the query's words found, best first."""
    hits = [hit for hit in knowledge.search(query, 11, hybrid=True) if "words" in hit.scores]
    return [hit.id for hit in sorted(hits, key=lambda hit: -hit.scores["words"])]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    with Knowledge.create(tmp_path_factory.mktemp("words") / "store", "words") as made:
        made.insert(TEXTS)
        yield made


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("灯塔", 0),
        ("苹果", 1),
        ("C++", 2),
        ("c#", 3),
        ("東京", 4),
        ("서울", 5),
        ("เมืองหลวง", 6),
        ("AX-4418/c", 8),
        ("strasse", 9),
        ("STRASSE", 9),
        ("トウキョウ", 9),
        ("bx9", 10),
        ("efficient", 10),
        ("ＢＸ９", 10),
    ],
)
def test_each_word_finds_its_text(words, query, best):
    assert by_words(words, query)[0] == best


def test_pieces_are_letters_and_pairs():
    a, b, c = "灯塔是"
    assert len(list(pieces.pieces("灯塔是"))) == 5
    assert pieces.asked(a + b) == list(pieces.pieces(a + b))[1:2]
    assert pieces.asked("Hi") == ["u68u69"]
    assert pieces.asked(c) == list(pieces.pieces(c))
    assert not [*pieces.pieces("plain words, a+b and #1"), *pieces.pieces("déjà vu, 3°")]


def test_pieces_follow_changes_and_older_stores_get_them(tmp_path):
    with Knowledge.create(tmp_path / "store", "old") as knowledge:
        number = knowledge.collection.number
        knowledge.insert(TEXTS[:2])
        with knowledge.store.write() as c:
            c.execute(f"DROP TABLE piece_{number}")  # as an earlier version wrote it
        assert by_words(knowledge, "灯塔") == []
        knowledge.insert(TEXTS[2:3])
        assert by_words(knowledge, "灯塔") == [0]
        knowledge.update(0, text="他在市场上", vector=knowledge.fetch([1])[0].vector)
        assert by_words(knowledge, "灯塔") == []
        assert set(by_words(knowledge, "市场")) == {0, 1}
        knowledge.delete([1])
        assert by_words(knowledge, "市场") == [0]
        knowledge.store.remove(knowledge.about.contract_id)
