"""One file per method: a composition with a name, its numbers and their sources, its control.

    grpo = get("grpo")
    batch = assign(batch, grpo.credit)

Loading a recipe does not load torch.
"""

from guerdon.recipes.base import Critic, Number, Recipe, get, names, require

__all__ = ["Critic", "Number", "Recipe", "get", "names", "require"]
