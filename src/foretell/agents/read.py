"""Tools that read: list and describe knowledges, search them, and fetch entries with their neighbours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from foretell.agents.bounds import brief, cut, fitting
from foretell.agents.desk import Desk, SentFile
from foretell.agents.sheet import sheet
from foretell.agents.tool import AgentTool, ToolAnswer
from foretell.errors import ForetellError
from foretell.search.entries import Entry, Hit
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.bodies import ID
from foretell.search.several import (
    MOST_SEARCHED,
    KnowledgeHit,
    SeveralHits,
    check_readable,
    find_in_several,
)
from foretell.search.storage.protocol import About

DEEPEST = 1000
"""The last result of a search that an agent can reach."""
READ_MOST = 50
"""The last result of a reranked search that an agent can reach."""
AROUND = 200
"""Entries with ids so near are looked through for the neighbours of an entry."""
SAMPLE = 50
"""The first entries, from which the fields of a knowledge's metadata are told."""

KnowledgeRef = Annotated[
    str, Field(min_length=1, max_length=200, description="name or contract_id of a knowledge, from list_knowledges")
]


ShowPictures = Annotated[
    bool, Field(description="show the entries that say has_picture, small and labelled by their ids, as one picture")
]


class ListKnowledges(AgentTool):
    """List the knowledges that you may read: collections of passages, photographs or videos that are searched by
    meaning. Call this first. Every other tool takes a knowledge by the name or the contract_id that is listed here.
    """

    tool: ClassVar[str] = "list_knowledges"
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    offset: Annotated[int, Field(ge=0, description="the number of knowledges to pass over")] = 0

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        abouts = await desk.search(lambda: desk.library.visible(desk.caller))
        shown = fitting([_short(each, desk) for each in abouts[self.offset : self.offset + self.limit]])
        end = self.offset + len(shown)
        more = {"next": f"call list_knowledges with offset {end}"} if end < len(abouts) else {}
        return ToolAnswer({"knowledges": shown, "of": len(abouts), **more})


class DescribeKnowledge(AgentTool):
    """Describe one knowledge: its title, what it contains, how it can be searched, the metadata fields that filters can
    use, its files, and its first entries.
    """

    tool: ClassVar[str] = "describe_knowledge"
    knowledge: KnowledgeRef
    files_offset: Annotated[int, Field(ge=0, description="the number of files to pass over")] = 0

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        return ToolAnswer(await desk.search(lambda: self._told(desk.find(self.knowledge), desk)))

    def _told(self, knowledge: Knowledge, desk: Desk) -> dict[str, Any]:
        about, files, first = knowledge.about, knowledge.files(), knowledge.entries(0, SAMPLE)
        shown = fitting([vars(file) for file in files[self.files_offset :][:50]], 20_000)
        end = self.files_offset + len(shown)
        more = {"next_files": f"call describe_knowledge with files_offset {end}"} if end < len(files) else {}
        return {
            **_short(about, desk),
            "description": about.description[:4000],
            "created": about.created,
            "file_type": about.file_type,
            "embedding_model": about.model,
            "index_type": about.index_type,
            "dimension": about.dimension,
            **_searched(knowledge),
            "fields": _examples(first),
            "files": shown,
            "files_in_all": len(files),
            **more,
            "first_entries": [_entry(each, 0, 400) for each in first[:3]],
        }


