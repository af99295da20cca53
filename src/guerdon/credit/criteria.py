"""Criteria that a step may satisfy: a checklist as one reward, and credit criterion by criterion.

The column of criteria has one row per step and one entry per criterion: above 0 where a judge
found the criterion satisfied by this step. Steps are put together to turns by a segment key: what
counts is whether any step of a turn satisfied it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, need_steps, scored
from guerdon.credit.center import center
from guerdon.credit.minform import whole_plays
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, floats
from guerdon.rewards.votes import merge_runs, vectors

Array = np.ndarray
NEVER = np.inf  # later than any step


@dataclass(frozen=True)
class Criteria:
    """Which columns hold the criteria and the turns, and how the criteria hang together.

    Attributes:
        satisfied: a step column of two dimensions, step by criterion.
        turn: a step key, constant over the steps of a turn.
        weights: one number per criterion, none below 0; by default they share 1 equally.
        after: for a criterion, those that must be satisfied before it counts; it may name lower
            numbers only, so that there is no circle.

    Example:
        >>> Criteria(after={2: (0, 1)}).weigh(4).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """

    satisfied: str = "satisfied"
    turn: str = "segment"
    weights: Sequence[float] = ()
    after: Mapping[int, Sequence[int]] | None = None

    def __post_init__(self) -> None:
        for criterion, before in (self.after or {}).items():
            if any(not 0 <= other < criterion for other in before):
                raise ShapeError(
                    f"Criteria: criterion {criterion} is to come after {tuple(before)}; lower numbers from 0 are "
                    "needed, so that there is no circle; order the criteria by what they depend on"
                )

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that are read."""
        return (self.satisfied, self.turn)

    def before(self, criterion: int) -> Sequence[int]:
        """What must be satisfied before the criterion counts."""
        return (self.after or {}).get(criterion, ())

    def weigh(self, criteria: int) -> Float[Array, "criteria"]:
        """The weights; ShapeError unless there is one per criterion, none below 0."""
        weights = np.asarray(self.weights if len(self.weights) else np.full(criteria, 1.0 / max(criteria, 1)))
        if len(weights) != criteria or (weights < 0).any():
            raise ShapeError(
                f"Criteria: {len(weights)} weights for {criteria} criteria of {self.satisfied!r}; one per "
                "criterion, none below 0, is needed; leave them out to weigh all the same"
            )
        return weights.astype(np.float64)


def checklist(criteria: Criteria) -> Term:
    """How much of a checklist a play satisfied, turn by turn.

        z[u, k] = 1 if any step of turn u satisfies criterion k
        R       = (1 / turns) * sum over turns u, criteria k of w[k] z[u, k]

    `turns` is the most that a scored play of the group reached, so that a play that stops early has
    not satisfied the rest. A play with a step that was not judged, or that failed, has no reward.

    Example (the second of two turns satisfies one of two criteria, the first none):
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
        >>> batch = batch.with_columns(satisfied=Column.of("step", np.array([[0, 0], [0, 1], [0, 1]])),
        ...                            segment=Column.of("step", [0, 1, 1]))
        >>> checklist(Criteria())(batch).values
        array([0.25])

    References:
        CM2: Reinforcement Learning with Checklist Rewards for Multi-Turn and Multi-Step Agentic Tool Use.
    """

    def score(batch: Batch) -> Column:
        satisfied, turn, valid = _read(batch, criteria, "checklist")
        owner, n = batch.trajectory_of_step, batch.size("trajectory")
        first = segments.starts("checklist", turn)
        turns = segments.count(owner[first], n)
        group = batch.group_of_trajectory
        most = np.maximum(segments.maximum(np.where(valid, turns, 1.0), group, batch.size("group")), 1.0)[group]
        gained = np.zeros(len(first))
        for criterion, weight in enumerate(criteria.weigh(satisfied.shape[1])):
            done = segments.maximum(satisfied[:, criterion].astype(np.float64), turn)
            gained[first] += weight * done
        return floats(batch[criteria.satisfied], segments.total(gained, owner, n) / most, valid, "trajectory")

    return Term(f"checklist({criteria.satisfied})", score)


