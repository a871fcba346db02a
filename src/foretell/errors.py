"""The one error that is meant for a person."""


class ForetellError(Exception):
    """Something the user can mend.

    The message is one sentence or two: the file or field, what was found, what was expected, what to do.
    The command line prints it on standard error and exits with status 1; no traceback.
    """