class SearchKnowledges(AgentTool):
    """Search one or several knowledges by meaning, and get the best entries first. Give either query (words) or file (a
    photograph or a video to compare with). Several knowledges are searched at once; the answer says how their scores
    were made comparable. Long passages are cut: fetch_entries gives the rest and the passages around them.
    """

    tool: ClassVar[str] = "search_knowledges"
    knowledges: Annotated[
        list[KnowledgeRef], Field(min_length=1, max_length=MOST_SEARCHED, description="names or contract_ids")
    ]
    query: Annotated[
        str | None, Field(min_length=1, max_length=10_000, description="a question or words, in plain language")
    ] = None
    file: Annotated[
        SentFile | None, Field(description="a photograph or a video, for knowledges of photographs or videos")
    ] = None
    limit: Annotated[int, Field(ge=1, le=50, description="the most results")] = 8
    offset: Annotated[int, Field(ge=0, le=DEEPEST, description="the number of results to pass over")] = 0
    filter: Annotated[
        dict[str, Any] | None,
        Field(
            description='conditions on metadata fields; all must hold: {"source": "a.pdf", "lang": ["en", "de"], '
            '"page": {">=": 3, "<": 9}, "draft": {"!=": true}}'
        ),
    ] = None
    hybrid: Annotated[
        bool, Field(description="also look for the query's own words (BM25): for names, codes and rare terms")
    ] = False
    rerank: Annotated[
        bool, Field(description="let a slower, more careful model sort the best 20 to 50 passages; takes seconds")
    ] = False
    imagine: Annotated[
        dict[str, float] | None,
        Field(
            description='with file: search for it as a world model imagines it after a change: {"brightness": 0.6}; of '
            'clips of steps {"next": 1} for what could follow'
        ),
    ] = None
    explain: Annotated[bool, Field(description="tell each result's scores apart, and which query words it has")] = False
    characters: Annotated[int, Field(ge=50, le=4000, description="the most characters shown of each passage")] = 1000
    pictures: ShowPictures = False

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        last = self.offset + self.limit
        if (self.query is None) == (self.file is None):
            found = "neither" if self.query is None else "both"
            raise ForetellError(f"search_knowledges has {found} of query and file, expected one of them")
        if last > (READ_MOST if self.rerank else DEEPEST):
            most = f"{READ_MOST} with rerank" if self.rerank else f"{DEEPEST}"
            raise ForetellError(f"offset and limit reach result {last}, expected at most {most}: ask more precisely")
        wanted = max(last + 1, desk.most_read()) if self.rerank else last + 1
        found = await desk.search(lambda: self._found(desk, wanted))
        if self.rerank and self.query is not None:
            found = SeveralHits("rerank", await desk.rerank(self.query, found.hits, wanted))
        names = await desk.search(lambda: {desk.find(each).collection.contract_id: each for each in self.knowledges})
        results = fitting([self._result(hit, names) for hit in found.hits[self.offset : last]])
        end = self.offset + len(results)
        answer: dict[str, Any] = {"results": results, "scores": found.scores}
        if end < len(found.hits):
            answer["next"] = f"call search_knowledges again with offset {end}"
        if not self.pictures:
            return ToolAnswer(answer)
        shown = [(hit.contract_id, hit) for hit in found.hits[self.offset : end]]
        return ToolAnswer(answer, await desk.search(lambda: _small(desk, shown)))

    def _found(self, desk: Desk, wanted: int) -> SeveralHits:
        knowledges = [desk.find(name) for name in self.knowledges]
        options = {"filter": self.filter, "hybrid": self.hybrid, "imagine": self.imagine}
        if self.rerank:
            check_readable(knowledges)
        if self.file is None:
            return find_in_several(knowledges, self.query or "", wanted, **options)
        media = [each.model for each in knowledges if each.model.kind != "text"]
        if len(media) < len(knowledges):
            name = next(each for each in knowledges if each.model.kind == "text").collection.record().name
            raise ForetellError(f"{name} contains texts: give query instead of file")
        readable = frozenset.intersection(*(model.stills | model.films for model in media))
        with desk.file(self.file, readable, "file") as given:
            return find_in_several(knowledges, given.path, wanted, **options)

    def _result(self, hit: KnowledgeHit, names: Mapping[str, str]) -> dict[str, Any]:
        told = {"knowledge": names[hit.contract_id], "score": _rounded(hit.score), **_entry(hit, 0, self.characters)}
        if self.explain:
            told["scores"] = {name: _rounded(value) for name, value in hit.scores.items()}
            if self.query:
                told["query_words_in_it"] = _shared(self.query, hit.text)
        return told


