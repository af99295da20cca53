"""What a method has to beat: its own direction at another's size, or its own signal shuffled.

A method that only takes bigger steps is not a better one, and neither is one that learns as
well from noise of the same size.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeVar

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, at_one_level, scored
from guerdon.rewards.term import Term, floats

Array = np.ndarray
Shuffled = TypeVar("Shuffled", Term, Credit)


def at_size_of(credit: Credit, other: Credit) -> Credit:
    """The credit's direction at the other's size, over the whole batch.

        A = credit * |other| / |credit|,   |.| the Euclidean norm over scored steps

    Zero where the other says nothing about the whole batch. So it is of no use against a
    baseline that is silent just where the method speaks, such as outcome-only credit on a
    batch without a success: there, shuffle the signal.

    Example:
        >>> from guerdon.credit import step_term
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[3.0])
        >>> at_size_of(4.0 * step_term(fact("reward")), step_term(fact("terminated")))(batch).values
        array([1.])
    """

    def assign(batch: Batch) -> Column:
        column, against = at_one_level(batch, [credit(batch), other(batch)])
        own, size = np.linalg.norm(column.filled(0.0)), np.linalg.norm(against.filled(0.0))
        return scored(Column(column.level, column.values * (size / own if own > 0 else 0.0), column.valid))

    return Credit(
        f"{credit.name} at the size of {other.name}",
        assign,
        credit.compares | other.compares | {"batch"},
        tuple(dict.fromkeys((*credit.needs, *other.needs))),
    )


def shuffled(signal: Shuffled, seed: int = 0, across: bool = False) -> Shuffled:
    """The same numbers on other items: a term or a credit whose scored values changed places.

    Values move inside their group, or anywhere in the batch with `across`. What is missing
    stays missing where it is. The permutation is drawn from the seed and the values, so the
    same batch is always shuffled in the same way, on every machine.

    Args:
        signal: at token, step or trajectory level.
        seed: another seed, another permutation.
        across: also between groups.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 0], reward=[1.0, 2.0, 3.0])
        >>> sorted(shuffled(fact("reward"))(batch).values.tolist())
        [1.0, 2.0, 3.0]
    """

    def shuffle(batch: Batch) -> Column:
        column = signal(batch)
        values = column.filled(0.0)
        at = np.flatnonzero(column.valid)
        group = np.zeros(len(at), np.int64) if across else batch.index("group", at=column.level)[at]
        rng = np.random.default_rng([seed, _digest(values[at], group)])
        to = at[np.lexsort((np.arange(len(at)), group))]
        moved = values.copy()
        moved[to] = values[at[np.lexsort((rng.random(len(at)), group))]]
        if isinstance(signal, Term):
            return floats(column, moved, column.valid)
        return scored(replace(column, values=moved))

    name = f"shuffled({signal.name})"
    if isinstance(signal, Term):
        return Term(name, shuffle, signal.observers)
    return Credit(name, shuffle, signal.compares, signal.needs)


def _digest(values: Array, group: Array) -> int:
    text = np.ascontiguousarray(values, "<f8").tobytes() + np.ascontiguousarray(group, "<i8").tobytes()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
