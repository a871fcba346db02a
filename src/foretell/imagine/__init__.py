"""Ask a world model for a change, draw its answer, and draw where the model is unsure.

Read on in this order: ask, versions, draw, patches, uncertainty.
"""

from foretell.imagine.ask import Imagined, actions_of, imagine, read_image, sweep
from foretell.imagine.draw import decoded, draw
from foretell.imagine.patches import HiddenPatches, SeenPatches, hide, see
from foretell.imagine.uncertainty import Uncertain, draw_uncertainty, uncertainty, unsure_of_places
from foretell.imagine.versions import ImaginedVersion, Versions

__all__ = [
    "HiddenPatches",
    "Imagined",
    "ImaginedVersion",
    "SeenPatches",
    "Uncertain",
    "Versions",
    "actions_of",
    "decoded",
    "draw",
    "draw_uncertainty",
    "hide",
    "imagine",
    "read_image",
    "see",
    "sweep",
    "uncertainty",
    "unsure_of_places",
]
