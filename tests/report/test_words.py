"""The verdict: what it claims follows from the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.report.data import Folder
from guerdon.report.summary import Row
from guerdon.report.words import ONE_SEED, verdict

FOLDER = Folder(Path(), "keydoor", {}, ())


def row(name, success, *, reach=0.05, seeds=3, steps=1000.0, **more):
    known = {"role": "method", "told": "nothing", "baseline": None, "control": None, "finished": seeds} | more
    low, high = (None, None) if success is None else (success - reach, success + reach)
    return Row(
        method=name, seeds=seeds, success=success, low=low, high=high, interval="i", source="held-out", trained=None,
        env_steps=steps, seconds=1.0, dead_groups=0.0, unscored=0.0, **known,
    )  # fmt: skip


def test_a_clear_difference_is_called_one():
    said = verdict(FOLDER, [row("grpo", 0.1, role="baseline"), row("pbrs", 0.9, baseline="grpo", told="states")])
    assert "pbrs solves 90 % [85 % to 95 %]" in said
    assert "grpo solves 10 % [5 % to 15 %]: 80 points less, and the intervals do not overlap" in said
    assert "pbrs is told 'states', grpo 'nothing'" in said


def test_overlapping_intervals_are_no_difference():
    said = verdict(FOLDER, [row("grpo", 0.48, role="baseline"), row("pbrs", 0.5, baseline="grpo")])
    assert "does not show a difference" in said


def test_a_method_worse_than_its_baseline_is_said_to_be():
    assert "80 points more" in verdict(FOLDER, [row("grpo", 0.9, role="baseline"), row("pbrs", 0.1, baseline="grpo")])


def test_a_missing_control_is_named():
    assert "Its control, x, has no result here" in verdict(FOLDER, [row("pbrs", 0.5, control="x")])


@pytest.mark.parametrize(
    ("seeds", "words"), [((1, 1), ONE_SEED), ((3, 3), "Each has 3 seeds."), ((1, 3), "1 to 3 seeds")]
)
def test_the_number_of_seeds_is_said(seeds, words):
    assert words in verdict(FOLDER, [row("a", 0.5, seeds=seeds[0]), row("b", 0.5, seeds=seeds[1])])


def test_equal_means_within_five_in_a_hundred():
    assert "at equal environment steps, about 1,020" in verdict(FOLDER, [row("a", 0.5), row("b", 0.5, steps=1040.0)])
    assert "not at equal environment steps" in verdict(FOLDER, [row("a", 0.5), row("b", 0.5, steps=1100.0)])


def test_unfinished_runs_are_counted():
    assert "1 of 6 runs has not finished" in verdict(FOLDER, [row("a", 0.5, finished=2), row("b", None)])
    assert "There is no run" in verdict(FOLDER, [])
