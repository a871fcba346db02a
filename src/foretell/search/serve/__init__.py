"""A store over HTTP: an API of its own under /api/v1, and the paths that Dria's clients use.

Read on in this order: `foretell.http` (limits, threads, errors), keys and library (the rights of a caller), call, api
(a router for each resource), dria, errors, app.
"""
