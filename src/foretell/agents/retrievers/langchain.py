"""A retriever of LangChain over knowledges of foretell. It needs the extra `langchain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from foretell.agents.retrievers.described import described
from foretell.search.knowledge import Knowledge
from foretell.search.several import search_several


class LangChainRetriever(BaseRetriever):
    """Finds passages for LangChain, in one or several knowledges.

    A document has the passage as `page_content`, the entry's key as `id`, and as metadata that of the entry, with
    `score`, `knowledge`, `entry_id`, and `page` or `seconds` where the entry has one.

    ```python
    retriever = LangChainRetriever(knowledges=[papers], top=4, rerank=True)
    documents = retriever.invoke("what does the predictor learn?")
    ```
    """

    knowledges: Sequence[Knowledge]
    """Opened knowledges of texts."""
    top: int = 4
    """How many passages."""
    filter: dict[str, Any] | None = None
    """Conditions on metadata, as of `Knowledge.search`."""
    hybrid: bool = False
    """Also look for the query's words."""
    rerank: bool | str = False
    """Let a reranker sort the best passages."""
    level: int = 2
    """The effort of the search, 0 to 4."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = search_several(
            self.knowledges,
            query,
            self.top,
            level=self.level,
            filter=self.filter,
            rerank=self.rerank,
            hybrid=self.hybrid,
        )
        return [Document(page_content=hit.text, id=hit.key, metadata=described(hit)) for hit in found.hits]