class FetchEntries(AgentTool):
    """Fetch whole entries by their ids, with their neighbours: the passages before and after them in the same file. A
    long text comes in parts: where an answer has text_continues_at, call again with that number as text_from.
    """

    tool: ClassVar[str] = "fetch_entries"
    knowledge: KnowledgeRef
    ids: Annotated[
        list[Annotated[int, Field(ge=0, le=ID)]], Field(min_length=1, max_length=20, description="ids from a search")
    ]
    before: Annotated[int, Field(ge=0, le=20, description="the number of passages before each")] = 0
    after: Annotated[int, Field(ge=0, le=20, description="the number of passages after each")] = 0
    text_from: Annotated[int, Field(ge=0, description="the first character to show of each text")] = 0
    characters: Annotated[int, Field(ge=50, le=20_000, description="the most characters shown of each text")] = 8000
    pictures: ShowPictures = False

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        entries, asked = await desk.search(lambda: self._read(desk.find(self.knowledge)))
        told = [
            _entry(each, self.text_from, self.characters) | ({} if each.id in asked else {"neighbour": True})
            for each in entries
        ]
        shown = fitting(told)
        left = [each["id"] for each in told[len(shown) :]]
        answer = {"entries": shown} | ({"next": f"call fetch_entries with ids {left[:20]}"} if left else {})
        if not self.pictures:
            return ToolAnswer(answer)
        seen = [(self.knowledge, each) for each in entries[: len(shown)]]
        return ToolAnswer(answer, await desk.search(lambda: _small(desk, seen)))

    def _read(self, knowledge: Knowledge) -> tuple[Sequence[Entry], set[int]]:
        asked = knowledge.fetch(self.ids)
        every: dict[int, Entry] = {}
        for entry in asked:
            for each in neighbours(knowledge, entry, self.before, self.after):
                every.setdefault(each.id, each)
        return list(every.values()), set(self.ids)


def _small(desk: Desk, entries: Sequence[tuple[str, Hit | Entry]]) -> Sequence[bytes]:
    """The small pictures of entries, each with the name of its knowledge, on one sheet; none where none has one."""
    several, small = len({name for name, _ in entries}) > 1, dict[str, bytes]()
    for place, (name, entry) in enumerate(entries, 1):
        if entry.has_thumbnail:
            label = f"result {place}: entry {entry.id}" if several else f"entry {entry.id}"
            if file := desk.find(name).collection.thumbnails([entry.id]).get(entry.id):
                small[label] = file
    return [sheet(small)] if small else []


def neighbours(knowledge: Knowledge, entry: Entry, before: int, after: int) -> Sequence[Entry]:
    """An entry with those before and after it in its file, by id.

    Ids grow along a file. Passages that a changed file has gained have larger ids than those that it kept.
    """
    if not before and not after:
        return [entry]
    near = knowledge.entries(max(0, entry.id - AROUND), 2 * AROUND + 1)
    source = entry.metadata.get("source")
    same = [each for each in near if each.metadata.get("source") == source]
    place = next((place for place, each in enumerate(same) if each.id == entry.id), None)
    if place is None:  # deleted meanwhile
        return [entry]
    return same[max(0, place - before) : place + after + 1]


def _short(about: About, desk: Desk) -> dict[str, Any]:
    """A knowledge in a line, and the name that this caller can call it by."""
    own = desk.caller is not None and desk.caller.owner == about.owner
    return {
        "name": about.name if own else about.contract_id,
        **({} if own else {"owners_name": about.name}),
        "contract_id": about.contract_id,
        "title": about.title[:200],
        "category": about.category[:200],
        "entries": about.count,
        "model": about.model[:200],
        "public": about.public,
    }


def _searched(knowledge: Knowledge) -> dict[str, Any]:
    """What a knowledge contains, and what it can be asked with."""
    try:
        model = knowledge.model
    except ForetellError:
        return {"contains": "vectors of a model that is not here", "ask_with": []}
    if model.kind == "text":
        return {"contains": "texts", "ask_with": ["query", "hybrid", "rerank"]}
    return {"contains": model.of, "ask_with": ["file", "imagine", *(["query"] if model.words else [])]}


def _examples(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """Fields of metadata, with up to three values of each."""
    found: dict[str, list[Any]] = {}
    for entry in entries:
        fields = brief(entry.metadata) | ({"page": entry.page} if entry.page is not None else {})
        for name, value in fields.items():
            values = found.setdefault(name, [])
            if value not in values and len(values) < 3:
                values.append(value)
    return dict(list(found.items())[:40])


def _entry(entry: Entry | Hit, start: int, characters: int) -> dict[str, Any]:
    """An entry for an agent, without what is empty."""
    told: dict[str, Any] = {"id": entry.id, **cut(entry.text, start, characters)}
    if entry.page is not None:
        told["page"] = entry.page
    if entry.time is not None:
        told["seconds"] = list(entry.time)
    if entry.has_thumbnail:
        told["has_picture"] = True
    return told | ({"metadata": brief(entry.metadata)} if entry.metadata else {})


def _shared(query: str, text: str) -> Sequence[str]:
    words: Mapping[str, None] = dict.fromkeys(re.findall(r"\w+", query.casefold()))
    there = set(re.findall(r"\w+", text.casefold()))
    return [word for word in words if word in there]


def _rounded(score: float) -> float:
    return round(float(score), 4)
