"""A store on a Milvus server, for many machines: `milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`.

Read on in this order: client (calls to the server, and its errors), records (descriptions, files and keys), collection
(entries and searches), store.
"""
