"""Knowledges on a Milvus server, beyond one machine: `milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`.

Read on in this order: client (the wire, and what goes wrong on it), records (what is no entry), collection (entries and
searches), store.
"""
