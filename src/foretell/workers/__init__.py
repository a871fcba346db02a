"""Functions that run in child processes, with limits on memory and computing time, and can be stopped at any time.

Files and models that may fail in any way are used there: documents are parsed, pictures decoded, passages reranked. A
harmful file ends its process and nothing else. Read on in this order: wire (values as lines), child (the process),
worker (its parent).
"""
