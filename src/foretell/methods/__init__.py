"""The methods by name: each a configuration dataclass and the `JEPA` built from it."""

from collections.abc import Callable
from typing import Any

from foretell.jepa import JEPA
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.methods.iwm import IWM, IWMConfig

METHODS: dict[str, tuple[Callable[[Any], JEPA], type]] = {
    "ijepa": (IJEPA, IJEPAConfig),
    "iwm": (IWM, IWMConfig),
}
"""name -> (model class, which is built from a configuration; configuration class).

The name is what a saved model's config.json carries."""

__all__ = ["IJEPA", "IWM", "METHODS", "IJEPAConfig", "IWMConfig"]
