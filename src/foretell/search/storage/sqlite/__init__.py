"""A store in a folder: one SQLite file, and graphs beside it.

Read on in this order: database, records (entries as rows), flat and graph (nearest neighbours), collection, store.
"""
