"""A server of pages must not wait for torch, and must not need search."""

import subprocess
import sys

LOADED = """
import sys
import foretell.http.gate, foretell.http.service
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("foretell", "torch")))
"""


def test_http_imports_neither_torch_nor_the_rest_of_foretell():
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"foretell", "foretell.errors", "foretell.http", "foretell.http.gate"} <= loaded
    allowed = ("foretell.http", "foretell.errors", "foretell.stop", "foretell.lazy")  # `foretell` needs `lazy` itself
    assert not {name for name in loaded if not name.startswith(allowed)} - {"foretell"}
