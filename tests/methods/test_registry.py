import dataclasses

import pytest

from foretell.method import Method
from foretell.methods import METHODS

SHIPPED = [name for name, entry in METHODS.items() if entry.kind.__module__.startswith("foretell.")]
"""Other tests register methods of their own."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_method_is_built_from_a_frozen_configuration_whose_defaults_work(name):
    build, configuration = METHODS[name]
    config = configuration()
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.encoder = None
    model = build(config)
    assert isinstance(model, Method)
    assert model.config is config


@pytest.mark.parametrize("name", SHIPPED)
def test_a_method_says_where_it_comes_from_and_how_it_differs(name):
    module = __import__(METHODS[name][0].__module__, fromlist=["__doc__"])
    assert "arXiv:" in module.__doc__
    assert "Differs from the paper:" in module.__doc__
