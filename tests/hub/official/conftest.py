import importlib.util
from pathlib import Path

import pytest

from foretell.errors import ForetellWarning


@pytest.fixture(scope="session")
def layouts():
    """Official layouts with random weights (layouts.py, which --import-mode=importlib does not put on the path)."""
    spec = importlib.util.spec_from_file_location("layouts", Path(__file__).parent / "layouts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def encoder_only():
    """Loading must say that there is an encoder only."""
    return lambda: pytest.warns(ForetellWarning, match="encoder only.*untrained")
