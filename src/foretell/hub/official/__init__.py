"""Official weights: recognised by their contents, and loaded strictly. Each family has a module.

A family recognises its own files and builds the model. `foretell.load` knows the families in `FAMILIES`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.files import brief, naming
from foretell.hub.official import facebook, facebook_video, huggingface, huggingface_video, timm, towers
from foretell.hub.official.family import Family
from foretell.hub.official.found import read
from foretell.method import Method

FAMILIES: tuple[Family, ...] = (
    facebook_video.FAMILY,
    huggingface_video.FAMILY,
    facebook.FAMILY,
    huggingface.FAMILY,
    timm.FAMILY,
)
"""Asked in this order."""


def load(path: Path) -> Method:
    """Load official weights from a file or a folder. Those of CLIP and SigLIP are computed by transformers.

    Warns:
        ForetellWarning: the weights hold an encoder only, so the predictor is untrained.

    Raises:
        ForetellError: no family recognises them, or some of the family's tensors are missing.
    """
    if path.is_dir() and towers.recognised(path):
        return towers.load(path)
    found = read(path)
    for family in FAMILIES:
        if family.recognise(found):
            with naming(path):
                model = family.load(found)
            if model.untrained:
                warnings.warn(
                    f"{path} holds an encoder only: it serves as context and as target encoder, and the predictor is "
                    "untrained",
                    ForetellWarning,
                    stacklevel=3,
                )
            return model
    kind = f"config.json says model_type {found.config['model_type']!r}" if "model_type" in found.config else ""
    names = brief(map(str, found.content)) or "nothing"
    held = f"it holds {names if len(names) < 200 else names[:200] + ' …'}"
    raise ForetellError(
        f"{path} has no known kind ({'; '.join(filter(None, (kind, held)))}): expected a model of "
        f"foretell, or weights of {', '.join(family.name for family in FAMILIES)}"
    )
