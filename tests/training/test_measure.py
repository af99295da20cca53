"""measure: what is written about an iteration, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import assign
from guerdon.rewards import at_end, fact, reward
from guerdon.training.loop import gather, learn
from guerdon.training.measure import dead_groups, measure, unscored
from guerdon.training.warmup import warm_up

FIELDS = {
    "iteration", "env_steps", "tokens", "seconds", "success", "length", "invalid", "entropy", "loss", "ratio_clipped",
    "kl_old", "grad_norm", "dead_groups", "unscored", "parts", "worth", "milestones",
}  # fmt: skip


@pytest.fixture
def four():
    """Two groups of two plays; the last play failed."""
    batch = Batch.from_steps(
        group=[0, 0, 0, 1, 1, 1], trajectory=[0, 0, 1, 2, 2, 3], reward=[0.0, 1.0, 0.0, 0.0, 0.0, None]
    )
    return batch.with_columns(
        outcome=Column.of("trajectory", np.array([1.0, 0.0, 0.0, np.nan])),
        failed=Column.of("trajectory", np.array([False, False, False, True])),
        ended_by=Column.of("trajectory", pa.array([None, "horizon", None, "it hung"])),
        action_valid=Column.of("step", np.array([1.0, 1.0, 0.0, 1.0, 1.0, np.nan])),
        milestones=Column.of("step", np.array([1.0, 2.0, 1.0, 0.0, 0.0, np.nan])),
    )


def test_a_batch_measured_by_hand(four, make):
    run = make()
    batch = assign(reward(four, at_end(fact("outcome")) + 0.5 * fact("action_valid")), recipes.get("rloo").credit)
    m = measure(run, batch, {"loss": 0.25})
    assert m["success"] == pytest.approx(1 / 3) and m["length"] == 1.5 and m["loss"] == 0.25
    assert m["invalid"] == pytest.approx(1 / 5) and m["milestones"] == pytest.approx((2 + 1 + 0 + 0) / 4)
    assert m["dead_groups"] == 0.5 and m["unscored"] == {"it hung": 0.25}
    assert sum(m["parts"].values()) == pytest.approx(m["worth"])
    assert m["parts"]["outcome"] == pytest.approx(1 / 4)


def test_a_reward_that_is_no_sum_is_its_own_one_part(four, make):
    batch = assign(reward(four, fact("outcome")), recipes.get("rloo").credit)
    m = measure(make(), batch, {})
    assert m["parts"] == {"outcome": m["worth"]} and m["worth"] == pytest.approx(1 / 4)


def test_a_real_iteration_has_every_field(make):
    run = make("milestones")
    run.open(False)
    warm_up(run, lambda run, metrics: None)
    batch = gather(run)
    m = measure(run, batch, learn(run, batch))
    assert m.keys() >= FIELDS and m["iteration"] == 1 and m["unscored"] == {}
    assert m["success"] == pytest.approx(batch["outcome"].values.mean())


def test_a_group_in_which_nothing_differs_is_dead(four):
    def share(values):
        return dead_groups(four.with_columns(advantage=Column.of("step", np.array(values))))

    assert share([0.0] * 6) == 1.0 and share([0, 0, 1e-9, 0, 0, 0]) == 0.5 and share([1.0, 0, 0, 0, 0, -1]) == 0.0


def test_a_play_without_a_score_is_counted_under_its_cause(four):
    assert unscored(four) == {"it hung": 0.25}
    silent = four.with_columns(outcome=Column.of("trajectory", np.array([np.nan, 0.0, 0.0, np.nan])))
    assert unscored(silent) == {"it hung": 0.25, "no score": 0.25}


def test_a_step_that_a_reward_could_not_be_had_for_is_unscored_too(four):
    worth = Column.of("step", np.array([0.0, 0.0, np.nan, 0.0, 0.0, np.nan]))
    assert unscored(four.with_columns(worth=worth)) == {"it hung": 0.25, "no score": 0.25}
