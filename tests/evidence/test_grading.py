"""Rows of a batch as questions, verdicts as columns."""

import os
import sqlite3

import numpy as np
import pyarrow as pa
import pytest

from guerdon import Batch, Column, Ended, Step, Trajectory, Verdict
from guerdon.errors import RecordError
from guerdon.evidence import observe
from guerdon.evidence.cache import Cache
from guerdon.evidence.grading import Grading, Here, remembered, rows_of, using, with_verdicts


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


def test_a_score_outside_the_range_is_unscored_for_its_item_only():
    def count(said):
        return Verdict.score(len(said), high=100)

    b = batch().with_columns(action=Column.of("step", pa.array(["x", "aaa", "c"])))
    out = Grading("count", count, reads=("action",), deadline=None).observe(b)
    assert out["count"].tolist() == [None, 1.0, 0.0]
    assert out["count/cause"].tolist()[0] == "the grader scored 3, outside its range [0, 1]"


def test_without_workers_graders_with_a_deadline_run_in_the_processs_own_pool():
    def where(said):
        import os
        import time

        if said == "c":
            time.sleep(60)
        return Verdict.score(1, pid=os.getpid())

    b = batch().with_columns(action=Column.of("step", pa.array(["x", "a", "c"])))
    out = Grading("where", where, reads=("action",), deadline=0.5).observe(b)
    assert out["where"].tolist() == [1.0, None, 1.0]
    assert out["where/cause"].tolist()[1] == "the grader missed its deadline of 0.5 s"
    assert os.getpid() not in out["where/pid"].tolist()


def test_equal_items_are_asked_once_without_a_cache_too():
    asked = []

    def ask(some):
        asked.extend(some)
        return [Verdict.score(1.0, said=said) for (said,) in some]

    items = [("a",), ("b",), ("a",), (object(),), ("b",)]
    verdicts = remembered(Grading("same", len), len, items, ask)
    assert len(asked) == 3 and [v.facts["said"] for v in verdicts] == [said for (said,) in items]


def test_no_items_give_no_columns_but_the_score():
    empty = Batch(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), {})
    out = with_verdicts(empty, "same", "trajectory", [])
    assert len(out["same"]) == 0 and not out.relations


def test_items_with_other_keys_or_types_and_text_that_no_file_takes_are_all_kept():
    verdicts = [
        Verdict.score(1.0, items=[{"test": 0, "why": "a"}, {"test": 1, "seconds": 0.5}], said="\ud800 half", mixed=1),
        Verdict.score(0.0, items=[{"test": 0, "why": 3, "seconds": "long"}], mixed=[1, 2]),
    ]
    b = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    out = with_verdicts(b, "same", "trajectory", verdicts)
    rows = out.relations["same/items"].to_pylist()
    assert [row["why"] for row in rows] == ["a", None, "3"] and [row["seconds"] for row in rows] == [
        None,
        "0.5",
        "long",
    ]
    assert out["same/said"].tolist() == ["? half", None]
    assert out["same/mixed"].tolist() == ["1", "[1, 2]"]


def test_a_fact_that_no_float_holds_and_one_called_cause_harm_nobody():
    b = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    verdicts = [Verdict.score(1.0, many=10**400, cause="mine"), Verdict.unscored("no judge")]
    out = with_verdicts(b, "same", "trajectory", verdicts)
    assert out["same/many"].tolist() == [str(10**400), None]
    assert out["same/cause"].tolist() == [None, "no judge"] and out["same/cause_"].tolist() == ["mine", None]


def test_a_score_outside_the_range_is_not_remembered(tmp_path):
    cache = Cache(tmp_path)
    wide = Grading("wide", lambda said: Verdict.score(7, high=9), reads=("action",), deadline=1.0)
    b = batch().with_columns(action=Column.of("step", pa.array(["x", "a", "c"])))
    with using(Here(), cache):
        assert wide.observe(b)["wide"].tolist() == [None] * 3
    with sqlite3.connect(cache.file) as rows:
        assert rows.execute("SELECT count(*) FROM verdicts").fetchone() == (0,)
    rows.close()


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Grading(0.9, len), "Grading: 0.9 .float. is given for the name.*by keyword"),
        (lambda: Grading("", len), "for the name of an observer"),
        (lambda: Grading("same", len, reads="action"), r"reads is 'action'; .*write reads=\('action',\)"),
    ],
)
def test_a_name_that_is_none_and_one_text_for_all_that_is_read_are_refused(make, says):
    with pytest.raises(RecordError, match=says):
        make()


def test_the_recorded_cause_of_a_failed_play_is_passed_on():
    plays = [Trajectory("a", steps=(Step("", "x"),), ended=Ended.failed(0, "the world died")), Trajectory("a")]
    assert rows_of(Batch.of(plays), ("action",), "trajectory", "same")[1][0].cause == "the play failed: the world died"
