"""Ten conversations of an agent with its user, from the first question to the answer.

Each line of the user is a comment. Every argument that an agent could not know comes from an earlier answer.
"""

import base64
import io
import re

import numpy as np
from PIL import Image
from tests.agents.conftest import GUIDE, Agent, png
from tests.data.conftest import film

from foretell.data.photographs import FOLDER, PHOTOGRAPHS
from foretell.search import Knowledge


def photograph(name, factor=1.0):
    """A photograph that ships, darker by a factor, in base64."""
    image = Image.open(FOLDER / PHOTOGRAPHS[name]).convert("RGB").resize((64, 64))
    image.point(lambda value: value * factor).save(file := io.BytesIO(), "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_1_where_is_it_written(agent):
    # "Do we have anything about towers? Who built the iron one?"
    knowledges = [each["name"] for each in agent.call("list_knowledges")["knowledges"]]
    found = agent.call("search_knowledges", knowledges=knowledges, query="Which tower was built of iron?")
    assert found["scores"].startswith("cosines of one model")
    best = found["results"][0]
    assert best["knowledge"] == "towns"
    (whole,) = agent.call("fetch_entries", knowledge=best["knowledge"], ids=[best["id"]])["entries"]
    assert whole["text"] == "The Eiffel tower in Paris was built of iron in 1889."


def test_2_read_on_around_a_passage(agent, notes):
    # "Here is my guide. What does it say about lighthouses? … And what comes before and after that?"
    agent.call("add_file", knowledge=notes, file={"name": "guide.md", "text": GUIDE})
    hit = agent.call("search_knowledges", knowledges=[notes], query="lighthouses", limit=1, characters=60)["results"][0]
    assert hit["text_continues_at"] == 60
    around = agent.call("fetch_entries", knowledge=notes, ids=[hit["id"]], before=1, after=1)["entries"]
    assert [each.get("neighbour", False) for each in around] == [True, False, True]
    text = " ".join(each["text"] for each in around)
    assert "bridges" in text
    assert "markets" in text


def test_3_remember_this_for_me(agent):
    # "Remember that my passport expires in May 2031, and that I am allergic to nuts."
    agent.call("create_knowledge", name="memory", description="What the user asked me to remember")
    try:
        texts = [
            {"text": "The user's passport expires in May 2031.", "metadata": {"kind": "document", "year": 2031}},
            {"text": "The user is allergic to nuts.", "metadata": {"kind": "health"}},
        ]
        passport, nuts = agent.call("add_texts", knowledge="memory", texts=texts)["added_ids"]
        # "Can I eat this cake?"
        found = agent.call("search_knowledges", knowledges=["memory"], query="what must the user not eat", limit=1)
        assert found["results"][0]["id"] == nuts
        # "I got a new passport, valid to 2041."
        text, metadata = "The user's passport expires in 2041.", {"kind": "document", "year": 2041}
        agent.call("update_entry", knowledge="memory", id=passport, text=text, metadata=metadata)
        later = agent.call("search_knowledges", knowledges=["memory"], query="passport", filter={"year": {">": 2031}})
        assert [each["text"] for each in later["results"]] == [text]
        # "Forget about the nuts, that was a mistake."
        assert agent.call("delete_entries", knowledge="memory", ids=[nuts]) == {"deleted": 1}
    finally:
        agent.desk.library.remove(agent.desk.caller, "memory")


def test_4_a_mistake_is_mended_by_what_the_refusal_says(agent):
    # "Find three places in Italy."
    wrong = {"knowledges": ["towns"], "query": "places", "top_k": 3, "filter": {"country": "it"}}
    sentence = agent.refused("search_knowledges", **wrong)
    parameter = re.search(r"did you mean (\w+)\?", sentence)[1]
    right = {name: value for name, value in wrong.items() if name != "top_k"} | {parameter: 3}
    assert len(agent.call("search_knowledges", **right)["results"]) == 2
    # "And of those, only the ones after the first?"
    sentence = agent.refused("search_knowledges", **right | {"filter": {"n": {"gt": 0}}})
    operator = re.search(r"conditions by .*?(>)", sentence)[1]
    later = agent.call("search_knowledges", **right | {"filter": {"country": "it", "n": {operator: 0}}})["results"]
    assert [each["metadata"]["n"] for each in later] == [2]


def test_5_a_part_number_needs_words(agent):
    # "Which bridge has the part AX-7741? Are you sure?"
    question = {"knowledges": ["towns", "food"], "query": "AX-7741", "explain": True}
    found = agent.call("search_knowledges", **question, hybrid=True)
    assert found["scores"].startswith("1 / (60 + rank in its own knowledge)")
    by_words = [each for each in found["results"] if "words" in each["scores"]]
    assert [each["query_words_in_it"] for each in by_words] == [["ax", "7741"]]
    sure = agent.call("search_knowledges", **question | {"query": "Which bridge has the part AX-7741?"}, rerank=True)
    assert sure["scores"].startswith("of one reranker")
    best, second = sure["results"][:2]
    assert "AX-7741" in best["text"]
    assert best["scores"]["rerank"] > 10 * second["scores"]["rerank"]


def test_6_tidy_up_a_folder_of_files(agent, notes):
    # "Add my price list and last week's. … Oh, the old one was wrong, take it out."
    for name, price in {"prices.csv": 12, "old.csv": 11}.items():
        rows = base64.b64encode(f"what,price\napples,{price}\npears,{price + 1}\n".encode()).decode()
        file = {"name": name, "base64": rows}
        assert agent.call("add_file", knowledge=notes, file=file, column="what")["entries_added"] == 2
    told = agent.call("describe_knowledge", knowledge=notes)
    old = next(each["name"] for each in told["files"] if each["name"].startswith("old"))
    assert agent.call("delete_file", knowledge=notes, file=old) == {"deleted_entries": 2}
    # "What do apples cost?"
    field = next(name for name in told["fields"] if name == "price")
    best = agent.call("search_knowledges", knowledges=[notes], query="apples", limit=1)["results"][0]
    assert best["metadata"][field] == 12
    assert agent.call("reindex_knowledge", knowledge=notes)["built"] is False


def test_7_a_reader_may_not_write(desk):
    # "Add to the towns: Oslo lies at a fjord."
    agent = Agent(desk(scope="read"))
    new = [{"text": "Oslo lies at a fjord."}]
    assert "may read this knowledge, but not change it" in agent.refused("add_texts", knowledge="towns", texts=new)
    # "Then at least tell me what is there."
    assert agent.call("describe_knowledge", knowledge="towns")["entries"] == 4


def test_8_find_my_photograph_but_darker(agent):
    # "Which of my photographs looks like this one, only darker?"
    agent.call("create_knowledge", name="album", model="iwm-mini")
    try:
        for name, (photo, factor) in {
            "cup.png": ("coffee", 1),
            "dark.png": ("coffee", 0.5),
            "cat.png": ("cat", 1),
        }.items():
            agent.call("add_file", knowledge="album", file={"name": name, "base64": photograph(photo, factor)})
        assert "file" in agent.call("describe_knowledge", knowledge="album")["ask_with"]
        mine = {"name": "mine.png", "base64": photograph("coffee")}
        same = agent.call("search_knowledges", knowledges=["album"], file=mine)["results"]
        assert same[0]["metadata"]["source"] == "cup.png"
        darker = agent.call("search_knowledges", knowledges=["album"], file=mine, imagine={"brightness": 0.5})[
            "results"
        ]
        before, after = ({each["metadata"]["source"]: each["score"] for each in some} for some in (same, darker))
        assert after["dark.png"] - after["cup.png"] > before["dark.png"] - before["cup.png"]
        # "And what would the model think this one looks like, darker?"
        told = agent.result("imagine_change", file=mine, changes={"brightness": 0.5})
        assert told.structured_content["rank_of_the_asked_version"] < told.structured_content["rank_by_chance"]
        assert told.content[1].type == "image"
    finally:
        agent.desk.library.remove(agent.desk.caller, "album")


def test_9_when_does_something_strange_happen(agent, tmp_path):
    # "Is anything odd in this clip?"
    models = agent.call("list_models")["models"]
    name = next(each["name"] for each in models if "measure_surprise" in each["tools"])
    clip = base64.b64encode(film(tmp_path / "ball.mp4", 24, 10).read_bytes()).decode()
    told = agent.call("measure_surprise", file={"name": "ball.mp4", "base64": clip}, model=name)
    assert told["peak_at_seconds"] in [point["seconds"] for point in told["curve"]]
    assert max(point["surprise"] for point in told["curve"]) > 0
    # "And in this photograph, is it a dog or a cat?"
    (words,) = [each["name"] for each in models if "label_picture" in each["tools"]]
    photo = {"name": "pet.png", "base64": png()}
    found = agent.result("label_picture", file=photo, labels=["a dog", "a cat"], model=words)
    assert not found.is_error
    sentence = agent.refused("label_picture", file=photo, labels=["a dog", "a cat"], model=name)
    assert "labelling needs a model that knows words" in sentence


def test_10_everything_that_there_is_page_by_page(agent, notes):
    # "Give me everything about gardens, nothing left out, but briefly."
    with Knowledge.open(agent.desk.library.store, notes, owner="me") as opened:
        vectors = np.random.default_rng(0).standard_normal((60, 384))
        opened.insert_vectors(vectors, [{"n": n} for n in range(60)], ["A garden. " * 50] * 60)
    question = {"knowledges": [notes], "query": "gardens", "limit": 25, "characters": 50}
    seen, offset = [], 0
    while offset is not None:
        answer = agent.call("search_knowledges", **question, offset=offset)
        seen += [each["metadata"]["n"] for each in answer["results"]]
        more = re.search(r"offset (\d+)", answer.get("next", ""))
        offset = int(more[1]) if more else None
    assert sorted(seen) == list(range(60))
    # "Too much. Only those numbered 7 and 9, in full."
    few = agent.call("search_knowledges", **question, filter={"n": [7, 9]})["results"]
    whole = agent.call("fetch_entries", knowledge=notes, ids=[each["id"] for each in few])["entries"]
    assert {each["metadata"]["n"]: len(each["text"]) for each in whole} == {7: 500, 9: 500}
