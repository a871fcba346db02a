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
torch.zeros(2**24)  # 64 MiB, given back
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.zeros(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(OTHER, reason="of glibc 2.35 and newer")
def test_memory_that_was_freed_is_kept():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert faults["given back"] > 20 * max(faults["kept"], 1), faults
