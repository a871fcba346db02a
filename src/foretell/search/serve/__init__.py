"""A store over HTTP: an API of its own under /api/v1, and beside it what Dria's clients send.

Read on in this order: settings, refusal, gate (keys, limits, metrics), library (who may use which knowledge), work
(threads), route, api, batches and dria, app.
"""
