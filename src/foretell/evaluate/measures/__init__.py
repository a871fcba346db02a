"""One file for each measure, and the list of them, in the order of the report.

A new measure is a file with a subclass of `foretell.evaluate.measure.Measure`, and an entry in `MEASURES`.
"""

from foretell.evaluate.measure import Measure
from foretell.evaluate.measures.attentive import AttentiveProbe
from foretell.evaluate.measures.composition import Composition
from foretell.evaluate.measures.knn import NearestNeighbours
from foretell.evaluate.measures.lidar import LiDAR
from foretell.evaluate.measures.linear import LinearProbe
from foretell.evaluate.measures.mlp import MLPProbe
from foretell.evaluate.measures.mrr import MRR
from foretell.evaluate.measures.rankme import RankMe
from foretell.evaluate.measures.retrieval import Retrieval
from foretell.evaluate.measures.sparsity import Sparsity
from foretell.evaluate.measures.spectrum import Spectrum
from foretell.evaluate.measures.zero_shot import ZeroShot

MEASURES: tuple[Measure, ...] = (
    LinearProbe(),
    MLPProbe(),
    AttentiveProbe(),
    NearestNeighbours(),
    RankMe(),
    LiDAR(),
    Sparsity(),
    MRR(),
    Retrieval(),
    ZeroShot(),
    Composition(),
    Spectrum(),
)
"""All measures, each with its default settings."""


def chosen(*measures: Measure) -> tuple[Measure, ...]:
    """All measures, with these in the place of those of the same name; one of a new name comes last."""
    named = {measure.name: measure for measure in (*MEASURES, *measures)}
    return tuple(named.values())