def by_criterion(criteria: Criteria, eta: float = 1.0, at_least: int = 5) -> Credit:
    """Each step compared on every criterion that was open at it, with the other plays of the prompt.

    In turn u of play i, criterion k is open from the step after the last of those that it comes after
    was satisfied (from the first step, if it comes after none) to the step that satisfies it.

        c[i, u, k] = eta^(steps from the first at which it was open to the one that satisfied it),
                     0 if it stayed open
        A[t]       = sum over k open at t of w[k] * (c[i, u, k] - mean over plays of c[., u, k])

    over the plays of the prompt in whose u-th turn k was ever open. What satisfies a criterion
    before it is open does not count.

    Args:
        criteria: columns, weights and what comes after what.
        eta: below 1, what is satisfied late is worth less.
        at_least: how many plays must have had the criterion open; with fewer it says nothing.

    Returns:
        A credit that compares with "group": zero for a group of one and where all agree. A play with
        a step that was not judged, or that failed, is unscored and does not vote.

    Raises:
        ShapeError: eta is not in [0, 1].

    Example (of two plays only the first satisfies the one criterion, at its second step):
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[0.0] * 4)
        >>> batch = batch.with_columns(satisfied=Column.of("step", np.array([[0], [1], [0], [0]])),
        ...                            segment=Column.of("step", [0, 0, 0, 1]))
        >>> by_criterion(Criteria(), eta=0.5, at_least=2)(batch).values
        array([ 0.25,  0.25,  0.  , -0.25])

    References:
        CM2: Reinforcement Learning with Checklist Rewards for Multi-Turn and Multi-Step Agentic Tool Use.
    """
    if not 0 <= eta <= 1:
        raise ShapeError(f"by_criterion: eta is {eta}; a decay per step in [0, 1] is needed; 1 is no decay")

    def assign(batch: Batch) -> Column:
        satisfied, turn, whole = _read(batch, criteria, "by_criterion")
        owner = batch.trajectory_of_step
        valid = whole[owner]
        at = np.flatnonzero(segments.starts("by_criterion", turn))  # the first step of each turn
        place = segments.position(turn).astype(np.float64)
        alike = segments.joint(batch.index("group", at="step")[at], segments.position(owner[at]))
        credit = np.zeros(len(owner))
        done: list[Array] = []
        for criterion, weight in enumerate(criteria.weigh(satisfied.shape[1])):
            opens = _opens([done[other] for other in criteria.before(criterion)], len(at))
            counts = satisfied[:, criterion] & (place >= opens[turn])
            done.append(segments.minimum(np.where(counts, place, NEVER), turn))
            is_open = (place >= opens[turn]) & (place <= done[-1][turn])
            ever = segments.maximum(is_open.astype(np.float64), turn) > 0
            away = _compared(_worth(opens, done[-1], eta), alike, ever & valid[at], at_least)
            credit += weight * np.where(is_open, away[turn], 0.0)
        return scored(Column("step", credit, valid))

    return Credit(f"by_criterion({criteria.satisfied})", assign, frozenset({"group"}), criteria.needs)


def _read(
    batch: Batch, criteria: Criteria, caller: str
) -> tuple[Bool[Array, "steps criteria"], Int[Array, "steps"], Bool[Array, "plays"]]:
    """What each step satisfied, the number of its turn, rising through the batch, and which plays are whole."""
    batch.need(criteria.needs, caller)
    column, key = batch[criteria.satisfied], batch[criteria.turn]
    need_steps(caller, criteria.satisfied, column)
    need_steps(caller, criteria.turn, key)
    values = np.where(column.valid[:, None], vectors(caller, criteria.satisfied, column), 0.0)
    turn = merge_runs(Batch.key(key.values), batch.trajectory_of_step)
    return values > 0, turn, whole_plays(batch, Column("step", turn, column.valid & key.valid))


def _opens(before: list[Array], turns: int) -> Float[Array, "turns"]:
    """The place in each turn at which a criterion opens, NEVER where it does not."""
    return np.maximum.reduce(before) + 1.0 if before else np.zeros(turns)


def _worth(opens: Float[Array, "turns"], done: Float[Array, "turns"], eta: float) -> Float[Array, "turns"]:
    """eta to the steps that a criterion was open before it was satisfied; 0 where it never was."""
    worth, met = np.zeros(len(done)), done < NEVER
    worth[met] = eta ** (done[met] - opens[met])
    return worth


def _compared(
    worth: Float[Array, "turns"], alike: Int[Array, "turns"], valid: Bool[Array, "turns"], at_least: int
) -> Float[Array, "turns"]:
    """What each turn is worth less the mean of those like it; 0 where fewer than `at_least` speak."""
    away = center(worth, alike, valid=valid)
    voters = segments.total(valid.astype(np.float64), alike)
    return np.where(voters[alike] >= at_least, away, 0.0)
