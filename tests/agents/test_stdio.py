"""`foretell mcp`, started as an agent starts it."""

import asyncio
import os
import sys

import pytest
from mcp import Client, StdioServerParameters

from foretell.cli import main


def test_an_agent_starts_the_command_and_works_with_it(tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "owls.md").write_text("Owls hunt at night.")
    arguments = ["-m", "foretell", "mcp", "--store", str(tmp_path / "store"), "--files", str(tmp_path / "papers")]
    started = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def run():
        async with Client(started) as client:
            assert client.server_info.name == "foretell"
            await client.call_tool("create_knowledge", {"name": "birds"})
            file = {"path": str(tmp_path / "papers" / "owls.md")}
            added = await client.call_tool("add_file", {"knowledge": "birds", "file": file})
            assert added.structured_content["entries_added"] == 1
            question = {"knowledges": ["birds"], "query": "When do owls hunt?"}
            return (await client.call_tool("search_knowledges", question)).structured_content

    assert asyncio.run(run())["results"][0]["metadata"] == {"source": "owls.md"}


def test_reading_only_leaves_out_what_writes(tmp_path):
    arguments = ["-m", "foretell", "mcp", "--store", str(tmp_path / "store"), "--read-only"]

    async def run():
        started = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
        async with Client(started, mode="legacy") as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    tools = asyncio.run(run())
    assert "search_knowledges" in tools
    assert not {"create_knowledge", "add_texts", "add_file", "update_entry", "delete_entries", "delete_file"} & set(
        tools
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing from foretell mcp: --data STR, --store STR (see foretell mcp --help)"),
        (["--store", "s", "--files", "nowhere"], "--files nowhere is not a folder, expected one"),
        (["--store", "s", "--reranker", "none"], "there is no reranker 'none'"),
    ],
)
def test_wrong_flags_end_in_a_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["mcp", *arguments])
    told = capsys.readouterr().err
    assert sentence in told
    assert told.startswith("foretell: ")
