"""The tools, called by the SDK's own client."""

import asyncio
import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from PIL import Image
from tests.agents.conftest import GUIDE, TOWNS, Agent, png
from tests.answering import Saying, SayingConfig

from foretell import capabilities, hub
from foretell.agents import bounds, read, see
from foretell.agents.models import ServedModels
from foretell.agents.server import TOOLS, server
from foretell.errors import ForetellError
from foretell.search import Knowledge


def test_the_tools_say_what_they_take_and_change(agent):
    listed = {tool.name: tool for tool in agent.ask(lambda client: client.list_tools()).tools}
    assert list(listed) == [tool.tool for tool in TOOLS]
    for tool in listed.values():
        assert tool.input_schema["additionalProperties"] is False
        assert 40 < len(tool.description) < 500
        assert "title" not in tool.input_schema
    assert listed["search_knowledges"].input_schema["required"] == ["knowledges"]
    assert listed["search_knowledges"].input_schema["properties"]["query"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 10_000,
        "description": "a question or words, in plain language",
    }
    reading = {name for name, tool in listed.items() if tool.annotations.read_only_hint}
    assert reading >= {"list_knowledges", "search_knowledges", "fetch_entries", "imagine_change"}
    destroying = {name for name, tool in listed.items() if tool.annotations.destructive_hint}
    assert destroying == {"add_file", "update_entry", "delete_entries", "delete_file"}
    assert (see.IMAGES, see.VIDEOS) == (capabilities.IMAGES, capabilities.VIDEOS)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_clients_of_both_protocols_are_answered(agent, mode):
    async def run():
        async with Client(agent.server, mode=mode) as client:
            assert client.server_info.name == "foretell"
            assert "list_knowledges" in client.instructions
            return await client.call_tool("list_knowledges", {})

    assert [each["name"] for each in asyncio.run(run()).structured_content["knowledges"]] == ["towns", "food"]


WRONG = {
    ("search_knowledges", '{"knowledges": ["towns"], "query": "x", "top_k": 3}'): "has no parameter 'top_k', expected "
    "knowledges, query, file, limit, offset, filter, hybrid, rerank, imagine, explain, characters, pictures: did you "
    "mean limit?",
    ("search_knowledges", '{"knowledges": ["towns"], "query": "x", "reranks": true}'): "did you mean rerank?",
    ("search_knowledges", '{"knowledges": ["towns"], "file": {"nmae": "a.png"}}'): "search_knowledges: file has no "
    "parameter 'nmae', expected name, base64, text, path: did you mean name?",
    (
        "add_texts",
        '{"knowledge": "towns", "texts": [{"txt": "a"}]}',
    ): "add_texts needs texts.0.text, and it is missing: add it",
    ("search_knowledges", '{"query": "x"}'): "search_knowledges needs knowledges, and it is missing: add it",
    (
        "search_knowledges",
        '{"knowledges": "towns", "query": "x"}',
    ): "search_knowledges: knowledges: input should be a valid list",
    (
        "search_knowledges",
        '{"knowledges": ["towns"], "query": "x", "limit": 51}',
    ): "limit: input should be less than or equal to 50",
    ("search_knowledges", '{"knowledges": ["towns"]}'): "has neither of query and file, expected one of them",
    ("search_knowledges", '{"knowledges": ["nowhere"], "query": "x"}'): "there is no knowledge 'nowhere'",
    ("search_knowledges", '{"knowledges": ["secret"], "query": "x"}'): "there is no knowledge 'secret'",
    (
        "search_knowledges",
        '{"knowledges": ["towns"], "query": "x", "filter": {"n": {"~": 3}}}',
    ): "filter: n is {'~': 3}",
    (
        "search_knowledges",
        '{"knowledges": ["towns"], "query": "x", "rerank": true, "offset": 50}',
    ): "expected at most 50 with rerank",
    (
        "search_knowledges",
        '{"knowledges": ["towns"], "file": {"name": "a.png", "base64": ""}}',
    ): "towns contains texts: give query",
    (
        "search_knowledges",
        '{"knowledges": ["towns"], "query": "x", "imagine": {"brightness": 1}}',
    ): "only a world model imagines",
    ("fetch_entries", '{"knowledge": "towns", "ids": [99]}'): "there is no entry 99",
    ("fetch_entries", '{"knowledge": "towns", "ids": [1.5]}'): "fetch_entries: ids.0: input should be a valid integer",
    ("update_entry", '{"knowledge": "towns", "id": 0}'): "has neither text nor metadata, expected one of them",
    ("add_file", '{"knowledge": "towns", "file": {}}'): "file has none of them, expected one of base64, text and path",
    ("add_file", '{"knowledge": "towns", "file": {"text": "a"}}'): "file has no name, expected one such as notes.md",
    (
        "add_file",
        '{"knowledge": "towns", "file": {"name": "../a.md", "text": "a"}}',
    ): "expected the plain name of a file",
    (
        "add_file",
        '{"knowledge": "towns", "file": {"name": "a.exe", "text": "a"}}',
    ): "file is called 'a.exe', expected a name",
    ("add_file", '{"knowledge": "towns", "file": {"name": "a.md", "base64": "?"}}'): "file.base64 is not base64",
    ("add_file", '{"knowledge": "towns", "file": {"name": "a.md", "text": ""}}'): "empty file",
    ("add_file", '{"knowledge": "towns", "file": {"path": "/etc/hosts"}}'): "this server reads no files of its machine",
    ("delete_file", '{"knowledge": "towns", "file": "a.md"}'): "no file 'a.md' was added here; there are none",
    ("create_knowledge", '{"name": "towns"}'): "there is a knowledge 'towns' already; choose another name",
    ("create_knowledge", '{"name": "new", "model": "/etc"}'): "model is '/etc', expected a name such as",
    ("list_knowledges", '{"owner": "other"}'): "list_knowledges has no parameter 'owner', expected limit, offset",
}


