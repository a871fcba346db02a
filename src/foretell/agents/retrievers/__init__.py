"""Knowledges as retrievers of other libraries: `langchain` and `llamaindex`, each with its own extra."""
