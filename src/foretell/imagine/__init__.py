"""Ask a world model for a change, draw its answer, and draw where the model is unsure.

Read on in this order: ask, versions, draw, uncertainty.
"""

from foretell.imagine.ask import Imagined, actions_of, imagine, read_image, sweep
from foretell.imagine.draw import draw
from foretell.imagine.uncertainty import Uncertain, draw_uncertainty, uncertainty, unsure_of_places
from foretell.imagine.versions import ImaginedVersion, Versions

__all__ = [
    "Imagined",
    "ImaginedVersion",
    "Uncertain",
    "Versions",
    "actions_of",
    "draw",
    "draw_uncertainty",
    "imagine",
    "read_image",
    "sweep",
    "uncertainty",
    "unsure_of_places",
]
