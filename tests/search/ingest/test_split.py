"""Passages: nothing lost, order kept, sizes within bounds; sentences that survive the usual traps."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.search.ingest.block import TextBlock
from foretell.search.ingest.split import HORIZON, LEAST, MOST, passages, sentences

letters = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
words = st.sampled_from(
    ["e.g.", "Fig. 3", "3.14", "word", "Then", "(4).", "Yes!", "no?", "«Oui.»", "\n", "\t", "x" * 950]
)
texts = st.one_of(letters, st.lists(words, max_size=300).map(" ".join), st.lists(letters, max_size=40).map(" ".join))
documents = st.lists(st.builds(TextBlock, texts, st.just(1), st.booleans()), max_size=12)


def bare(text):
    return re.sub(r"\s+", "", text)


@given(documents)
def test_no_text_is_lost_order_is_kept_and_none_is_too_long(blocks):
    found = list(passages(blocks))
    assert bare("".join(p.text for p in found)) == bare("".join(b.text for b in blocks))
    assert all(0 < len(p.text) <= MOST for p in found)
    assert all(p.text == p.text.strip() for p in found)


@given(st.lists(st.integers(20, 200), min_size=1, max_size=60), st.lists(st.booleans(), min_size=60, max_size=60))
def test_no_passage_is_too_short_where_sentences_can_be_gathered(lengths, breaks):
    paragraphs = [[]]
    for length, new in zip(lengths, breaks, strict=False):
        paragraphs[-1].append("A" + "b" * (length - 2) + ".")
        if new:
            paragraphs.append([])
    text = [TextBlock(" ".join(paragraph)) for paragraph in paragraphs]
    found = list(passages(text))
    assert all(len(p.text) >= LEAST for p in found) or len(found) == 1
    assert all(p.text.endswith(".") for p in found)


@given(texts)
def test_sentences_are_the_text(text):
    assert "".join(sentences(text)) == text


def test_sentences():
    text = (
        "We follow Smith et al. (2020), e.g. Fig. 3 and Eq. (4), i.e. 3.14 is used. See Sec. 2.1 for more. Results vs. "
        'baselines, cf. Table 2, are good [12]. Is it? "Quite so." he said. Dr. J. R. Smith left. approx. 5 % of it. '
        "In Proc. of ICML, pp. 3–7, 2020. No. 5 was best. He said no. Then it ended… The U.S. Navy came in 2020. "
        "Thm. A holds. (It does.) [1] J. Smith, A. Doe. Learning."
    )
    assert [sentence.strip() for sentence in sentences(text)] == [
        "We follow Smith et al. (2020), e.g. Fig. 3 and Eq. (4), i.e. 3.14 is used.",
        "See Sec. 2.1 for more.",
        "Results vs. baselines, cf. Table 2, are good [12].",
        "Is it?",
        '"Quite so." he said.',
        "Dr. J. R. Smith left. approx. 5 % of it.",  # a small letter begins no sentence
        "In Proc. of ICML, pp. 3–7, 2020.",
        "No. 5 was best.",
        "He said no.",
        "Then it ended…",
        "The U.S. Navy came in 2020.",
        "Thm. A holds.",
        "(It does.)",
        "[1] J. Smith, A. Doe.",
        "Learning.",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("这是一句话。这是另一句！", 2),
        ("مرحبا. كيف حالك؟ بخير.", 3),
        ("यह एक वाक्य है। यह दूसरा है।", 2),
        ("1. First. 2. Second.", 2),
    ],
)
def test_sentences_of_other_scripts(text, count):
    assert len(sentences(text)) == count


def prose(characters, word="Word"):
    return " ".join([f"{word} goes on for fifty characters or about that long."] * (characters // 56))


def test_a_paragraph_of_the_right_size_stays_alone_and_whole():
    paragraphs = [prose(n, f"P{n}") for n in (300, 880, 500, 320)]
    assert [p.text for p in passages(map(TextBlock, paragraphs))] == paragraphs


def test_a_long_paragraph_is_cut_evenly_at_a_sentence():
    found = list(passages([TextBlock(prose(1000))]))
    assert len(found) == 2
    assert abs(len(found[0].text) - len(found[1].text)) < 120
    assert found[0].text.endswith("long.")


def test_a_heading_stays_with_what_follows():
    first, second = prose(400, "First"), prose(400, "Second")
    found = list(passages([TextBlock(first), TextBlock("2 Method", heading=True), TextBlock(second)]))
    assert [p.text for p in found] == [first, f"2 Method\n{second}"]


def test_a_passage_names_its_first_page():
    text = prose(2000)
    turn = text.index("Word", 1100)
    found = list(passages([TextBlock(text, 3, turns=((turn, 4),))]))
    at = 0
    for passage in found:
        assert passage.page == (3 if at < turn else 4)
        at += len(passage.text) + 1
    assert {p.page for p in found} == {3, 4}


def test_a_long_document_is_given_out_as_it_comes():
    taken = []

    def blocks():
        for number in range(100):
            taken.append(number)
            yield TextBlock(prose(600, f"N{number}"))

    stream = passages(blocks(), {"title": "T"})
    assert next(stream).metadata == {"title": "T"}
    assert len(taken) * 600 < 2 * HORIZON
    assert len(list(stream)) == 99
