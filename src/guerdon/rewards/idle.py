"""Hooks that cannot have an effect: terms that never move, gates that never open, maps that cancel.

One batch cannot tell: early in training a gate may well be shut in all of it. So what was seen is kept as values
that add up over batches, and warned of at the end of a run:

    seen = together(seen, watch(batch, reward))      # {} at first
    warn_of_idle(seen)

`guerdon.credit.centred` warns at once where a scale cancels an affine map, or weights of prompts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.rewards.term import Term, failed


class IdleWarning(UserWarning):
    """Something that was asked for has no effect."""


@dataclass(frozen=True)
class Movement:
    """What was seen of one number, over any number of batches.

    Attributes:
        name: whose.
        items: how many scored items.
        low, high: the least and the greatest of them.
        groups: groups with two scored items or more.
        apart: those of them in which the items differ.
    """

    name: str
    items: int = 0
    low: float = np.inf
    high: float = -np.inf
    groups: int = 0
    apart: int = 0

    def __add__(self, other: Movement) -> Movement:
        """Of both lots of batches."""
        return Movement(
            self.name, self.items + other.items, min(self.low, other.low), max(self.high, other.high),
            self.groups + other.groups, self.apart + other.apart,
        )  # fmt: skip

    @property
    def idle(self) -> str:
        """Why it has no effect; empty where it may have one."""
        if not self.items:
            return f"term {self.name!r} never had a value; whatever it is part of is missing; check what it reads"
        if self.low == self.high == 0:
            return (
                f"term {self.name!r} was 0 in all {self.items} items; a gate before it never opened, or nothing "
                "earned it; it has no effect; lower the gate's threshold or drop the term"
            )
        if self.low == self.high:
            return (
                f"term {self.name!r} never moved from {self.low:.6g} in {self.items} items; a comparison takes a "
                "constant off, so it has no effect; drop it"
            )
        if self.groups and not self.apart:
            return (
                f"term {self.name!r} is the same for all plays of a prompt in {self.groups} groups; a comparison "
                "within the prompt takes it off, so it has no effect; multiply instead, after comparison"
            )
        return ""


@dataclass(frozen=True)
class Opening:
    """How often a gate was open, over any number of batches.

    Attributes:
        name: of its condition.
        items: where the condition was known.
        open: where it held.
    """

    name: str
    items: int = 0
    open: int = 0

    def __add__(self, other: Opening) -> Opening:
        """Of both lots of batches."""
        return Opening(self.name, self.items + other.items, self.open + other.open)

    @property
    def idle(self) -> str:
        """Why it has no effect; empty where it may have one."""
        if self.open == 0:
            return f"gate {self.name!r} never opened in {self.items} items; lower its threshold or drop what it guards"
        if self.open == self.items:
            return f"gate {self.name!r} never shut in {self.items} items; it guards nothing; raise its threshold"
        return ""


Seen = Mapping[str, Movement | Opening]


def watch(
    batch: Batch, term: Term, gates: Mapping[str, tuple[Term, Real]] | None = None
) -> dict[str, Movement | Opening]:
    """What one batch shows of each part of a reward and of its gates.

    Args:
        term: the reward; of a sum each part is looked at.
        gates: conditions by name, each a term and the threshold above which it is open; by default those
            that the reward says it stands behind.

    Returns:
        One value per part and per gate; `together` adds up those of several batches.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> seen = watch(batch, fact("outcome") + 0.0 * fact("outcome").named("bonus"), {"won": (fact("outcome"), 2.0)})
        >>> [name for name, one in seen.items() if one.idle]
        ['bonus', 'gate won']
    """
    column = term(batch)
    seen: dict[str, Movement | Opening] = {}
    for name, part in column.parts or ((term.name, column),):
        seen[name] = seen[name] + _movement(name, batch, part) if name in seen else _movement(name, batch, part)
    own = {f"{when.name} > {above:g}": (when, above) for when, above in term.gates}
    for name, (when, above) in (own if gates is None else gates).items():
        key = when(batch)
        known = key.valid & _whole(batch, key)
        held = known & (key.filled(-np.inf) > above)
        seen[f"gate {name}"] = Opening(name, int(known.sum()), int(held.sum()))
    return seen


def together(one: Seen, other: Seen) -> dict[str, Movement | Opening]:
    """What both saw.

    Example:
        >>> together({"a": Opening("a", 2, 0)}, {"a": Opening("a", 3, 1)})["a"]
        Opening(name='a', items=5, open=1)
    """
    both = {name: one[name] + other[name] for name in one if name in other}
    return {**one, **other, **both}


def warn_of_idle(seen: Seen) -> tuple[str, ...]:
    """Warns once of each part and gate that cannot have had an effect, and returns what it said.

    Example:
        >>> with warnings.catch_warnings(record=True) as said:
        ...     len(warn_of_idle({"a": Opening("a", 2, 0), "b": Opening("b", 2, 1)}))
        1
    """
    reasons = tuple(reason for one in seen.values() if (reason := one.idle))
    for reason in reasons:
        warnings.warn(reason, IdleWarning, stacklevel=2)
    return reasons


def without_effect(
    hook: str, batches: Iterable[Batch], with_it: Callable[[Batch], Column], plain: Callable[[Batch], Column],
    tolerance: float = 1e-6,
) -> bool:  # fmt: skip
    """Whether a hook leaves the credit of these batches as it was; warns where it does.

    The general question, for any hook: what comes out with it, and what without? A change in size by one
    factor throughout counts as an effect; `centred` under a scale has none.

    Args:
        hook: its name, for the warning.
        with_it, plain: the credit with the hook and the one without.
        tolerance: how far two credits that count as the same may differ, in parts of the largest.

    Example (an affine map does nothing to places):
        >>> from guerdon.credit import ranked
        >>> from guerdon.rewards import affine, fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> with warnings.catch_warnings(record=True):
        ...     without_effect("affine", [batch], ranked(affine(fact("outcome"), 2.0)), ranked(fact("outcome")))
        True
    """
    items = 0
    for batch in batches:
        a, b = with_it(batch), plain(batch)
        if a.level != b.level or (a.valid != b.valid).any():
            return False
        x, y = a.filled(0.0), b.filled(0.0)
        if np.abs(x - y).max(initial=0.0) > tolerance * max(np.abs(y).max(initial=0.0), tolerance):
            return False
        items += len(x)
    warnings.warn(
        f"{hook}: credit is the same with it and without it in {items} items; it has no effect; drop it, or let it "
        "act elsewhere: before grouping, in the statistics, or after normalisation",
        IdleWarning,
        stacklevel=2,
    )
    return True


def _movement(name: str, batch: Batch, column: Column) -> Movement:
    at = np.flatnonzero(column.valid & _whole(batch, column))
    if not len(at):
        return Movement(name)
    x, group = column.filled(0.0)[at], batch.index("group", at=column.level)[at]
    many = segments.count(group) > 1
    apart = many & (segments.maximum(x, group) > segments.minimum(x, group))
    return Movement(name, len(at), float(x.min()), float(x.max()), int(many.sum()), int(apart.sum()))


def _whole(batch: Batch, column: Column) -> np.ndarray:
    if column.level == "group":
        return np.ones(len(column), bool)
    return ~failed(batch)[batch.index("trajectory", at=column.level)]
