"""Random ragged batches for laws, as a hypothesis strategy, and the numbers they hold."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from guerdon.batch import Batch, Column


@st.composite
def ragged_batches(draw, *, missing: bool = True, ends: bool = True, dyadic: bool = True) -> Batch:
    """A batch of 1 to 4 groups of 1 to 5 trajectories of 1 to 9 steps.

    Step columns: `reward`, `state`, `action`, `action_valid`, `milestone`, `milestones`,
    `progress`, `closer`; trajectory columns: `outcome`, `truncated`, `failed`.

    Args:
        missing: some rewards and facts are missing.
        ends: some trajectories are truncated, some failed; those have no outcome.
        dyadic: rewards are multiples of 1/8, and there are 1, 2 or 4 milestones, so that
            sums are exact in any order.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    plays = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
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
    return batch.with_columns(
        **columns,
        reward=Column("step", reward_column.values, reward_column.valid & ~lost),
        failed=Column.of("trajectory", failed),
        outcome=Column("trajectory", outcome, ~failed),
    )
