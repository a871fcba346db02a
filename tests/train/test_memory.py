"""What is freed is not cleared by the kernel again."""

import platform
import subprocess
import sys

import pytest

KIND, VERSION = platform.libc_ver()
OTHER = KIND != "glibc" or tuple(map(int, VERSION.split("."))) < (2, 35)

FAULTS = """
import resource, sys, torch
from foretell.train.world import enter
if sys.argv[1] == "kept":
    enter("cpu")
def faults():
    torch.zeros(2**24)  # 64 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = [faults() for _ in range(3)][-1]  # what is kept finds its place
print([faults() for _ in range(8)][-1] - before)
"""


@pytest.mark.skipif(OTHER, reason="of glibc 2.35 and newer")
def test_memory_that_was_freed_is_kept():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert faults["given back"] > 4 * faults["kept"], faults
    assert faults["given back"] >= 8 * 32, faults  # a page of 2 MiB at the most