@pytest.mark.parametrize(("name", "arguments"), WRONG)
def test_a_wrong_call_is_refused_with_a_sentence(agent, name, arguments):
    sentence = agent.refused(name, **json.loads(arguments))
    assert WRONG[name, arguments] in sentence
    assert "\n" not in sentence
    assert not sentence.endswith(".")


def test_an_unknown_tool_is_an_error_of_the_protocol(agent):
    async def question(client):
        with pytest.raises(
            MCPError, match="there is no tool 'ask', expected one of list_knowledges, describe_knowledge,"
        ):
            await client.call_tool("ask", {})

    agent.ask(question)


def test_rights_are_those_of_the_key(desk):
    reader, nobody = Agent(desk(scope="read")), Agent(desk(owner=None))
    assert "may read this knowledge, but not change it" in reader.refused("delete_entries", knowledge="towns", ids=[0])
    assert reader.refused("create_knowledge", name="mine") == "this key may not write"
    assert nobody.call("list_knowledges") == {"knowledges": [], "of": 0}
    for name, arguments in {
        "search_knowledges": {"knowledges": ["towns"], "query": "x"},
        "create_knowledge": {"name": "mine"},
        "list_models": {},
        "imagine_change": {"file": {"name": "a.png", "base64": png()}, "changes": {"brightness": 0.6}},
    }.items():
        assert nobody.refused(name, **arguments) == "this needs an API key, in the header x-api-key"
    admin = Agent(desk(owner="", scope="admin"))
    listed = {each["title"]: each for each in admin.call("list_knowledges")["knowledges"]}
    secret = listed["secret"]
    assert (secret["name"], secret["owners_name"]) == (secret["contract_id"], "secret")
    assert (
        admin.call("search_knowledges", knowledges=[secret["name"]], query="x")["results"][0]["knowledge"]
        == secret["name"]
    )


def test_a_search_pages_filters_and_explains(agent):
    def find(**more):
        return agent.call("search_knowledges", knowledges=["towns"], query="a tower that is not straight", **more)

    first = find(limit=3)
    assert [len(first["results"]), first["next"]] == [3, "call search_knowledges again with offset 3"]
    assert first["results"][0]["text"] == TOWNS[0]
    rest = find(limit=3, offset=3)
    assert [len(rest["results"]), rest.get("next")] == [1, None]
    assert sorted(each["id"] for each in first["results"] + rest["results"]) == [0, 1, 2, 3]
    assert {each["id"] for each in find(filter={"country": "it"})["results"]} == {0, 2}
    best = find(explain=True, hybrid=True, rerank=True)["results"][0]
    assert best["scores"].keys() == {"vector", "words", "fused", "rerank", "blended"}
    assert best["score"] == best["scores"]["blended"]
    assert best["query_words_in_it"] == ["tower", "is"]
    assert "scores" not in find()["results"][0]
    code = agent.call("search_knowledges", knowledges=["towns"], query="AX-7741", hybrid=True)
    assert code["results"][0]["id"] == 3


