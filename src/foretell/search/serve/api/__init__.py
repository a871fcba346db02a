"""The service's own API, under /api/v1.

A knowledge has two names here: its contract id, and, for its owner, its name.
"""
