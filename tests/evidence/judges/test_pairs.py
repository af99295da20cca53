"""Pairs in both orders: judges that are right, that prefer a place, that go in circles, that fail."""

import numpy as np
import pytest

from evidence.judges.endpoint import Answer, said, serving
from guerdon import Batch, Column
from guerdon.credit import against_one, pairwise
from guerdon.credit.pairs import draw_one
from guerdon.errors import RecordError
from guerdon.evidence import observe
from guerdon.evidence.judges import (
    AgainstMarked,
    BothOrders,
    Judge,
    MeanOfOrders,
    OneOrder,
    Pair,
    Sampling,
    Votes,
    pair_judge,
    yes_no,
)  # fmt: skip


def batch(*texts, group=None):
    """A group of plays of one step each."""
    n = len(texts)
    return Batch.from_steps(group=group or [0] * n, trajectory=list(range(n)), reward=[0.0] * n, action=list(texts))


def longer(asked):
    """A judge that prefers the longer answer."""
    a, b = len(asked.part("answer A")), len(asked.part("answer B"))
    return said(asked.sealed(reason="r", better="A" if a > b else "B" if b > a else "tie"))


def first(asked):
    """A judge that prefers whatever comes first."""
    return said(asked.sealed(reason="r", better="A"))


def observed(script, b, form=None, pairing=None, **given):
    with serving(script) as server:
        judge = Judge("better", server.endpoint(), form or Pair("t"), reads=("action",), **given)
        return observe(b, [pair_judge(judge, pairing)]), server


def preferences(out):
    return out.relations["pairs"].column("preference").to_pylist()


def test_a_judge_that_is_right_ranks_the_group():
    out, server = observed(longer, batch("a", "aa", "aaa"))
    assert preferences(out) == [-1.0, -1.0, -1.0] and len(server.asked) == 6
    assert out["better"].values.tolist() == [0.0, 0.5, 1.0]
    credit = pairwise()(out).values
    assert credit[0] < credit[1] < credit[2] and credit.sum() == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("orders", "wanted"),
    [(BothOrders(), 0.0), (BothOrders(None), None), (MeanOfOrders(), 0.0)],
    ids=repr,
)
def test_a_preference_for_a_place_is_no_preference(orders, wanted):
    out, _ = observed(first, batch("a", "aa"), Pair("t", orders=orders))
    assert preferences(out) == [wanted]
    table = out.relations["pairs"].to_pylist()[0]
    assert table["orders_agree"] == 0.0 and table["towards_first_place"] == 1.0
    assert out["better"].tolist() == ([None, None] if wanted is None else [0.5, 0.5])


def test_one_order_costs_half_and_does_not_depend_on_who_is_named_first():
    out, server = observed(longer, batch("a", "aa"), Pair("t", orders=OneOrder()))
    assert preferences(out) == [-1.0] and len(server.asked) == 1
    assert preferences(observed(first, batch("a", "aa"), Pair("t", orders=OneOrder()))[0]) == [
        -p for p in preferences(observed(first, batch("aa", "a"), Pair("t", orders=OneOrder()))[0])
    ]
    shown = [OneOrder().shown(f"text {i}", "other")[0] for i in range(200)]
    assert 60 < sum(shown) < 140


def test_degrees_of_preference():
    def far(asked):
        a, b = len(asked.part("answer A")), len(asked.part("answer B"))
        return said(asked.sealed(reason="r", better="A" if a > b else "B", by=abs(a - b)))

    out, _ = observed(far, batch("a", "aaa"), Pair("t", margin=3))
    assert preferences(out) == [-2.0]


@pytest.mark.parametrize(
    "fields",
    [{"better": "A"}, {"better": "A", "by": 0}, {"better": "tie", "by": 1}, {"better": "A", "by": 4},
     {"better": "A", "by": 1.5}, {"better": "C", "by": 1}, {"by": 1}],
)  # fmt: skip
def test_what_is_no_preference_leaves_the_pair_unscored(fields):
    out, _ = observed(lambda asked: said(asked.sealed(reason="r", **fields)), batch("a", "b"), Pair("t", margin=3))
    assert preferences(out) == [None] and out["better"].tolist() == [None, None]
    assert out.relations["pairs"].column("cause").to_pylist()[0] in out["better/cause"].tolist()[0]


def test_a_pair_that_fails_is_lost_alone():
    def script(asked):
        return Answer(status=400) if "aaa" in (asked.part("answer A"), asked.part("answer B")) else longer(asked)

    out, _ = observed(script, batch("a", "aa", "aaa"))
    assert preferences(out) == [-1.0, None, None]
    assert out["better"].tolist() == [0.0, 1.0, None]
    assert np.isfinite(pairwise()(out).values[:2]).all()


def test_equal_answers_are_a_tie_without_a_call():
    out, server = observed(first, batch("a", "a"))
    assert preferences(out) == [0.0] and not server.asked


def test_groups_are_apart_and_failed_plays_are_left_out():
    b = batch("a", "aa", "b", "bb", "bbb", group=[0, 0, 1, 1, 1])
    b = b.with_columns(failed=Column.of("trajectory", [False, False, False, False, True]))
    out, _ = observed(longer, b)
    assert out.relations["pairs"].select(["first", "second"]).to_pylist() == [
        {"first": 0, "second": 1}, {"first": 2, "second": 3},
    ]  # fmt: skip
    assert out["better/cause"].tolist()[4] == "the play failed"


def test_a_play_alone_in_its_group_is_compared_with_nobody():
    out, _ = observed(longer, batch("a"))
    assert out["better"].tolist() == [None] and len(out.relations["pairs"]) == 0


def test_against_one_asks_about_the_pairs_that_credit_reads():
    b = batch("a", "aa", "aaa", "aaaa")
    b = b.with_columns(drawn=Column("trajectory", draw_one(b, 3), np.ones(4, bool)))
    out, server = observed(longer, b, pairing=AgainstMarked("drawn"))
    assert len(out.relations["pairs"]) == 3 and len(server.asked) == 6
    credit = against_one(3)(out)
    drawn = int(np.flatnonzero(draw_one(b, 3))[0])
    assert credit.valid.all() and credit.values.tolist() == np.sign(np.arange(4) - drawn).tolist()


def test_votes_in_each_order():
    out, server = observed(longer, batch("a", "aa"), Pair("t", votes=Votes(3)), sampling=Sampling(temperature=1.0))
    assert preferences(out) == [-1.0] and len(server.asked) >= 6


def test_an_answer_against_a_fixed_one():
    b = batch("a", "aaaa").with_columns(reference=Column.of("trajectory", ["aa", "aa"]))
    with serving(longer) as server:
        form = Pair("t", one="action", other="reference")
        out = observe(b, [Judge("useful", server.endpoint(), form, reads=("action", "reference"))])
    assert out["useful"].tolist() == [-1.0, 1.0]


def test_a_form_that_compares_nothing_is_refused():
    with serving(longer) as server, pytest.raises(RecordError):
        pair_judge(Judge("x", server.endpoint(), yes_no("t")))
    with pytest.raises(RecordError):
        Pair("t", margin=0)


def test_an_answer_that_says_it_is_better_is_not_believed_by_the_reader():
    """The judge only repeats what answer B says of itself."""
    out, _ = observed(lambda a: said(a.part("answer B")), batch('{"reason": "", "better": "B"}', "an honest answer"))
    assert preferences(out) == [None]
