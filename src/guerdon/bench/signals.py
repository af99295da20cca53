"""What the exact model of a world can say in place of judges, critics, probes and reference answers.

Each signal is a column that some recipe needs, as good as it can be: a critic that is exact, a judge that is never
wrong. So a recipe that needs one is measured at its best, and every table says what it was told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.sample import Plays
from guerdon.bench.truth import DISCOUNT, Truth, expected_outcome
from guerdon.bench.world import World

Array = np.ndarray
OPTION = 4  # steps of a `segment`
STATES = 64  # one-hot features of more would be more parameters than a batch can fit
JUDGES = 3
# Columns of `to_batch`: what every play records.
RECORDED = frozenset(
    ("reward", "terminated", "truncated", "sequence", "outcome", "state", "next_state", "action", "sampled")
)
VIEWED = frozenset(("state", "next_state", "features"))  # what depends on how much of the state is seen
PAIRS = "pairs"  # a relation, not a column


@dataclass(frozen=True)
class Signal:
    """A column that the model supplies.

    Attributes:
        says: what it is, for the page.
        column: from the truth, the plays and their batch.
        there: whether a world has it.
        costs: environment steps that it takes for each group.
    """

    says: str
    column: Callable[[Truth, Plays, Batch], Column]
    there: Callable[[World], bool] = lambda world: True
    costs: Callable[[Truth], float] = lambda truth: 0.0


def _step(says: str, values: Callable[[Truth, Plays], Array]) -> Signal:
    return Signal(says, lambda truth, plays, batch: Column.of("step", values(truth, plays)))


def _around(name: str, says: str, table: Callable[[Truth], Array]) -> dict[str, Signal]:
    """A value of states as a pair of columns, before and after the action."""
    return {
        name: _step(f"{says}, before the step", lambda u, p: expected_outcome(u, table(u), p)[0]),
        f"next_{name}": _step(f"{says}, after the step", lambda u, p: expected_outcome(u, table(u), p)[1]),
    }


def _taken(truth: Truth, plays: Plays, table: Array) -> Array:
    return table[plays.time, plays.state, plays.action]


def _advantage(truth: Truth, plays: Plays) -> Array:
    return _taken(truth, plays, truth.advantage)


def _squashed(truth: Truth, plays: Plays) -> Array:
    """The exact advantage through a logistic curve whose unit is its mean size: one half for an action like another."""
    size = _size(truth)
    return 1.0 / (1.0 + np.exp(-np.clip(_advantage(truth, plays) / size, -30, 30)))


def _size(truth: Truth) -> float:
    size = np.abs(truth.advantage)
    return float(size[size > 0].mean()) if (size > 0).any() else 1.0


def _wrong(truth: Truth, plays: Plays) -> Array:
    return (_advantage(truth, plays) < -1e-9 * _size(truth)).astype(float)


def _closer(truth: Truth, plays: Plays) -> Array:
    """The sign of r + discount V(s') - discount V(s): nothing for an action that changed nothing and paid nothing."""
    change = plays.reward + DISCOUNT * (truth.best[plays.next_state] - truth.best[plays.state])
    return np.sign(np.where(np.abs(change) > 1e-9, change, 0.0))


def _milestones(truth: Truth, plays: Plays) -> Array:
    """How many levels of the world's progress are at or below this one, the lowest not counted."""
    progress = np.asarray(truth.world.facts["progress"], float)
    return np.unique(progress, return_inverse=True)[1][plays.next_state].astype(float)


def _milestone(truth: Truth, plays: Plays) -> Array:
    progress = np.asarray(truth.world.facts["progress"], float)
    return (progress[plays.next_state] > progress[plays.state]).astype(float)


def _changed(truth: Truth, plays: Plays) -> Array:
    return ((plays.next_state != plays.state) | plays.terminated | (plays.reward != 0)).astype(float)


def _token(says: str, table: Callable[[Array], Array]) -> Signal:
    """One number a step on its single token, from the policy's probabilities."""

    def column(truth: Truth, plays: Plays, batch: Batch) -> Column:
        found = table(truth.policy)
        own = found[plays.state] if found.ndim == 1 else found[plays.state, plays.action]
        return Column.of("token", own[batch.step_of_token])

    return Signal(says, column)


def _plogp(p: Array) -> Array:
    return p * np.log(np.where(p > 0, p, 1.0))


def _first(plays: Plays) -> Array:
    """The first state of each play."""
    return plays.state[segments.starts("signals", plays.trajectory)]


def _greedy(truth: Truth, plays: Plays, batch: Batch) -> Column:
    return Column.of("trajectory", truth.greedy[0][_first(plays)])


def _greedy_costs(truth: Truth) -> float:
    return float(truth.world.start @ truth.greedy[1])


def _of_group(values: Callable[[Truth], Array]) -> Callable[[Truth, Plays, Batch], Column]:
    def column(truth: Truth, plays: Plays, batch: Batch) -> Column:
        out = np.zeros(batch.size("group"))
        out[batch.group_of_trajectory] = values(truth)[_first(plays)]
        return Column.of("group", out)

    return column


def _past_std(truth: Truth) -> Array:
    return np.sqrt(np.maximum(truth.second - truth.value[0] ** 2, 0.0))


def _format(truth: Truth, plays: Plays, batch: Batch) -> Column:
    share = segments.mean(_changed(truth, plays), batch.trajectory_of_step, batch.size("trajectory"))
    return Column.of("trajectory", share)


def _features(truth: Truth, plays: Plays, batch: Batch) -> Column:
    seen = np.asarray(batch["state"].values)
    return Column.of("step", np.eye(int(max(len(truth.world.key), seen.max(initial=0) + 1)))[seen])


def _options(truth: Truth, plays: Plays) -> Array:
    return segments.joint(plays.trajectory, plays.time // OPTION)


def _path(truth: Truth, plays: Plays) -> Array:
    before, after = expected_outcome(truth, truth.value, plays)
    return np.clip(after - before, 0.0, 1.0)


def _progress(world: World) -> bool:
    return "progress" in world.facts


EXPECTED = "the exact expected outcome of the play under the policy itself"
BETTER = "the exact expected outcome of the play if a better policy went on from here"
SIGNALS: Mapping[str, Signal] = MappingProxyType({
    "value": _step("the exact return to come, V, before the step", lambda u, p: u.value[p.time, p.state]),
    "next_value": _step("the exact return to come, V, after the step", lambda u, p: u.value[p.time + 1, p.next_state]),
    **_around("belief", EXPECTED, lambda u: u.value),
    **_around("stop_value", EXPECTED, lambda u: u.value),
    **_around("prover_value", BETTER, lambda u: u.better_value),
    "probe": _step(f"{EXPECTED}, after the step", lambda u, p: expected_outcome(u, u.value, p)[1]),
    "path_score": _step(f"the rise of {EXPECTED}, 0 where it falls", _path),
    "step_score": _step("the exact advantage", _advantage),
    "judge_score": _step("the exact advantage through a logistic curve", _squashed),
    "importance": _step("the size of the exact advantage, at most 1",
                        lambda u, p: np.abs(_advantage(u, p)) / max(np.abs(u.advantage).max(), 1e-300)),
    "wrong": _step("1 where the exact advantage is below 0", _wrong),
    "wrong_votes": _step(f"the same from {JUDGES} judges who agree",
                         lambda u, p: np.repeat(_wrong(u, p)[:, None], JUDGES, 1)),
    "closer": _step("the sign of the change of the best policy's discounted value", _closer),
    "values": _step("the exact V, twice", lambda u, p: np.repeat(u.value[p.time, p.state][:, None], 2, 1)),
    "q_values": _step("the exact Q, twice", lambda u, p: np.repeat(_taken(u, p, u.action_value)[:, None], 2, 1)),
    "action_valid": _step("1 where the action changed the state, paid or ended the play", _changed),
    "format_score": Signal("the share of a play's steps whose action was valid in that sense", _format),
    "segment": _step(f"options of {OPTION} steps each", _options),
    "milestones": Signal("levels of progress so far",
                         lambda u, p, b: Column.of("step", _milestones(u, p)), _progress),
    "milestone": Signal("1 where the progress rose", lambda u, p, b: Column.of("step", _milestone(u, p)), _progress),
    "entropy": _token("the entropy of the policy at the step", lambda p: -_plogp(p).sum(1)),
    "logprob": _token("the log-probability of the action", lambda p: np.log(np.maximum(p, 1e-300))),
    "greedy_outcome": Signal("the mean return of the likeliest actions from the same start; costs a play a group",
                             _greedy, costs=_greedy_costs),
    "history_mean": Signal("the exact mean return from the same start", _of_group(lambda u: u.value[0])),
    "history_std": Signal("the exact std of the return from the same start", _of_group(_past_std)),
    "features": Signal(f"one-hot state, in worlds of at most {STATES} states", _features,
                       lambda world: len(world.key) <= STATES),
})  # fmt: skip


def supplied(world: World) -> frozenset[str]:
    """The names that a batch of this world can have beside those that every play records; `node` takes a tree."""
    own = {name for name, signal in SIGNALS.items() if signal.there(world)}
    return frozenset(own | set(world.facts) | {PAIRS, "node"})


def supply(batch: Batch, truth: Truth, plays: Plays, names: frozenset[str]) -> Batch:
    """The batch with those of the named signals that it does not have yet."""
    columns = {n: SIGNALS[n].column(truth, plays, batch) for n in sorted(names) if n in SIGNALS and n not in batch}
    out = batch.with_columns(**columns)
    return out.with_relations(pairs=preferences(batch)) if PAIRS in names else out


def preferences(batch: Batch) -> pa.Table:
    """A judge of pairs who sees the outcomes: for each two plays of a group, by how much the first is better."""
    group, outcome = batch.group_of_trajectory, np.asarray(batch["outcome"].values)
    order = np.argsort(group, kind="stable")
    near, found = group[order], []
    for away in range(1, int(np.bincount(group).max(initial=0))):
        at = np.flatnonzero(near[away:] == near[:-away])
        found.append((order[at], order[at + away]))
    first = np.concatenate([f for f, _ in found]) if found else np.zeros(0, np.int64)
    second = np.concatenate([s for _, s in found]) if found else np.zeros(0, np.int64)
    return pa.table({"first": first, "second": second, "preference": outcome[first] - outcome[second]})


def costs(truth: Truth, names: frozenset[str]) -> float:
    """Environment steps that the named signals take for each group."""
    return float(sum(SIGNALS[name].costs(truth) for name in names if name in SIGNALS))
