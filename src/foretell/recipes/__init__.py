"""Named runs. Each recipe is a function. Its docstring has a description, the cost and the expected numbers.

`foretell train NAME --data DATA --out RUN` runs one; any field of it can be changed by a flag.
"""

from collections.abc import Callable
from inspect import isfunction

from foretell.recipes import cpu, paper, words
from foretell.recipes.recipe import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    name.replace("_", "-"): recipe
    for module in (cpu, words, paper)
    for name, recipe in vars(module).items()
    if isfunction(recipe) and recipe.__module__ == module.__name__ and not name.startswith("_")
}
"""name -> recipe: every public function of the files. Small ones for a CPU first, then the papers' own sizes."""

__all__ = ["RECIPES", "Recipe"]
