"""Tools that write: make a knowledge, add texts and files, change and delete entries, and build an index."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from foretell.agents.desk import Desk, SentFile
from foretell.agents.read import KnowledgeRef
from foretell.agents.tool import AgentTool, Effects, ToolAnswer
from foretell.errors import ForetellError
from foretell.search import ingest
from foretell.search.add import Added, AddProgress, steps
from foretell.search.ingest.block import Metadata
from foretell.search.models.text import DEFAULT
from foretell.search.serve.api.bodies import ID, LongText, RequestBody

BATCH = 100
"""The most texts, or ids, of one call."""
SHOWN = 20
"""The most reasons that an answer tells."""

EntryIds = Annotated[
    list[Annotated[int, Field(ge=0, le=ID)]],
    Field(min_length=1, max_length=BATCH, description="ids of entries, from a search"),
]


class CreateKnowledge(AgentTool):
    """Make an empty knowledge, to add texts or files to. Ask the user before you make one public."""

    tool: ClassVar[str] = "create_knowledge"
    effects: ClassVar[Effects] = Effects(writes=True, again=False)
    name: Annotated[str, Field(min_length=1, max_length=200, description="one line without slashes, such as papers")]
    title: Annotated[str, Field(max_length=1000)] = ""
    description: LongText = ""
    category: Annotated[str, Field(max_length=1000, description="such as Artificial Intelligence")] = ""
    model: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="the model that embeds: the default for texts, iwm-mini for photographs, vjepa-deep for videos",
        ),
    ] = DEFAULT
    public: Annotated[bool, Field(description="whether everyone may read it without a key")] = False

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        about = await desk.write(lambda: desk.library.create(desk.caller, **self.model_dump()).about)
        return ToolAnswer({"created": about.name, "contract_id": about.contract_id, "model": about.model})


class NewPassage(RequestBody):
    """A passage to add, and what filters can use."""

    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    metadata: Annotated[Metadata, Field(description='flat: {"lang": "en", "year": 2024}', default_factory=dict)]


class AddTexts(AgentTool):
    """Add passages of text to a knowledge of texts; each becomes one entry. For a whole document use add_file, which
    cuts it into passages. Adding the same text twice makes two entries.
    """

    tool: ClassVar[str] = "add_texts"
    effects: ClassVar[Effects] = Effects(writes=True, again=False)
    knowledge: KnowledgeRef
    texts: Annotated[list[NewPassage], Field(min_length=1, max_length=BATCH)]

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""

        def run() -> Sequence[int]:
            knowledge = desk.find(self.knowledge, write=True)
            return knowledge.insert([each.text for each in self.texts], [each.metadata for each in self.texts])

        return ToolAnswer({"added_ids": list(await desk.write(run))})


class AddFile(AgentTool):
    """Add a file to a knowledge: a document (PDF, Markdown, HTML, CSV, JSON, text …) that is cut into passages, or a
    photograph or video where the knowledge contains these. A file of the same name is replaced; unchanged content adds
    nothing.
    """

    tool: ClassVar[str] = "add_file"
    effects: ClassVar[Effects] = Effects(writes=True, destroys=True)
    knowledge: KnowledgeRef
    file: SentFile
    column: Annotated[
        str | None, Field(max_length=200, description="of tables and records: the column whose texts are searched")
    ] = None

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        added = Added()
        await desk.search(lambda: desk.find(self.knowledge, write=True))  # a refusal comes before the queue
        await desk.steps(lambda: self._steps(desk, added))
        reasons = [reason for _, reason in added.skipped]
        if not added.files + added.unchanged:
            raise ForetellError("; ".join(reasons[:SHOWN]) or "the file could not be used")
        told: dict[str, Any] = {"entries_added": added.entries, "entries_removed": added.removed}
        if added.unchanged:
            told["unchanged"] = "this content was there already"
        if reasons:
            told |= {"not_used": reasons[:SHOWN], "not_used_in_all": len(reasons)}
        return ToolAnswer(told)

    def _steps(self, desk: Desk, added: Added) -> Generator[AddProgress, None, None]:
        knowledge = desk.find(self.knowledge, write=True)
        model = knowledge.model
        endings = ingest.ENDINGS if model.kind == "text" else model.endings
        with desk.file(self.file, endings, "file") as given:
            yield from steps(knowledge.collection, model, [given.path], added, self.column, base=given.base)
            for place, (path, reason) in enumerate(added.skipped):
                added.skipped[place] = path, reason.replace(str(given.path), given.name)
        knowledge.collection.build_behind()


class UpdateEntry(AgentTool):
    """Change the text or the metadata of one entry. What you leave out stays as it is; metadata is replaced as a whole.
    A new text is embedded again.
    """

    tool: ClassVar[str] = "update_entry"
    effects: ClassVar[Effects] = Effects(writes=True, destroys=True)
    knowledge: KnowledgeRef
    id: Annotated[int, Field(ge=0, le=ID, description="from a search")]
    text: Annotated[str | None, Field(min_length=1, max_length=1_000_000)] = None
    metadata: Annotated[Metadata | None, Field(description="all fields that the entry shall have")] = None

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        if self.text is None and self.metadata is None:
            raise ForetellError("update_entry has neither text nor metadata, expected one of them")
        await desk.write(
            lambda: desk.find(self.knowledge, write=True).update(self.id, text=self.text, metadata=self.metadata)
        )
        changed = [name for name in ("text", "metadata") if getattr(self, name) is not None]
        return ToolAnswer({"updated_id": self.id, "changed": changed})


class DeleteEntries(AgentTool):
    """Delete entries by their ids, for ever. Ask the user first."""

    tool: ClassVar[str] = "delete_entries"
    effects: ClassVar[Effects] = Effects(writes=True, destroys=True)
    knowledge: KnowledgeRef
    ids: EntryIds

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""

        def run() -> tuple[int, Sequence[int]]:
            knowledge = desk.find(self.knowledge, write=True)
            there = {entry.id for entry in knowledge.collection.fetch(self.ids)}
            return knowledge.delete(self.ids), [id for id in self.ids if id not in there]

        deleted, unknown = await desk.write(run)
        return ToolAnswer({"deleted": deleted} | ({"unknown_ids": unknown} if unknown else {}))


class DeleteFile(AgentTool):
    """Delete a file of a knowledge with all its entries, for ever. Ask the user first."""

    tool: ClassVar[str] = "delete_file"
    effects: ClassVar[Effects] = Effects(writes=True, destroys=True)
    knowledge: KnowledgeRef
    file: Annotated[str, Field(min_length=1, max_length=4000, description="its name, from describe_knowledge")]

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""

        def run() -> int:
            knowledge = desk.find(self.knowledge, write=True)
            names = [each.name for each in knowledge.files()]
            if self.file not in names:
                raise ForetellError(
                    f"no file {self.file!r:.80} was added here; there are {', '.join(names[:SHOWN]) or 'none'}"
                )
            return knowledge.remove_file(self.file)

        return ToolAnswer({"deleted_entries": await desk.write(run)})


class Reindex(AgentTool):
    """Build the search index of a large knowledge now, after much was added or deleted. Searches are right without it,
    and faster with it. Small knowledges need none.
    """

    tool: ClassVar[str] = "reindex_knowledge"
    effects: ClassVar[Effects] = Effects(writes=True)
    knowledge: KnowledgeRef

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        built = False

        def run() -> Generator[AddProgress, None, None]:
            nonlocal built
            knowledge = desk.find(self.knowledge, write=True)
            built = knowledge.build()
            yield from ()

        await desk.steps(run)
        return ToolAnswer({"built": built, "index": "was built anew" if built else "was up to date, or is not needed"})
