"""Rows of a batch as questions, verdicts as columns."""

import numpy as np
import pyarrow as pa

from guerdon import Batch, Column, Verdict
from guerdon.evidence import observe
from guerdon.evidence.grading import Grading, Here, rows_of, using, with_verdicts


def batch():
    """Three plays in one group: two steps, one step, none; the second has no reference."""
    b = Batch(
        np.zeros(0, np.int64), np.array([0, 0, 1]), np.array([0, 0, 0]),
        {"action": Column.of("step", pa.array(["x", "a", "b"])), "reward": Column.of("step", [0.0, 0.0, 0.0])},
    )  # fmt: skip
    return b.with_columns(reference=Column.of("trajectory", pa.array(["a", None, "c"])))


def same(said, wanted):
    """1 where both are equal; raises on a question mark, as a grader with a fault would."""
    if said == "?":
        raise RuntimeError("cannot read it")
    return Verdict.score(said == wanted, length=len(said), items=[{"sign": s} for s in said])


def test_the_last_action_counts_and_a_play_without_steps_said_nothing():
    rows, verdicts = rows_of(batch(), ("action", "reference"), "trajectory", "same")
    assert [rows[0], rows[2]] == [("a", "a"), ("", "c")]
    assert verdicts[0] is None and verdicts[2] is None
    assert verdicts[1].cause == "reference is missing"


def test_a_failed_play_is_not_asked_about():
    b = batch().with_columns(failed=Column.of("trajectory", [True, False, False]))
    assert rows_of(b, ("action",), "trajectory", "same")[1][0].cause == "the play failed"


def test_verdicts_become_columns_facts_and_items():
    out = Grading("same", same, deadline=None).observe(batch())
    assert out["same"].tolist() == [1.0, None, 0.0]
    assert out["same/cause"].tolist() == [None, "reference is missing", None]
    assert out["same/length"].tolist() == [1.0, None, 0.0]
    assert out.relations["same/items"].to_pylist() == [{"trajectory": 0, "sign": "a"}]
    kept = out.select([False, True, True])
    assert kept.relations["same/items"].num_rows == 0


def test_at_step_level_a_trajectory_column_is_read_for_each_step():
    out = Grading("same", same, level="step", deadline=None).observe(batch())
    assert out["same"].tolist() == [0.0, 1.0, None]


def test_a_grader_that_raises_leaves_its_item_unscored():
    b = batch().with_columns(action=Column.of("step", pa.array(["x", "?", "c"])))
    out = observe(b, [Grading("same", same, deadline=None)])
    assert out["same"].tolist() == [None, None, 0.0]
    assert out["same/cause"].tolist()[0] == "RuntimeError: cannot read it"


def test_graders_with_a_deadline_run_on_the_workers_in_use():
    class Counting(Here):
        asked = 0

        def run(self, grade, items, deadline):
            self.asked += len(items)
            return super().run(grade, items, deadline)

    with using(Counting()) as workers:
        Grading("same", same, deadline=1.0).observe(batch())
        Grading("other", same, deadline=None).observe(batch())
    assert workers.asked == 2


def test_no_items_give_no_columns_but_the_score():
    empty = Batch(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), {})
    out = with_verdicts(empty, "same", "trajectory", [])
    assert len(out["same"]) == 0 and not out.relations
