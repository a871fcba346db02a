"""The methods, a file each: a configuration dataclass and the `Method` built from it, which registers by its name.

Every file of this package is imported, so that a new method needs no entry here.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from foretell.errors import ForetellError
from foretell.method import Method
from foretell.methods.byol import BYOL, BYOLConfig
from foretell.methods.decoder import LatentDecoder, LatentDecoderConfig
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.methods.iwm import IWM, IWMConfig
from foretell.methods.llip import Llip, LlipConfig
from foretell.methods.pixels import Pixels, PixelsConfig, VideoPixels, VideoPixelsConfig
from foretell.methods.simclr import SimCLR, SimCLRConfig
from foretell.methods.vedit import VEDIT, VEDITConfig
from foretell.methods.vicreg import VICReg, VICRegConfig
from foretell.methods.vista import Vista, VistaConfig
from foretell.methods.vjepa import VJEPA, VJEPAConfig
from foretell.methods.vjepa_ac import VJEPAAC, VJEPAACConfig
from foretell.registry import METHODS

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")


def begin(config: Any, encoder: Method | None = None) -> Method:
    """A model of a configuration, such as `IWMConfig`, that is yet to be trained; `encoder` as of `Method.begin`.

    Raises:
        ForetellError: no method has such a configuration, or as `Method.begin`.
    """
    for entry in METHODS.values():
        if type(config) is entry.config:
            return entry.kind.begin(config, encoder)
    raise ForetellError(f"{type(config).__name__} is not the configuration of a registered method")


__all__ = [
    "BYOL",
    "IJEPA",
    "IWM",
    "METHODS",
    "VEDIT",
    "VJEPA",
    "VJEPAAC",
    "BYOLConfig",
    "IJEPAConfig",
    "IWMConfig",
    "LatentDecoder",
    "LatentDecoderConfig",
    "Llip",
    "LlipConfig",
    "Pixels",
    "PixelsConfig",
    "SimCLR",
    "SimCLRConfig",
    "VEDITConfig",
    "VICReg",
    "VICRegConfig",
    "VJEPAACConfig",
    "VJEPAConfig",
    "VideoPixels",
    "VideoPixelsConfig",
    "Vista",
    "VistaConfig",
    "begin",
]
