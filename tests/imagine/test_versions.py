"""Many changes of one picture."""

import pytest
import torch

import foretell
from foretell.errors import ForetellError
from foretell.imagine import Versions, imagine


@pytest.fixture(scope="module")
def asked():
    model = foretell.load("iwm-mini")
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    return model, image, Versions(model, image, 12)


@pytest.mark.parametrize("values", [{}, {"brightness": 0.5}, {"hue": 0.1, "grayscale": 1.0}])
def test_an_answer_is_that_of_imagine(asked, values):
    model, image, versions = asked
    found, other = versions.ask(values), imagine(model, image, values, bank=15)
    assert torch.allclose(found.asked, other.asked)
    assert torch.allclose(found.source, other.source)
    assert float(found.distances[found.place]) == pytest.approx(float(other.distances[other.place]), rel=1e-4)


@pytest.mark.parametrize("values", [{}, {"brightness": 0.5}, {"grayscale": 1.0}, {"hue": 0.1, "blur": 0.5}])
def test_no_version_is_there_twice(asked, values):
    found = asked[2].ask(values)
    rows = {tuple(row) for row in found.states.tolist()}
    assert len(rows) == len(found.bank) == len(found.distances)
    assert tuple(asked[2].actions.identity(1)[0].tolist()) in rows
    assert torch.equal(found.states[found.place], asked[2].actions.split(values)[1][0])


def test_the_largest_difference_comes_first(asked):
    found = asked[2].ask({"brightness": 0.5})
    if found.rank == 1:
        assert found.differs == {}
    else:
        sizes = [abs(value) for value in found.differs.values()]
        assert sizes == sorted(sizes, reverse=True)
        assert set(found.differs) <= set(found.parameters)


def test_bad_asks_are_refused(asked):
    model, image, versions = asked
    with pytest.raises(ForetellError, match="brightness is 9"):
        versions.ask({"brightness": 9.0})
    with pytest.raises(ForetellError, match="this model looks at"):
        Versions(model, image[:, :16, :16], 4)
    with pytest.raises(ForetellError, match="count is 0"):
        Versions(model, image, 0)
