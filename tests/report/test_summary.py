"""The table and its intervals: known values, laws, and what a folder says."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from guerdon.report import Row, t_interval, table, wilson
from guerdon.report.summary import evaluation, over_seeds, unscored

# Known values.


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (50, 100, 0.4038, 0.5962), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson_of_known_counts(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_at_its_ends_solves_the_equation_it_comes_from():
    # The interval is where |p_hat - p| = z sqrt(p (1 - p) / n).
    for end in wilson(7, 30):
        assert abs(7 / 30 - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / 30), rel=1e-6)


def test_t_interval_of_three_values_by_hand():
    # mean 2, s = 1, t(2) = 4.303: 2 -+ 4.303 / sqrt(3)
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.4843, 2 + 2.4843), abs=1e-3)


def test_t_intervals_cover_the_mean_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    inside = [low <= 0 <= high for low, high in (t_interval(rng.normal(size=5)) for _ in range(4000))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


def test_the_kind_of_interval_depends_on_the_number_of_seeds():
    assert over_seeds([0.1, 0.5, 0.3]) == (0.1, 0.5, "min to max of 3 seeds")
    low, high, kind = over_seeds([0.1, 0.5, 0.3, 0.3])
    assert (low, high) == t_interval([0.1, 0.5, 0.3, 0.3]) and kind == "95 % t interval over 4 seeds"


# The table.


def test_a_single_run_has_one_row_from_its_summary(run):
    (row,) = table(run)
    assert (row.method, row.role, row.told, row.seeds, row.finished) == ("milestones", "method", "milestones", 1, 1)
    assert (row.success, row.low, row.high) == pytest.approx((0.9, 0.84, 0.95))
    assert row.interval == "95 % Wilson interval of 100 tasks, one seed" and row.source == "held-out"
    assert (row.env_steps, row.seconds) == (30 * 512, 75.0)


def test_a_compare_folder_has_a_row_per_recipe_with_the_mean_over_seeds(compare):
    rows = table(compare)
    assert [(r.method, r.role) for r in rows] == [
        ("grpo", "baseline"), ("milestones", "method"), ("milestones-control", "control"),
    ]  # fmt: skip
    assert (rows[1].success, rows[1].low, rows[1].high) == pytest.approx((0.93, 0.92, 0.94))
    assert (rows[1].baseline, rows[1].control, rows[1].seeds) == ("grpo", "milestones-control", 3)
    assert rows[0].unscored > 0 and rows[1].unscored == 0


def test_shares_are_means_over_the_run(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert table(run)[0].dead_groups == pytest.approx(np.mean([line["dead_groups"] for line in lines]))


def test_a_run_in_progress_takes_its_last_evaluation_then_its_last_batch(tmp_path, make):
    folder = make.run(tmp_path, finished=False, iterations=12)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (row,) = table(folder)
    assert (row.success, row.source, row.finished) == (lines[9]["eval"]["success"], "held-out", 0)
    for line in lines:
        line.pop("eval", None)
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (row,) = table(folder)
    assert (row.success, row.source, row.interval) == (lines[-1]["success"], "training", None)


def test_a_summary_without_held_out_tasks_does_not_claim_them(run):
    summary = json.loads((run / "summary.json").read_text()) | {"test": {"n": 0}, "train": {"success": 0.8}}
    (run / "summary.json").write_text(json.dumps(summary))
    (row,) = table(run)
    assert row.source == "training" and row.trained == 0.8


def test_rows_are_plain_json(compare):
    for row in table(compare):
        assert Row(**json.loads(json.dumps(row.as_dict()))) == row


def test_an_evaluation_without_an_interval_gets_wilsons():
    assert evaluation({"eval": {"success": 0.8, "n": 10}}) == (0.8, *wilson(8, 10))
    assert evaluation({"eval": {"success": None}}) is None


def test_unscored_is_the_sum_over_causes_and_missing_is_not_zero():
    assert unscored({"unscored": {"a": 0.1, "b": 0.2}}) == pytest.approx(0.3)
    assert unscored({"unscored": {}}) == 0
    assert unscored({}) is None
