"""The rules that are measured: recipes by name, what each must be told, and whether a world can tell it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from guerdon import recipes
from guerdon.batch import LEVELS, Batch, Column
from guerdon.bench.sample import Plays, to_batch
from guerdon.bench.signals import RECORDED, VIEWED, supplied, supply
from guerdon.bench.truth import Truth
from guerdon.credit import Credit, step_term
from guerdon.errors import GuerdonError
from guerdon.recipes import Recipe
from guerdon.rewards import fact

Array = np.ndarray
REFERENCE = "grpo"
WHOLE, OBSERVED, NEITHER = "whole state", "observed key", ""
GAP = 1e-9
VALUES = "values"


@dataclass(frozen=True)
class Rule:
    """A credit under a name.

    Attributes:
        name: of its recipe.
        title: for tables.
        told: what it is told beyond the outcome.
        needs: the columns that it reads.
        credit: the rule itself.
    """

    name: str
    title: str
    told: str
    needs: frozenset[str]
    credit: Credit

    @property
    def views(self) -> tuple[str, ...]:
        """With how much of the state it is measured: twice where it reads states, once where it does not."""
        return (WHOLE, OBSERVED) if self.needs & VIEWED else (NEITHER,)

    @property
    def tree(self) -> bool:
        """Whether its plays must branch."""
        return "node" in self.needs


EXACT = Rule(
    "exact", "the exact advantage itself", "everything", frozenset(("step_score",)), step_term(fact("step_score"))
)


def rule(recipe: Recipe) -> Rule:
    """A recipe's rule; a critic's columns are needs too, and as they are exact here, it is told values."""
    needs, told = {*recipe.needs, *recipe.credit.needs}, recipe.told
    if recipe.critic:
        needs |= {*recipe.critic.columns}
        told = VALUES if told == "nothing" else told if VALUES in told else f"{told}, {VALUES}"
    return Rule(recipe.name, recipe.title, told, frozenset(needs), recipe.credit)


def find(names: list[str] | None = None) -> list[Rule]:
    """The rules of these recipes, or of all; the reference and the exact advantage are always among them.

    Raises:
        UnknownNameError: there is no such recipe.

    Example:
        >>> [rule.name for rule in find(["gigpo", "gigpo-control"])]
        ['exact', 'grpo', 'gigpo', 'gigpo-control']
    """
    wanted = [name for name in (names or recipes.names()) if name != EXACT.name]
    first = recipes.get(REFERENCE)
    found = {first.name: rule(first)}
    for name in wanted:
        own = rule(recipes.get(name))
        found.setdefault(own.name, own)
    return [EXACT, *found.values()]


def cannot(one: Rule, truth: Truth, pilot: Plays) -> str:
    """Why a rule cannot be measured in a world, or nothing where it can."""
    missing = one.needs - RECORDED - supplied(truth.world)
    if missing:
        return f"needs {', '.join(sorted(missing))}"
    try:
        for view in one.views:
            credit_of(one, seen(one, truth, pilot, view))
    except (GuerdonError, ValueError) as error:
        return str(error)
    return ""


def seen(one: Rule, truth: Truth, plays: Plays, view: str) -> Batch:
    """The batch that a rule is shown."""
    return supply(to_batch(truth.world, plays, view == OBSERVED), truth, plays, one.needs)


def credit_of(one: Rule, batch: Batch) -> Array:
    """The advantage of each step; a step has one token here, so a token's is its step's.

    Raises:
        ValueError: a credit that is not finite, or coarser than a step.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a composition that has no effect: the table shows that
        column: Column = one.credit(batch)
    if LEVELS.index(column.level) > LEVELS.index("step") or not np.isfinite(column.values).all():
        raise ValueError(f"its credit is at {column.level} level, or not finite")
    return np.asarray(column.values, np.float64)


def within_groups(one: Rule, truth: Truth, pilot: Plays, rng: np.random.Generator) -> bool:
    """Whether a group's credit depends on that group alone, so that batches can be credited together.

    It must say so itself, and give every group of the pilot the same credit alone as among the others, with
    rewards drawn at random, so that no group agrees.
    """
    if "batch" in one.credit.compares:
        return False
    plays = replace(pilot, reward=rng.integers(0, 2, len(pilot)).astype(float))
    bounds = np.searchsorted(plays.group, np.arange(int(plays.group[-1]) + 2))
    try:
        for view in one.views:
            together = credit_of(one, seen(one, truth, plays, view))
            for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                alone = credit_of(one, seen(one, truth, plays.part(first, last), view))
                if np.abs(alone - together[first:last]).max(initial=0.0) > GAP * max(1.0, np.abs(together).max()):
                    return False
    except (GuerdonError, ValueError):
        return False
    return True
