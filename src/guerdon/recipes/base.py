"""What a recipe is, and how one is found by name."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.credit import Credit, gae_of
from guerdon.errors import ColumnError, RecordError, UnknownNameError
from guerdon.objectives import Objective
from guerdon.rewards import Term

Source = Literal["paper", "code", "ours", "UNVERIFIED"]
ROLES = ("baseline", "control")
# What a method may be told beyond the outcome, so that a comparison is between equals.
TOLD = (
    "nothing", "states", "milestones", "a perfect step judge", "step scores", "judge votes", "reference likelihoods",
    "values", "branches", "tests", "features", "token signals", "history", "several outcomes", "comparisons",
)  # fmt: skip
NOT_RECIPES = ("base",)


@dataclass(frozen=True)
class Number:
    """A constant, and where it comes from.

    Attributes:
        source: "paper" read in the paper, "code" read in released code, "ours" chosen here,
            "UNVERIFIED" taken from second hand.
        note: the place, or the reason.

    Example:
        >>> Number(0.2, "code", "TRL GRPOConfig.epsilon").value
        0.2
    """

    value: float | int
    source: Source
    note: str = ""

    def __post_init__(self) -> None:
        if self.source not in get_args(Source):
            raise RecordError(
                f"Number: source is {self.source!r}; it must be one of {get_args(Source)}; "
                "a number whose origin you have not read is 'UNVERIFIED'"
            )


@dataclass(frozen=True)
class Critic:
    """A value model that the trainer trains beside the policy.

    Before credit is assigned the trainer puts on the batch the step column `value`, the
    critic's value of the state before the action, and, if a trajectory was truncated, the step
    column `next_value`, its value of the state after the action, read at last steps.

    Attributes:
        gamma: discount per step.
        lam: how far rewards are trusted over the critic, see `guerdon.credit.gae`.
    """

    gamma: float
    lam: float
    columns: tuple[str, ...] = ("value", "next_value")

    def targets(self, batch: Batch, reward: Term) -> Column:
        """What the value before each action should have been: the advantage plus the value.

        Example:
            >>> from guerdon.rewards import fact
            >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
            >>> batch = batch.with_columns(value=Column.of("step", [0.25, 0.5]))
            >>> Critic(gamma=0.5, lam=1.0).targets(batch, fact("reward")).values
            array([0.5, 1. ])
        """
        advantage = gae_of(reward, self.gamma, self.lam)(batch)
        target = np.where(advantage.valid, advantage.values + batch["value"].filled(0.0), np.nan)
        return Column("step", target, advantage.valid)


@dataclass(frozen=True)
class Recipe:
    """A method: what it rewards, credits and optimises, and what it has to beat.

    Attributes:
        name: the slug; `get(name)` gives the recipe back.
        title: as the paper calls it.
        paper: authors, title, year, identifier; "ours" for a method of this library.
        idea: one sentence.
        reward: what a play is worth, for the report and for a critic's targets.
        credit: the advantage of each step or token.
        objective: the loss.
        numbers: every constant by name, with its source.
        told: what it is told beyond the outcome, one of TOLD.
        alone: what it gives to a group of one, and (with the word "agrees") to a group that agrees,
            where that is not zero; empty where it is.
        needs: columns that the host must record.
        critic: the value model it trains beside the policy, if any.
        baseline: the method without its idea.
        control: the idea with its signal taken out.
    """

    name: str
    title: str
    paper: str
    idea: str
    reward: Term
    credit: Credit
    objective: Objective
    numbers: Mapping[str, Number] = field(default_factory=dict)
    told: str = "nothing"
    alone: str = ""
    needs: tuple[str, ...] = ("outcome",)
    critic: Critic | None = None
    baseline: Recipe | None = None
    control: Recipe | None = None

    def __post_init__(self) -> None:
        if self.told not in TOLD:
            raise RecordError(
                f"Recipe: {self.name} is told {self.told!r}; it must be one of {TOLD}; add a new kind there"
            )
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))


def with_control(
    method: Recipe, title: str, credit: Credit, *, reward: Term | None = None, told: str | None = None
) -> Recipe:
    """The method with a control that is like it in all but credit (and reward, if given)."""
    control = replace(
        method, name=f"{method.name}-control", title=title, credit=credit, reward=reward or method.reward,
        told=told or method.told, baseline=None, control=None,
    )  # fmt: skip
    return replace(method, control=control)


@functools.cache
def names() -> tuple[str, ...]:
    """The slugs of all methods, sorted: one for each file of this package."""
    package = importlib.import_module("guerdon.recipes")
    files = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name.replace("_", "-") for name in files if name not in NOT_RECIPES))


def get(name: str) -> Recipe:
    """The recipe of that name; "NAME-control" and "NAME-baseline" give the control and the baseline of NAME.

    Raises:
        UnknownNameError: there is none; the message lists what there is.

    Example:
        >>> get("grpo").control.name
        'grpo-control'
    """
    method, _, role = name.rpartition("-")
    if name in names():
        return importlib.import_module(f"guerdon.recipes.{name.replace('-', '_')}").RECIPE
    if role in ROLES and method in names():
        found = get(method)
        other = found.control if role == "control" else found.baseline
        if other is not None:
            return other
    known = names()
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    # Of those that are as close, the one of the same letters: two that changed places are the likeliest slip.
    close.sort(key=lambda other: sorted(other) != sorted(name))
    hint = f"did you mean {close[0]!r}?" if close else "`guerdon recipes` shows what each one does"
    raise UnknownNameError(f"recipes.get: there is no recipe {name!r}; there are {', '.join(known)}; {hint}")


def require(recipe: Recipe, columns: Collection[str]) -> None:
    """Raises ColumnError unless the host has every column that the recipe needs.

    To be called before the first rollout. What a critic adds is the trainer's to add.
    """
    missing = [name for name in recipe.needs if name not in columns]
    if missing:
        raise ColumnError(
            f"recipe {recipe.name}: it needs {', '.join(map(repr, missing))}; the host has "
            f"{', '.join(sorted(columns)) or 'no columns'}; choose an environment that records it, or another recipe"
        )
