"""Which trajectories are shown, and that what is shown is what the columns hold."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.report.data import read
from guerdon.report.trajectories import Limits, article, choose, largest, per_trajectory, play, plays
from guerdon.store import write_batch


def three(worth=(1.0, 5.0, 3.0), **columns):
    """Three plays of one group, two steps each."""
    batch = Batch.from_steps(group=[0] * 6, trajectory=[0, 0, 1, 1, 2, 2], reward=[0.0, 1.0] * 3)
    halves = np.repeat(np.array(worth) / 2, 2)
    return batch.with_columns(worth=Column.of("step", halves), **columns)


def test_best_worst_and_median_by_worth():
    assert choose(three()) == [(1, "best"), (0, "worst"), (2, "median")]


def test_one_that_has_several_reasons_is_shown_once():
    assert choose(three().select(np.array([True, False, False]))) == [(0, "best, worst, median")]


def test_a_failed_one_is_shown_though_it_has_no_worth():
    lost = three((1.0, np.nan, 3.0), failed=Column.of("trajectory", np.array([False, True, False])))
    assert dict(choose(lost)) == {2: "best", 0: "worst, median", 1: "failed"}


def test_without_worth_the_outcome_ranks():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 1.0])
    assert choose(batch)[0] == (1, "best")


def test_a_missing_step_makes_the_total_missing_not_smaller():
    values = per_trajectory(three((1.0, np.nan, 3.0)), "worth")
    assert values[[0, 2]] == pytest.approx([1.0, 3.0]) and np.isnan(values[1])


def test_turns_hold_what_the_columns_hold(make):
    batch = make.batch(0)
    index = 0
    shown = play(batch, index, "best", Limits())
    steps = np.flatnonzero(batch.trajectory_of_step == index)
    assert shown.length == len(shown.turns) == len(steps)
    assert [t.action for t in shown.turns] == batch["action"].take(steps).tolist()
    assert [t.advantage for t in shown.turns] == pytest.approx(batch["advantage"].values[steps].tolist())
    for turn in shown.turns:
        assert [name for name, _ in turn.parts] == ["outcome", "milestone", "price"]
        assert sum(value for _, value in turn.parts) == pytest.approx(turn.worth)
        assert dict(turn.facts)["hint"] == "the key is blue"
    assert sum(v for _, v in shown.parts) == pytest.approx(shown.worth)


def test_a_failed_play_says_why_and_its_lost_steps_are_unscored(make):
    shown = play(make.batch(0), 7, "failed", Limits())
    assert shown.ending == "failed: the environment hung" and shown.worth is None and shown.outcome is None
    assert shown.turns[-1].advantage is None
    assert "unscored" in article(shown, 1.0, "t")


def test_token_advantages_are_averaged_over_the_step_and_shown_per_token_where_texts_are_known(make):
    batch = make.batch(0, tokens=True)
    shown = play(batch, 0, "best", Limits())
    first = batch["advantage"].values[batch.step_of_token == 0]
    assert shown.turns[0].advantage == pytest.approx(first.mean())
    assert [a for _, a in shown.turns[0].tokens] == pytest.approx(first.tolist())
    assert 'class="token' in article(shown, 1.0, "t")
    without = Batch(
        batch.step_of_token, batch.trajectory_of_step, batch.group_of_trajectory,
        {name: c for name, c in batch.columns.items() if name != "token_text"},
    )  # fmt: skip
    assert play(without, 0, "best", Limits()).turns[0].tokens == ()


def test_the_largest_advantage_has_the_full_colour(make):
    shown = play(make.batch(0), 0, "best", Limits())
    text = article(shown, largest([shown]), "t")
    assert "--a:1.0" in text
    assert largest([]) == 1.0


def test_long_plays_are_cut_in_the_middle_and_say_so(make):
    shown = play(make.batch(5, steps=90), 0, "best", Limits(turns=9, text=20))
    assert len(shown.turns) == 9 and shown.length > 9
    assert [t.at for t in shown.turns[:6]] == list(range(6)) and shown.turns[-1].at == shown.length - 1
    text = article(shown, 1.0, "t")
    assert f"{shown.length - 9} steps are left out here." in text and "more characters" in text


def test_at_most_six_from_the_last_and_the_first_batch(run, make):
    write_batch(run / "batches" / "000015.parquet", make.batch(9))
    chosen, said = plays(read(run).methods[0], Limits())
    labels = [p.label for p in chosen]
    assert len(chosen) == 6 and len(set(labels)) == 6
    assert labels[0] == "last saved batch, iteration 30: best" and any("failed" in x for x in labels)
    assert labels[-1].startswith("first saved batch, iteration 1")
    assert said == "From seed 0, iteration 30 and iteration 1."


def test_a_batch_without_texts_or_credit_is_shown_bare():
    shown = play(Batch.from_steps(group=[0], trajectory=[0], reward=[1.0]), 0, "best", Limits())
    assert shown.turns[0].advantage is None and shown.worth is None and shown.outcome == 1.0
    assert "(no text)" in article(shown, 1.0, "t")
