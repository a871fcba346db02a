"""The kernel does not clear freed memory again."""

import platform
import subprocess
import sys

import pytest

KIND, VERSION = platform.libc_ver()
OTHER = KIND != "glibc" or tuple(map(int, VERSION.split("."))) < (2, 35)

FAULTS = """
import resource, statistics, sys, torch
from foretell.train.world import enter
if sys.argv[1] == "kept":
    enter("cpu")
def faults():
    torch.zeros(2**24)  # 64 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
counts = [faults() for _ in range(17)]
print(int(statistics.median(after - before for before, after in zip(counts, counts[1:]))))
"""


@pytest.mark.skipif(OTHER, reason="of glibc 2.35 and newer")
def test_memory_that_was_freed_is_kept():
    """By the median: the heap moves sometimes until the kept blocks have their place."""
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert faults["given back"] > 4 * faults["kept"], faults
    assert faults["given back"] >= 32, faults  # pages of 2 MiB at the most