def test_a_long_text_comes_in_parts(agent, notes):
    text = "".join(f"{n:05d} " for n in range(6000))
    (id,) = agent.call("add_texts", knowledge=notes, texts=[{"text": text, "metadata": {"long": "m" * 900}}])[
        "added_ids"
    ]
    (found,) = agent.call("search_knowledges", knowledges=[notes], query="numbers", characters=100)["results"]
    assert (found["text"], found["text_continues_at"], found["text_length"]) == (text[:100], 100, len(text))
    assert found["metadata"]["long"] == "m" * bounds.FIELD + "…"
    parts, start = [], 0
    while start is not None:
        (part,) = agent.call("fetch_entries", knowledge=notes, ids=[id], text_from=start, characters=10_000)["entries"]
        parts.append(part["text"])
        start = part.get("text_continues_at")
    assert "".join(parts) == text
    assert len(parts) == 4


def test_what_does_not_fit_into_an_answer_is_named(agent, notes):
    with Knowledge.open(agent.desk.library.store, notes, owner="me") as opened:
        ids = list(opened.insert_vectors([[1.0, n] for n in range(8)], None, ["word " * 3000] * 8))
    answer = agent.call("fetch_entries", knowledge=notes, ids=ids, characters=20_000)
    there = [each["id"] for each in answer["entries"]]
    assert there == ids[:3]
    assert answer["next"] == f"call fetch_entries with ids {ids[3:]}"
    assert len(json.dumps(answer)) < bounds.LONGEST + 2000
    assert bounds.fitting([{"a": "x" * 70_000}]) == [{"a": "x" * 70_000}]
    many = {f"field{n}": n for n in range(60)}
    assert bounds.brief(many)["…"] == "20 more fields"


def test_neighbours_are_those_of_the_file(agent, notes):
    agent.call("add_texts", knowledge=notes, texts=[{"text": "Before the file."}])
    agent.call("add_file", knowledge=notes, file={"name": "guide.md", "text": GUIDE})
    agent.call("add_texts", knowledge=notes, texts=[{"text": "After the file."}])
    agent.call("add_file", knowledge=notes, file={"name": "other.txt", "text": "Another file."})
    with Knowledge.open(agent.desk.library.store, "notes", owner="me") as opened:
        entries = opened.entries()
    of_file = [each.id for each in entries if each.metadata.get("source") == "guide.md"]
    assert len(of_file) >= 4

    def fetch(id, before, after):
        answer = agent.call("fetch_entries", knowledge=notes, ids=[id], before=before, after=after)["entries"]
        assert [each["id"] for each in answer if not each.get("neighbour")] == [id]
        return [each["id"] for each in answer]

    assert fetch(of_file[1], 1, 2) == of_file[:4]
    assert fetch(of_file[0], 3, 1) == of_file[:2]
    assert fetch(of_file[-1], 1, 5) == of_file[-2:]
    assert fetch(0, 1, 1) == [0, of_file[-1] + 1]  # texts without a file are neighbours
    agent.call("delete_entries", knowledge=notes, ids=[of_file[1]])
    assert fetch(of_file[0], 0, 1) == [of_file[0], of_file[2]]


def test_files_are_added_replaced_and_deleted(agent, notes):
    file = {"name": "a.md", "text": "Cats sleep."}
    assert agent.call("add_file", knowledge=notes, file=file) == {"entries_added": 1, "entries_removed": 0}
    again = agent.call("add_file", knowledge=notes, file=file)
    assert again == {"entries_added": 0, "entries_removed": 0, "unchanged": "this content was there already"}
    changed = file | {"text": "Dogs bark."}
    assert agent.call("add_file", knowledge=notes, file=changed) == {"entries_added": 1, "entries_removed": 1}
    rows = base64.b64encode(b"id,what\n1,boats\n2,trains\n").decode()
    table = {"name": "t.csv", "base64": rows}
    assert agent.call("add_file", knowledge=notes, file=table, column="what")["entries_added"] == 2
    told = agent.call("describe_knowledge", knowledge=notes)
    assert [each["name"] for each in told["files"]] == ["a.md", "t.csv"]
    assert set(told["fields"]) >= {"source", "id"}
    assert (told["contains"], told["ask_with"]) == ("texts", ["query", "hybrid", "rerank"])
    assert agent.call("delete_file", knowledge=notes, file="t.csv") == {"deleted_entries": 2}


