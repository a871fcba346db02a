"""Freed memory that stays with the process.

A step frees the memory of its backward pass and allocates the same again a moment later. glibc returns blocks of 32 MiB
and more to the system at once. The kernel clears every page when the process allocates them again. With long sequences
that takes a fifth of a step (docs/speed.md).
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_…, of glibc's malloc.h


def keep_freed() -> None:
    """Make glibc keep freed memory, as torch does on a GPU. With another C library nothing changes.

    The memory of a process stays at its peak. An older glibc (before 2.35) refuses the second threshold and keeps its
    own.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError):  # another C library, or Windows
        return
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_MMAP_THRESHOLD, 2**30)
