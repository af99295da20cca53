"""Random ragged batches for laws, as a hypothesis strategy, and the numbers they hold."""

from __future__ import annotations

import functools
import os

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from guerdon.batch import Batch, Column

BANK = 400  # batches of each kind that the laws are tried on; with LAWS=wide each example is a new one


def ragged_batches(*, missing: bool = True, ends: bool = True, dyadic: bool = True) -> st.SearchStrategy[Batch]:
    """A batch of 1 to 4 groups of 1 to 5 trajectories of 1 to 9 steps.

    Step columns: `reward`, `state`, `action`, `action_valid`, `milestone`, `milestones`,
    `progress`, `closer`; trajectory columns: `outcome`, `truncated`, `failed`. And made-up signals
    that judges, probes and models will supply: see `signals`. A batch takes 20 times as long to make as its
    credit, so laws share them; the first of the bank are the smallest, so that examples shrink.

    Args:
        missing: some rewards and facts are missing.
        ends: some trajectories are truncated, some failed; those have no outcome.
        dyadic: rewards are multiples of 1/8, and there are 1, 2 or 4 milestones, so that
            sums are exact in any order.
    """
    most = 2**32 if os.environ.get("LAWS") == "wide" else BANK
    return st.integers(0, most - 1).map(lambda number: _numbered(number, missing, ends, dyadic))


@functools.lru_cache(4 * BANK)
def _numbered(number: int, missing: bool, ends: bool, dyadic: bool) -> Batch:
    rng = np.random.default_rng(number)
    size = 1 + number // (BANK // 8)
    plays = rng.integers(1, 1 + min(size, 5), rng.integers(1, 1 + min(size, 4)))
    return make_batch(rng, plays, missing=missing, ends=ends, dyadic=dyadic)


def make_batch(rng, plays, *, missing: bool = True, ends: bool = True, dyadic: bool = True) -> Batch:
    """The same from a generator and the number of trajectories of each group."""
    count = int(np.sum(plays))
    length = rng.integers(1, 10, count)
    owner = np.repeat(np.arange(count), length)
    n = len(owner)
    last = np.append(owner[1:] != owner[:-1], True)

    def gaps(share: float):
        return rng.random(n) >= share if missing and rng.random() < 0.5 else np.ones(n, bool)

    reward = rng.integers(-8, 9, n) / 8 if dyadic else rng.normal(size=n)
    goals = rng.choice([1, 2, 4] if dyadic else [1, 2, 3, 4, 5])
    milestone = (rng.random(n) < 0.4).astype(float)
    before = np.cumsum(milestone)
    base = (before - milestone)[np.append(0, np.cumsum(length)[:-1])]
    milestones = np.minimum(before - base[owner], goals)
    milestone = milestones - np.where(np.append(True, owner[1:] != owner[:-1]), 0.0, np.append(0.0, milestones[:-1]))
    truncated = (rng.random(count) < 0.3) & ends
    failed = (rng.random(count) < 0.2) & ends & ~truncated
    batch = Batch.from_steps(
        group=np.repeat(np.arange(len(plays)), plays)[owner], trajectory=owner,
        reward=np.where(gaps(0.1), reward, np.nan),
        state=rng.integers(0, 4, n), action=rng.integers(0, 3, n),
        truncated=truncated[owner] & last,
        tokens_per_step=rng.integers(1, 4, n),
    )  # fmt: skip
    outcome = (milestones[last] == goals).astype(float)
    lost = owner < 0
    if failed.any():  # a failed play lost its facts from some step on
        place = np.arange(n) - (np.cumsum(length) - length)[owner]
        lost = failed[owner] & (place >= rng.integers(0, 9, count)[owner])
    facts = {
        "action_valid": (rng.random(n) < 0.8).astype(float),
        "milestone": milestone,
        "milestones": milestones,
        "progress": milestones / goals,
        "closer": rng.integers(-1, 2, n).astype(float),
    }
    columns = {name: Column("step", v, gaps(0.05) & ~lost) for name, v in facts.items()}
    reward_column = batch["reward"]
    batch = batch.with_columns(
        **columns,
        reward=Column("step", reward_column.values, reward_column.valid & ~lost),
        failed=Column.of("trajectory", failed),
        outcome=Column("trajectory", outcome, ~failed),
    )
    return shaped(signals(batch, rng, gaps, lost), rng.spawn(1)[0], lost, missing)


# What judges, probes and models say of a step after it; values of a state come in pairs, X before and next_X after.
UNIT = ("belief", "next_belief", "prover_value", "next_prover_value", "stop_value", "next_stop_value", "probe",
        "judge_score", "importance")  # fmt: skip
REAL = ("step_score", "path_score", "value", "next_value")
BINARY = ("wrong",)
VECTORS = {"features": 2, "wrong_votes": 3, "passed": 4, "satisfied": 3, "q_values": 2, "values": 2}
OF_PLAYS = ("greedy_outcome", "length_score", "writing_score", "format_score")
# What shaped rewards read. Of a path: where it is, how far off, what it broke; of an action: its kind, and whether
# it was of use (missing where it was of another kind). Of a play: a proxy, what it cost, what a second verifier said.
PATH = ("lane_distance", "overspeed", "comfort", "centre_distance")
MARKS = ("near_miss", "violation", "stopped", "tool_used", "searched", "selected", "cropped")
BY_KIND = {"useful": "searched", "hit": "selected", "overlap": "cropped", "tool_score": "tool_used"}


