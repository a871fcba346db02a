"""Retrievers of LangChain and LlamaIndex."""

import asyncio

import pytest

from foretell.errors import ForetellError
from foretell.search import Knowledge


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Two knowledges of texts."""
    store = tmp_path_factory.mktemp("shelf") / "store"
    with Knowledge.create(store, "papers") as papers, Knowledge.create(store, "notes") as notes:
        papers.insert(
            ["A world model predicts latents.", "Masks hide parts of an image."], [{"year": 2024}, {"year": 2023}]
        )
        notes.insert(["Buy bread.", "Soup is hot."])
        yield papers, notes


def test_langchain_gets_documents(shelf):
    pytest.importorskip("langchain_core", reason="needs the extra langchain")
    from langchain_core.retrievers import BaseRetriever

    from foretell.agents.retrievers.langchain import LangChainRetriever

    retriever = LangChainRetriever(knowledges=shelf, top=2)
    assert isinstance(retriever, BaseRetriever)
    best, second = retriever.invoke("what does a world model predict")
    assert best.page_content == "A world model predicts latents."
    assert best.metadata == {"year": 2024, "score": best.metadata["score"], "knowledge": "papers", "entry_id": 0}
    assert best.metadata["score"] > second.metadata["score"]
    assert best.id == shelf[0].fetch([0])[0].key
    assert asyncio.run(retriever.ainvoke("bread"))[0].page_content == "Buy bread."
    (old,) = LangChainRetriever(knowledges=shelf, filter={"year": {"<": 2024}}).invoke("a model")
    assert old.page_content == "Masks hide parts of an image."
    with pytest.raises(ForetellError, match="expected 1 to 32"):
        LangChainRetriever(knowledges=[]).invoke("x")


def test_llamaindex_gets_nodes(shelf):
    pytest.importorskip("llama_index.core", reason="needs the extra llamaindex")
    from llama_index.core.base.base_retriever import BaseRetriever

    from foretell.agents.retrievers.llamaindex import LlamaIndexRetriever

    retriever = LlamaIndexRetriever(shelf, top=2)
    assert isinstance(retriever, BaseRetriever)
    best, second = retriever.retrieve("what does a world model predict")
    assert (best.text, best.metadata["knowledge"], best.metadata["year"]) == (
        "A world model predicts latents.",
        "papers",
        2024,
    )
    assert best.score > second.score
    assert best.node.node_id == shelf[0].fetch([0])[0].key
    assert asyncio.run(retriever.aretrieve("bread"))[0].text == "Buy bread."
    (reranked,) = LlamaIndexRetriever(shelf, top=1, rerank=True).retrieve("which food is hot")
    assert reranked.text == "Soup is hot."
