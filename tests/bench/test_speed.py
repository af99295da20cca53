"""bench speed: both sides do the same work, the rows say what they should, and the figures that must hold."""

import sys

import numpy as np
import pytest

from guerdon.bench import speed
from guerdon.errors import MissingExtraError


def row(ratio, asked=15.0, least=True):
    return speed.Row("gae", "(a)", "verl gae", 2.0, 40.0, ratio, ratio - 1, ratio + 1, asked, least)


@pytest.mark.parametrize(
    ("ratio", "asked", "least", "holds"),
    [(15.0, 15.0, True, True), (14.9, 15.0, True, False), (2.9, 3.0, False, True), (3.1, 3.0, False, False),
     (9.0, None, True, None)],
)  # fmt: skip
def test_a_row_says_whether_it_holds(ratio, asked, least, holds):
    assert row(ratio, asked, least).holds is holds


def test_the_table_says_what_does_not_hold():
    cells = speed.table([row(20.0), row(2.0), row(2.0, None)])
    assert [c[-1] for c in cells] == ["yes", "NO", "-"]
    assert all(len(c) == len(speed.HEADS) for c in cells)


def test_the_clock_is_read_around_each_call_and_results_are_the_last():
    said = []
    (ours, last), (theirs, other) = speed._run(lambda: said.append("o") or len(said), lambda: said.append("t"), 2)
    assert said == ["o", "t"] * 3 and last == 5 and other is None
    assert len(ours) == len(theirs) == 2 and (ours >= 0).all()


def test_advantages_are_those_of_the_groups_that_the_uids_say():
    case = speed.plays("x", np.array([2, 1, 1, 3]), turns=False)
    uid = np.array(["p", "q", "p", "q"], object)
    got = speed.advantages(case.batch, speed.CREDITS["rloo"], uid)
    s = case.score.astype(float)
    a = [s[0] - s[2], s[1] - s[3], s[2] - s[0], s[3] - s[1]]
    assert got.values == pytest.approx(np.repeat(a, [2, 1, 1, 3]), abs=1e-6)


def test_without_verl_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "verl", None)
    monkeypatch.setitem(sys.modules, "verl.trainer.ppo", None)
    with pytest.raises(MissingExtraError, match=r"bench speed: verl cannot be imported .*guerdon\[verl\]"):
        speed.measure(speed.SMALL)


@pytest.mark.slow
def test_both_sides_agree_and_small_asks_for_nothing():
    pytest.importorskip("verl")
    rows = speed.measure(speed.SMALL)
    assert max(r.apart for r in rows if r.apart is not None) < 1e-5
    assert {r.asked for r in rows} == {None}
    assert {"grpo", "rloo", "opo", "gae"} <= {r.what for r in rows}


@pytest.mark.speed
@pytest.mark.slow
def test_every_figure_that_is_asked_for_holds():
    pytest.importorskip("verl")
    rows = speed.measure()
    missed = [cells for r, cells in zip(rows, speed.table(rows), strict=True) if r.holds is False]
    assert missed == []