def test_a_long_call_tells_its_progress(agent, notes):
    shares = []

    async def note(share, total, _):
        shares.append((share, total))

    file = {"name": "guide.md", "text": GUIDE}
    tool = {"knowledge": notes, "file": file}
    told = server(lambda context: _with_progress(agent.desk, context))

    async def run():
        async with Client(told) as client:
            return await client.call_tool("add_file", tool, progress_callback=note)

    assert not asyncio.run(run()).is_error
    assert shares[0] == (0.0, 1.0)
    assert sorted(shares) == shares


def _with_progress(desk, context):
    from dataclasses import replace

    return replace(desk, progress=lambda share: context.session.report_progress(share, 1.0))


def test_paths_are_read_in_the_given_folders_alone(desk, tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a.md").write_text("Owls hunt at night.")
    (outside / "b.md").write_text("A secret.")
    (inside / "link.md").symlink_to(outside / "b.md")
    agent = Agent(desk(folders=(inside,)))
    agent.call("create_knowledge", name="owls")
    added = agent.call("add_file", knowledge="owls", file={"path": str(inside / "a.md")})
    assert added["entries_added"] == 1
    for wrong in (outside / "b.md", inside / "link.md", inside / ".." / "out" / "b.md"):
        sentence = agent.refused("add_file", knowledge="owls", file={"path": str(wrong)})
        assert sentence.endswith(f"expected a file in {inside}")
    assert "there is no such file" in agent.refused("add_file", knowledge="owls", file={"path": str(inside / "c.md")})
    agent.desk.library.remove(agent.desk.caller, "owls")


def test_an_error_of_the_service_tells_nothing_of_it(agent, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("at /home/me/secret")

    monkeypatch.setattr(read.ListKnowledges, "run", broken)
    assert agent.refused("list_knowledges") == "something is wrong with the service; see its log"
    assert "/home/me/secret" in caplog.text


def test_a_photograph_is_searched_for_and_imagined(agent):
    agent.call("create_knowledge", name="photos", model="iwm-mini")
    try:
        for name, colour in {"red.png": (200, 30, 30), "blue.png": (30, 30, 200)}.items():
            agent.call("add_file", knowledge="photos", file={"name": name, "base64": png(colour, noise=40)})
        assert "knows no words: ask with a file" in agent.refused(
            "search_knowledges", knowledges=["photos"], query="red"
        )
        red = {"name": "mine.png", "base64": png((200, 30, 30), noise=40)}
        found = agent.call("search_knowledges", knowledges=["photos"], file=red)["results"]
        assert found[0]["metadata"] == {"source": "red.png"}
        assert all(each["has_picture"] for each in found)
        ids = [each["id"] for each in found]
        for name, more in (("search_knowledges", {"knowledges": ["photos"], "file": red}), ("fetch_entries", {})):
            given = more or {"knowledge": "photos", "ids": ids}
            assert len(agent.result(name, **given).content) == 1
            shown = agent.result(name, **given, pictures=True).content[1]
            with Image.open(io.BytesIO(base64.b64decode(shown.data))) as sheet:
                seen = np.asarray(sheet.convert("RGB")).astype(int)
            assert shown.mime_type == "image/png"
            reds, blues = ((seen[..., a] - seen[..., b] > 100).nonzero()[1] for a, b in ((0, 2), (2, 0)))
            assert len(reds) > 1000 < len(blues)
            assert reds.max() < blues.min()  # from left to right
        imagined = agent.call("search_knowledges", knowledges=["photos"], file=red, imagine={"brightness": 0.6})
        assert len(imagined["results"]) == 2
        assert agent.call("describe_knowledge", knowledge="photos")["ask_with"] == ["file", "imagine"]
        broken = {"name": "a.png", "base64": base64.b64encode(b"no picture").decode()}
        assert agent.refused("add_file", knowledge="photos", file=broken).startswith("not an image")
        sentence = agent.refused("search_knowledges", knowledges=["photos"], file=broken)
        assert sentence.startswith("photos: a.png: not an image")
    finally:
        agent.desk.library.remove(agent.desk.caller, "photos")


def test_a_change_is_imagined(agent, monkeypatch):
    photo = {"name": "a.png", "base64": png(size=(48, 40), noise=120)}
    result = agent.result("imagine_change", file=photo, changes={"brightness": 0.6})
    told = result.structured_content
    assert told["asked"] == {"brightness": 0.6}
    assert 1 <= told["rank_of_the_asked_version"] <= told["of_versions"] == see.BANK
    assert told["nearest_is_the_asked_version"] == (told["rank_of_the_asked_version"] == 1)
    picture = Image.open(io.BytesIO(base64.b64decode(result.content[1].data)))
    assert (picture.format, result.content[1].mime_type) == ("PNG", "image/png")
    assert len(agent.result("imagine_change", file=photo, changes={"hue": 0.1}, picture=False).content) == 1
    models = {each["name"]: each for each in agent.call("list_models")["models"]}
    assert models["iwm-mini"]["tools"] == ["imagine_change"]
    assert models["iwm-mini"]["changes"]["brightness"]["low"] == 0.2
    assert models["vjepa-deep"]["tools"] == ["measure_surprise"]
    assert models["llip-mini"]["tools"] == ["label_picture"]
    for arguments, sentence in (
        ({"changes": {"bright": 0.6}}, "'bright' is not a parameter of this model; it has brightness, contrast"),
        ({"changes": {"brightness": 9}}, "brightness is 9, but this model learned 0.2 to 1.8 (factor)"),
        (
            {"changes": {"hue": 0.1}, "model": "none"},
            "model is 'none', expected one of iwm-mini, llip-mini, vjepa-deep",
        ),
        ({"changes": {"hue": 0.1}, "model": "vjepa-deep"}, "needs a model that can be told of a change"),
    ):
        assert sentence in agent.refused("imagine_change", file=photo, **arguments)
    monkeypatch.setattr("foretell.agents.desk.PIXELS", 1_000_000)
    wide = {"name": "a.png", "base64": png(size=(2000, 600))}
    sentence = "file has 2000 × 600 pixels, expected at most 1 megapixels: make it smaller"
    assert agent.refused("imagine_change", file=wide, changes={"hue": 0.1}) == sentence


def test_names_of_models_are_told_apart(tmp_path):
    (tmp_path / "run").mkdir()
    models = ServedModels([str(tmp_path / "run")])
    assert models.names == ["iwm-mini", "llip-mini", "run", "vjepa-deep", "vjepa-deep-pixels"]
    with pytest.raises(ForetellError, match="two models are called 'iwm-mini': rename"):
        ServedModels([str(tmp_path / "iwm-mini")])


def test_a_question_about_pictures_is_answered(desk, tmp_path):
    reply = "two <b_st><bin_0><bin_0><bin_500><bin_500><b_sep><bin_9><b_ed>"
    place = hub.save(Saying(SayingConfig(image_size=32, pictures=2, reply=reply)), tmp_path / "answers")
    agent = Agent(dataclasses.replace(desk(), models=ServedModels([str(place)])))
    photo = {"name": "a.png", "base64": png(size=(40, 40))}
    models = {each["name"]: each for each in agent.call("list_models")["models"]}
    assert models["answers"] == {"name": "answers", "tools": ["ask_about_pictures"], "pictures_at_most": 2}
    asked = {"files": [photo, photo], "question": "where are the dogs?", "model": "answers"}
    result = agent.result("ask_about_pictures", **asked)
    assert result.structured_content == {
        "text": "two",
        "boxes": [{"image": 0, "box": [0, 0, 20, 20]}],
        "masks": [],
        "points": [],
        "lost": ["a box of 1 numbers, expected 4 numbers"],
        "reply": reply,
    }
    assert result.content[1].mime_type == "image/png"
    assert len(agent.result("ask_about_pictures", picture=False, **asked).content) == 1
    for changed, sentence in (
        ({"files": [photo] * 3}, "found 3 pictures, expected at most 2"),
        ({"files": [{"name": "b.png", "text": "none"}]}, "b.png: not an image"),
        ({"question": " "}, "the question is empty"),
        ({"model": "iwm-mini"}, "asking needs a model that answers questions"),
    ):
        assert sentence in agent.refused("ask_about_pictures", **(asked | changed))
