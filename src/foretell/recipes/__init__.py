"""Named runs. Each recipe is a function whose docstring says what it is, what it takes and what to expect.

`foretell train NAME --data DATA --out RUN` runs one; any field of it can be changed by a flag.
"""

from collections.abc import Callable

from foretell.recipes import cpu, paper
from foretell.recipes.recipe import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    "iwm": cpu.iwm,
    "ijepa": cpu.ijepa,
    "pixels": cpu.pixels,
    "vjepa": cpu.vjepa,
    "vjepa-tiny": cpu.vjepa_tiny,
    "vjepa-ac": cpu.vjepa_ac,
    "flexpredict": cpu.flexpredict,
    "iwm-mini": cpu.iwm_mini,
    "vjepa-mini": cpu.vjepa_mini,
    "vjepa-mini-pixels": cpu.vjepa_mini_pixels,
    "vjepa-muon": cpu.vjepa_muon,
    "vjepa-muon-pixels": cpu.vjepa_muon_pixels,
    "vjepa-deep": cpu.vjepa_deep,
    "vjepa-deep-pixels": cpu.vjepa_deep_pixels,
    "simclr": cpu.simclr,
    "simclr-vit": cpu.simclr_vit,
    "vicreg": cpu.vicreg,
    "byol": cpu.byol,
    "iwm-inv-12x384": paper.iwm_inv_12x384,
    "iwm-equi-18x384": paper.iwm_equi_18x384,
    "iwm-equi-36x512": paper.iwm_equi_36x512,
    "ijepa-vitb16": paper.ijepa_vitb16,
    "ijepa-vitl16": paper.ijepa_vitl16,
    "ijepa-vith14": paper.ijepa_vith14,
    "flexpredict-vitb16": paper.flexpredict_vitb16,
    "flexpredict-vitl16": paper.flexpredict_vitl16,
    "flexpredict-vith14": paper.flexpredict_vith14,
    "vjepa2-ac-vitg": paper.vjepa2_ac_vitg,
    "simclr-resnet50": paper.simclr_resnet50,
    "simclr-resnet50-wide": paper.simclr_resnet50_wide,
    "vicreg-resnet50": paper.vicreg_resnet50,
    "vicreg-resnet50-wide": paper.vicreg_resnet50_wide,
    "byol-resnet50": paper.byol_resnet50,
}
"""name -> recipe. Small ones for a CPU first, then the papers' own sizes."""

__all__ = ["RECIPES", "Recipe"]
