"""The papers' sizes have the parameters and the operations that others publish, and docs/scale.md has both."""

from pathlib import Path

import pytest
from benchmarks.sizes import PUBLISHED, counted, row
from torchvision.models import get_model_weights

SCALE = Path(__file__).parents[2] / "docs" / "scale.md"


@pytest.mark.parametrize("name", ["ijepa-vith14", "vjepa-vitl16", "vjepa2-vitg-384"])
def test_sizes_are_the_published_ones_and_in_the_docs(name):
    size, said = counted(name), PUBLISHED[name]
    assert size.parameters == pytest.approx(said.parameters, rel=0.01)
    if said.products is not None:
        assert size.products == pytest.approx(said.products, rel=0.01)
    assert "| " + " | ".join(row(name)) + " |" in SCALE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "theirs"), [("ijepa-vitb16", "vit_b_16"), ("ijepa-vith14", "vit_h_14")])
def test_what_is_said_of_torchvision_is_what_torchvision_says(name, theirs):
    ours = PUBLISHED[name]
    of_that_size = [w.meta for w in get_model_weights(theirs) if w.meta["min_size"] == (224, 224)]
    assert any(meta["num_params"] / 1e6 == pytest.approx(ours.parameters, abs=0.05) for meta in of_that_size)
    assert any(meta["_ops"] == pytest.approx(ours.products, abs=0.01) for meta in of_that_size)
