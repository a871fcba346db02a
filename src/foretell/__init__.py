"""Learn latent world models from images and video, put them to work, and search with them.

import foretell

model = foretell.load("iwm-mini")                   # or your own run's folder
images = foretell.preprocess("photo.jpg", model)    # files, Pillow images or arrays -> [B, 3, H, W] in [0, 1]
latents = model.encode(images)                      # -> [B, N, D]
darker = model.imagine(images, action)              # the latents after a change, without making the picture
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.lazy import names

__version__ = "0.1.0.dev0"

__all__ = ["JEPA", "ForetellError", "Views", "load", "models", "preprocess", "save"]

if TYPE_CHECKING:
    from foretell.errors import ForetellError
    from foretell.hub import load, save
    from foretell.inputs import preprocess
    from foretell.jepa import JEPA
    from foretell.shipped import models
    from foretell.views import Views

_HOMES = {
    "JEPA": "jepa",
    "ForetellError": "errors",
    "Views": "views",
    "load": "hub",
    "models": "shipped",
    "preprocess": "inputs",
    "save": "hub",
}

__getattr__ = names(__name__, _HOMES)  # `import foretell` costs nothing


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
