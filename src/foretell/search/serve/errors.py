"""The errors of search as answers over HTTP."""

from __future__ import annotations

import logging

from fastapi import Request, Response

from foretell.errors import ForetellError
from foretell.http.refusal import Refused, problem
from foretell.search.serve import openai
from foretell.search.serve.dria import envelope
from foretell.search.storage.protocol import Busy, Removed, Taken

log = logging.getLogger(__name__)


def refused(error: ForetellError) -> Refused:
    """The refusal that an error of search becomes."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Busy):
        return Refused(503, "another writer is at work; try again", Retry_After="1")
    if error.__cause__ is not None:  # an error of the disk: its sentence names files of this machine
        log.error("%s", error)
        full = "the disk is full" in str(error)
        return Refused(507 if full else 500, "the disk is full" if full else "the store cannot be used; see the log")
    status = 404 if isinstance(error, Removed) else 409 if isinstance(error, Taken) else 400
    return Refused(status, str(error))


def respond(request: Request, error: ForetellError) -> Response:
    """Answer an error: as Dria's or OpenAI's clients expect it on their paths, elsewhere as a problem (RFC 9457)."""
    refusal, path = refused(error), request.scope["path"]
    if path in openai.PATHS:
        return openai.openai_error(refusal)
    if path.startswith(envelope.PATHS):
        return envelope.enveloped(str(refusal), refusal.status, refusal.headers)
    return problem(refusal)
