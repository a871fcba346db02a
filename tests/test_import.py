"""`import foretell` costs no more than `import torch`."""

import subprocess
import sys

LOADED = """
import sys, torch
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
HEAVY = {"torchvision", "matplotlib", "pyarrow", "av", "pydantic", "tyro", "rich", "huggingface_hub"}


def loaded(module: str) -> set[str]:
    code = LOADED.format(module=module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_foretell_imports_nothing_that_torch_does_not():
    assert loaded("foretell") <= {"foretell", "jaxtyping", "wadler_lindig"}


def test_the_models_need_torch_alone():
    assert not loaded("foretell.methods") & (HEAVY | {"beartype"})
