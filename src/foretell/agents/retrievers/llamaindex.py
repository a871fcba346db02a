"""A retriever of LlamaIndex over knowledges of foretell. It needs the extra `llamaindex`."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from foretell.agents.retrievers.described import described
from foretell.search.knowledge import Knowledge
from foretell.search.several import search_several
from foretell.search.storage.filters import Filter


class LlamaIndexRetriever(BaseRetriever):
    """Finds passages for LlamaIndex, in one or several knowledges.

    A node has the passage as its text, the entry's key as `id_`, and as metadata that of the entry, with `score`,
    `knowledge`, `entry_id`, and `page` or `seconds` where the entry has one.

    ```python
    retriever = LlamaIndexRetriever([papers], top=4, rerank=True)
    nodes = retriever.retrieve("what does the predictor learn?")
    ```

    Args:
        knowledges: opened knowledges of texts.
        top: how many passages.
        filter: conditions on metadata, as of `Knowledge.search`.
        hybrid: also look for the query's words.
        rerank: let a reranker sort the best passages.
        level: the effort of the search, 0 to 4.
    """

    def __init__(
        self,
        knowledges: Sequence[Knowledge],
        top: int = 4,
        *,
        filter: Filter | None = None,
        hybrid: bool = False,
        rerank: bool | str = False,
        level: int = 2,
    ) -> None:
        super().__init__()
        self.knowledges, self.top, self.filter = knowledges, top, filter
        self.hybrid, self.rerank, self.level = hybrid, rerank, level

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = search_several(
            self.knowledges,
            query_bundle.query_str,
            self.top,
            level=self.level,
            filter=self.filter,
            rerank=self.rerank,
            hybrid=self.hybrid,
        )
        return [
            NodeWithScore(node=TextNode(text=hit.text, id_=hit.key, metadata=described(hit)), score=hit.score)
            for hit in found.hits
        ]
