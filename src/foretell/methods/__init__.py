"""The methods by name: each a configuration dataclass and the `Method` built from it."""

from typing import Any

from foretell.method import Method
from foretell.methods.byol import BYOL, BYOLConfig
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.methods.iwm import IWM, IWMConfig
from foretell.methods.pixels import Pixels, PixelsConfig, VideoPixels, VideoPixelsConfig
from foretell.methods.simclr import SimCLR, SimCLRConfig
from foretell.methods.vicreg import VICReg, VICRegConfig
from foretell.methods.vjepa import VJEPA, VJEPAConfig
from foretell.methods.vjepa_ac import VJEPAAC, VJEPAACConfig

METHODS: dict[str, tuple[type[Method], type]] = {
    "ijepa": (IJEPA, IJEPAConfig),
    "iwm": (IWM, IWMConfig),
    "pixels": (Pixels, PixelsConfig),
    "simclr": (SimCLR, SimCLRConfig),
    "vicreg": (VICReg, VICRegConfig),
    "byol": (BYOL, BYOLConfig),
    "vjepa": (VJEPA, VJEPAConfig),
    "vjepa-ac": (VJEPAAC, VJEPAACConfig),
    "video-pixels": (VideoPixels, VideoPixelsConfig),
}
"""name -> (model class, which is built from a configuration; configuration class).

The name is what a saved model's config.json carries."""


def begin(config: Any, encoder: Method | None = None) -> Method:
    """A model of a configuration, such as `IWMConfig`, that is yet to be trained; `encoder` as of `Method.begin`."""
    return next(kind for kind, schema in METHODS.values() if type(config) is schema).begin(config, encoder)


__all__ = [
    "BYOL",
    "IJEPA",
    "IWM",
    "METHODS",
    "VJEPA",
    "VJEPAAC",
    "BYOLConfig",
    "IJEPAConfig",
    "IWMConfig",
    "Pixels",
    "PixelsConfig",
    "SimCLR",
    "SimCLRConfig",
    "VICReg",
    "VICRegConfig",
    "VJEPAACConfig",
    "VJEPAConfig",
    "VideoPixels",
    "VideoPixelsConfig",
    "begin",
]