def signals(batch: Batch, rng, gaps, lost) -> Batch:
    """The batch with made-up signals at every level, dyadic so that sums are exact, and with pairs compared."""
    n, plays, tokens = (batch.size(level) for level in ("step", "trajectory", "token"))

    def eighths(low: int, high: int, size) -> np.ndarray:
        return rng.integers(low, high + 1, size) / 8

    columns = {name: Column("step", eighths(0, 8, n), gaps(0.05) & ~lost) for name in UNIT}
    columns |= {name: Column("step", eighths(-8, 8, n), gaps(0.05) & ~lost) for name in REAL}
    columns |= {name: Column("step", eighths(0, 1, n) * 8, gaps(0.05) & ~lost) for name in BINARY}
    bits = ("wrong_votes", "passed", "satisfied")
    for name, width in VECTORS.items():
        values = eighths(0, 1, (n, width)) * 8 if name in bits else eighths(-8, 8, (n, width))
        columns[name] = Column("step", values, gaps(0.05) & ~lost)
    owner = batch.trajectory_of_step
    first = np.append(True, owner[1:] != owner[:-1])
    columns["segment"] = Column.of("step", np.cumsum(first | (rng.random(n) < 0.5)))
    columns["node"] = Column.of("step", nodes(batch, rng))
    columns |= {name: Column.of("trajectory", eighths(0, 8, plays)) for name in OF_PLAYS}
    columns["replayed"] = Column.of("trajectory", rng.random(plays) < 0.1)
    columns["history_mean"] = Column.of("group", eighths(0, 8, batch.size("group")))
    columns["history_std"] = Column.of("group", eighths(1, 8, batch.size("group")))
    sampled = batch["sampled"].values
    lost_token = lost[batch.step_of_token]
    columns["entropy"] = Column("token", eighths(0, 16, tokens), sampled & ~lost_token)
    columns["logprob"] = Column("token", -eighths(0, 16, tokens), sampled)
    columns["influence"] = Column("token", eighths(-8, 8, tokens), sampled & ~lost_token)
    columns["divergence"] = Column("token", eighths(0, 8, tokens), sampled & ~lost_token)
    return batch.with_columns(**columns).with_relations(pairs=pairs(batch.group_of_trajectory, rng))


def shaped(batch: Batch, rng, lost, missing: bool) -> Batch:
    """What shaped rewards read, from a stream of its own, so that the columns above stay as they are."""
    n, plays, groups, tokens = (batch.size(level) for level in ("step", "trajectory", "group", "token"))

    def eighths(low: int, high: int, size) -> np.ndarray:
        return rng.integers(low, high + 1, size) / 8

    def there(share: float = 0.05) -> np.ndarray:
        return ~lost & ((rng.random(n) >= share) | (not missing))

    columns = {name: Column("step", eighths(0, 8, n), there()) for name in PATH}
    columns["distance"] = Column("step", np.maximum(eighths(-4, 8, n), 0.0), there())
    marks = {name: rng.random(n) < 0.3 for name in MARKS}
    columns |= {name: Column("step", mark.astype(float), ~lost) for name, mark in marks.items()}
    for name, kind in BY_KIND.items():
        scores = eighths(-8, 8, n) if name == "tool_score" else eighths(0, 1, n) * 8
        columns[name] = Column("step", scores, there(0.02) & marks[kind])
    right, known = batch["outcome"].values > 0, batch["outcome"].valid
    checked = known & ~right & (rng.random(plays) < 0.6)
    columns["appeal"] = Column("trajectory", (rng.random(plays) < 0.3).astype(float), checked)
    columns["flawed"] = Column("trajectory", (rng.random(plays) < 0.4).astype(float), known & right)
    columns["well_formed"] = Column.of("trajectory", (rng.random(plays) < 0.8).astype(float))
    columns |= {name: Column.of("trajectory", eighths(0, 8, plays)) for name in ("grounding", "retrieval_score")}
    columns["self_reward"] = Column.of("trajectory", eighths(-4, 12, plays))
    columns["proxy"] = Column.of("trajectory", eighths(-16, 16, plays))
    columns["cost"] = Column("trajectory", eighths(0, 32, plays), known)
    columns["needs_tool"] = Column.of("group", (rng.random(groups) < 0.6).astype(float))
    columns["reference_scores"] = Column.of("group", eighths(-16, 16, (groups, 3)))
    columns["logprob_alone"] = Column("token", -eighths(0, 16, tokens), batch["logprob"].valid)
    for name in ("logprob_better", "logprob_worse", "teacher_logprob"):
        columns[name] = Column("token", -eighths(0, 16, tokens), batch["logprob"].valid)
    return batch.with_columns(**columns)


def nodes(batch: Batch, rng) -> np.ndarray:
    """Keys of a tree: a play shares its first steps with an earlier play of its group, as far as both go."""
    owner = batch.trajectory_of_step
    start = np.searchsorted(owner, np.arange(batch.size("trajectory") + 1))
    node = np.arange(batch.size("step")) + 1
    for play, group in enumerate(batch.group_of_trajectory):
        earlier = np.flatnonzero(batch.group_of_trajectory[:play] == group)
        if len(earlier) and rng.random() < 0.7:
            other = rng.choice(earlier)
            most = min(start[play + 1] - start[play], start[other + 1] - start[other]) - 1
            shared = rng.integers(0, most + 1) if most > 0 else 0
            node[start[play] : start[play] + shared] = node[start[other] : start[other] + shared]
    return node


def pairs(group: np.ndarray, rng) -> pa.Table:
    """A judge's preference of the first play over the second, for each two plays of a group; some are not judged."""
    first, second = np.nonzero((group[:, None] == group) & (np.arange(len(group))[:, None] < np.arange(len(group))))
    kept = rng.random(len(first)) < 0.9
    preference = rng.integers(-3, 4, len(first)).astype(float)
    return pa.table({"first": first[kept], "second": second[kept], "preference": preference[kept]})
