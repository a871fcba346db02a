"""The methods by name: each a configuration dataclass and the `Method` built from it."""

from collections.abc import Callable
from typing import Any

from foretell.method import Method
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.methods.iwm import IWM, IWMConfig
from foretell.methods.pixels import Pixels, PixelsConfig
from foretell.methods.vjepa import VJEPA, VJEPAConfig

METHODS: dict[str, tuple[Callable[[Any], Method], type]] = {
    "ijepa": (IJEPA, IJEPAConfig),
    "iwm": (IWM, IWMConfig),
    "pixels": (Pixels, PixelsConfig),
    "vjepa": (VJEPA, VJEPAConfig),
}
"""name -> (model class, which is built from a configuration; configuration class).

The name is what a saved model's config.json carries."""

__all__ = ["IJEPA", "IWM", "METHODS", "VJEPA", "IJEPAConfig", "IWMConfig", "Pixels", "PixelsConfig", "VJEPAConfig"]
