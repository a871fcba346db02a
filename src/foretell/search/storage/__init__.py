"""Stores keep, search and export entries.

Read on in this order: filters, protocol, open, duplicates, export. `sqlite` keeps a store in a folder, `milvus` on a
server.
"""
