"""From cheap to dear: who decides, who is believed, what is recorded, and what happens when a stage fails."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.judges.endpoint import Answer, serving, verdict
from guerdon import Batch, Column, Verdict
from guerdon.errors import LevelError, RecordError, ShapeError
from guerdon.evidence import Grading, Observer, Reading, match, observe, turns
from guerdon.evidence.cascade import NO, YES, Always, Only, Stage, cascade, measured, measured_on
from guerdon.evidence.judges import Judge, yes_no


def batch(*answers, reference="a"):
    n = len(answers)
    b = Batch.from_steps(group=[0] * n, trajectory=list(range(n)), reward=[0.0] * n, action=list(answers))
    texts = pa.array([reference] * n, pa.string())
    return b.with_columns(reference=Column.of("trajectory", texts), prompt=Column.of("trajectory", ["t"] * n))


def fixed(name, *values):
    """A stage that says these, by the digit at the end of the answer; None leaves it unscored."""

    def grade(said):
        value = values[int(said[-1])]
        return Verdict.unscored(f"{name} broke") if value is None else Verdict.score(value)

    return Grading(name, grade, reads=("action",), deadline=None)


unit = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=4, max_size=4)


# Laws.


@given(unit, unit, st.floats(0, 0.5), st.floats(0.5, 1))
def test_every_play_gets_the_first_verdict_that_is_believed_or_every_cause(one, two, low, high):
    sure = Only(((0.0, low), (high, 1.0)))
    b = batch("x0", "x1", "x2", "x3")
    out = cascade("c", Stage(fixed("one", *one), sure, 1.0), Stage(fixed("two", *two), Always(), 10.0)).observe(b)
    for play, (a, z) in enumerate(zip(one, two, strict=True)):
        decided = a is not None and (a <= low or a >= high)
        assert out["c"].tolist()[play] == (a if decided else z)
        if out["c"].valid[play]:
            assert out["c/stage"].tolist()[play] == ("one" if decided else "two")
        assert out["c/price"].tolist()[play] == (1.0 if decided else 11.0)
        assert out["c/asked"].tolist()[play] == (1.0 if decided else 2.0)


@given(unit)
def test_one_stage_that_is_always_believed_is_that_observer(values):
    b = batch("x0", "x1", "x2", "x3")
    assert cascade("c", fixed("one", *values)).observe(b)["c"].tolist() == list(values)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200), st.floats(0.5, 1))
def test_a_bin_is_believed_only_where_its_precision_is_above_the_bar(rows, bar):
    scores, labels = ([float(row[i]) for row in rows] for i in (0, 1))
    gate, loose = measured(scores, labels, bar), measured(scores, labels, bar, z=0.0)
    for k, side in enumerate((0.0, 1.0)):
        there = [label for score, label in zip(scores, labels, strict=True) if score == side]
        share = sum(label == side for label in there) / len(there) if there else 0.0
        assert loose.believed[k] == (bool(there) and share >= bar - 1e-12) or abs(share - bar) < 1e-9
        assert not gate.believed[k] or loose.believed[k]
        assert gate.bound[k] <= share + 1e-12


# Worked.


def test_a_yes_of_the_cheap_stage_decides_and_its_no_goes_on():
    seen = []

    def grade(said):
        seen.append(said)
        return Verdict.score(float(said == "also a"))

    dear = Grading("dear", grade, reads=("action",), deadline=None)
    out = observe(batch("a", "also a", "b"), [cascade("right", Stage(match(), YES), Stage(dear, price=3.0))])
    assert out["right"].tolist() == [1.0, 1.0, 0.0] and seen == ["also a", "b"]
    assert out["right/stage"].tolist() == ["match", "dear", "dear"]
    rows = out.relations["right/items"].to_pylist()
    assert [(r["trajectory"], r["stage"], r["value"], r["believed"], r["price"]) for r in rows] == [
        (0, "match", 1.0, True, 0.0), (1, "match", 0.0, False, 0.0), (1, "dear", 1.0, True, 3.0),
        (2, "match", 0.0, False, 0.0), (2, "dear", 0.0, True, 3.0),
    ]  # fmt: skip


def test_later_stages_are_not_asked_when_all_is_decided():
    def never(batch):
        raise RuntimeError("asked")

    out = cascade("c", fixed("one", 1.0), Reading("two", never)).observe(batch("x0"))
    assert out["c"].tolist() == [1.0] and "c/cause" not in out


def test_soft_scores_far_from_the_middle_decide():
    soft = Stage(fixed("soft", 0.05, 0.5, 0.95), Only(((0.0, 0.1), (0.9, 1.0))))
    out = cascade("c", soft, fixed("dear", 1.0, 1.0, 1.0)).observe(batch("x0", "x1", "x2"))
    assert out["c"].tolist() == [0.05, 1.0, 0.95]


# Unscored.


def test_a_stage_that_fails_passes_on_and_none_that_knows_is_unscored_with_all_causes():
    one, two = fixed("one", None, None, 0.0), fixed("two", 1.0, None, 0.0)
    out = cascade("c", Stage(one, YES), Stage(two, YES)).observe(batch("x0", "x1", "x2"))
    assert out["c"].tolist() == [1.0, None, None]
    assert out["c/cause"].tolist()[1:] == [
        "one: one broke; two: two broke",
        "one said 0, for which it is not believed; two said 0, for which it is not believed",
    ]


def test_a_stage_that_raises_or_lacks_its_columns_passes_on():
    def raises(batch):
        raise RuntimeError("no")

    lacks = Grading("lacks", lambda x: Verdict.score(1.0), reads=("nowhere",), deadline=None)
    out = cascade("c", Reading("one", raises), lacks, fixed("two", 1.0)).observe(batch("x0"))
    assert out["c"].tolist() == [1.0]
    assert "RuntimeError: no" in out.relations["c/items"].to_pylist()[0]["cause"]


def test_a_judge_is_asked_only_about_the_rest_and_its_faults_are_causes():
    def script(asked):
        return Answer(status=400) if asked.part("action") == "odd" else verdict("yes")(asked)

    with serving(script) as server:
        judge = Judge("judge", server.endpoint(), yes_no("t"))
        out = observe(batch("a", "other", "odd"), [cascade("c", Stage(match(), YES), Stage(judge, price=1.0))])
    assert out["c"].tolist() == [1.0, 1.0, None] and len(server.asked) == 2
    assert "match said 0" in out["c/cause"].tolist()[2] and "400" in out["c/cause"].tolist()[2]


def test_an_empty_batch():
    empty = Batch(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), {})
    assert len(cascade("c", turns).observe(empty)["c"]) == 0


# The gate.


def test_a_stage_is_believed_where_it_was_found_precise():
    answers = ["a"] * 200 + ["b"] * 200
    b = batch(*answers).with_columns(label=Column.of("trajectory", [1.0] * 200 + [1.0] * 60 + [0.0] * 140))
    gate = measured_on(match(), b, "label", bar=0.95)
    assert gate.believed == (False, True) and gate.seen == (200, 200) and gate.right == (140, 200)
    out = cascade("c", Stage(match(), gate), fixed("dear", 0.0)).observe(batch("a", "b0"))
    assert out["c/stage"].tolist() == ["match", "dear"]


def test_a_few_labels_are_not_enough():
    assert measured([1.0] * 5, [1] * 5).believed == (False, False)
    assert measured([1.0] * 132, [1] * 132).believed == (False, False)
    assert measured([1.0] * 133, [1] * 133).believed == (False, True)
    assert measured([], []).believed == (False, False)


def test_unscored_and_unlabelled_items_do_not_count():
    assert measured([1.0, float("nan")], [1, 0], z=0).seen == (0, 1)
    b = batch("a", "a").with_columns(label=Column.of("trajectory", [1.0, None]))
    assert measured_on(match(), b, "label", z=0).seen == (0, 1)


def test_finer_bins_of_a_soft_score():
    scores, labels = [0.05] * 50 + [0.45] * 50 + [0.6] * 50 + [0.99] * 50, [0] * 75 + [1] * 75 + [1] * 50
    gate = measured(scores, labels, 0.9, edges=(0.0, 0.1, 0.5, 0.9, 1.0))
    assert gate.believed == (True, False, True, True)
    assert gate(np.array([0.0, 0.3, 0.5, 1.0, 1.5])).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("scores", "labels", "edges"),
    [([1.0], [1, 0], (0, 0.5, 1)), ([1.0], [2], (0, 0.5, 1)), ([1.0], [1], (0, 1)), ([1.0], [1], (0, 0.5, 0.5)),
     ([2.0], [1], (0, 0.5, 1))],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(scores, labels, edges):
    with pytest.raises(ShapeError):
        measured(scores, labels, edges=edges)


# What is no cascade.


def test_what_is_no_cascade_is_refused():
    with pytest.raises(RecordError):
        cascade("c")
    with pytest.raises(RecordError):
        cascade("c", fixed("one", 1.0), fixed("one", 0.0))
    with pytest.raises(RecordError):
        cascade("one", fixed("one", 1.0))
    with pytest.raises(ShapeError):
        cascade("c", fixed("one", 1.0), Reading("two", lambda b: b["reward"], high=10.0))
    with pytest.raises(LevelError):
        cascade("c", Reading("two", lambda b: b["reward"], level="step"))


def test_it_is_an_observer_with_a_version_of_its_stages():
    one = cascade("c", Stage(match(), YES), fixed("two", 1.0))
    other = cascade("c", Stage(match(), NO), fixed("two", 1.0))
    assert isinstance(one, Observer) and one.version != other.version and (one.low, one.high) == (0.0, 1.0)
    assert one.cost == "seconds"
