"""The one error, and the one warning, that are meant for a person."""


class ForetellError(Exception):
    """Something the user can mend.

    The message is one sentence or two: the file or field, what was found, what was expected, what to do.
    The command line prints it on standard error and exits with status 1; no traceback.
    """


class ForetellWarning(UserWarning):
    """Something the user should know before going on; the command line prints it as one sentence."""
