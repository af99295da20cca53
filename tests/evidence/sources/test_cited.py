"""Overlap of cited ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.sources import Citation, FBeta, In, IoU, Validity, citations, cited

IDS = st.lists(st.sampled_from("abcde"), max_size=7)

# Laws.


@given(IDS, IDS)
def test_parts_agree_with_their_definitions(said, right):
    found, goal = cited(said, right), set(right)
    hit = len(goal & set(said))
    assert 0 <= found.f(2.0) <= 1 and 0 <= found.iou <= min(1.0, found.recall + 1e-12)
    if goal:
        assert found.precision * len(said) == pytest.approx(hit)
        assert found.recall * len(goal) == pytest.approx(hit)
        assert found.iou * len(goal | set(said)) == pytest.approx(hit)
        assert found.validity == (1.0 if goal <= set(said) else 0.5 if hit >= (len(goal) + 1) // 2 else 0.0)
        p, r = found.precision, found.recall
        assert found.f(2.0) == pytest.approx(5 * p * r / (4 * p + r) if hit else 0.0)


@given(st.sets(st.sampled_from("abcde"), min_size=1), st.sets(st.sampled_from("abcde"), min_size=1))
def test_iou_and_f1_of_sets_are_symmetric(a, b):
    one, other = cited(sorted(a), sorted(b)), cited(sorted(b), sorted(a))
    assert one.iou == other.iou and one.f() == pytest.approx(other.f())


@given(IDS, st.sets(st.sampled_from("abcde"), min_size=1), st.randoms())
def test_order_does_not_matter_and_repeats_cost(said, right, random):
    mixed = said[:]
    random.shuffle(mixed)
    assert cited(mixed, sorted(right)) == cited(said, sorted(right))
    assert cited(said + said[:1], sorted(right)).f(2.0) <= cited(said, sorted(right)).f(2.0) + 1e-12


# Worked examples.


def test_where_nothing_is_right():
    assert cited([], []).f(2.0) == 1.0 and cited([], []).iou == 1.0
    assert cited(["a"], []).f(2.0) == 0.0 and cited(["a"], []).validity == 0.0


@pytest.mark.parametrize(
    ("said", "ids"),
    [("<cite>a, b;c\nd</cite>", ["a", "b", "c", "d"]),
     ('<cite>["a, b", 3]</cite>', ["a, b", "3"]), ("<cite></cite>", []),
     ("a", None), ("<cite>a</cite><cite>b</cite>", None), ("<cite>a", None), ("<cite><cite>a</cite>", None),
     ("<cite>[1], [2]</cite>", ["[1]", "[2]"])],
)  # fmt: skip
def test_ids_in_a_tag(said, ids):
    assert In()(said) == ids


def test_worths():
    said, right = "<cite>a, x</cite>", '["a", "b"]'
    assert Citation(FBeta(1.0))(said, right).value == pytest.approx(0.5)
    assert Citation(IoU())(said, right).value == pytest.approx(1 / 3)
    assert Citation(Validity())(said, right).value == 0.5


def test_accept_reject_unscored():
    grade = Citation(FBeta())
    assert grade("<cite>A</cite>", ["a"]).value == 1.0
    assert grade("<cite>b</cite>", ["a"]).value == 0.0
    assert grade("a", ["a"]).facts["why"] and grade("<cite>a</cite>" + "x" * 200_000, ["a"]).value == 0.0
    assert not grade("<cite>a</cite>", None).scored and not grade("<cite>a</cite>", "[[1]]").scored


def test_as_an_observer():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 1], reward=[0.0] * 2, action=["<cite>d1</cite>"] * 2)
    batch = batch.with_columns(task_evidence=Column.of("trajectory", ['["d1"]', None]))
    seen = observe(batch, [citations("f"), citations("iou", IoU())])
    assert seen["f"].tolist() == [1.0, None] and seen["iou/validity"].tolist() == [1.0, None]
    assert citations() == citations()
