"""Series: seeds become a mean and a band, and nothing is invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.report.curves import MOST, curve, held_out, layers, names_under, styles, thin
from guerdon.report.data import Method, Run, number


def run(values, steps=None, key="success", seed=0):
    steps = steps or [100 * (i + 1) for i in range(len(values))]
    return Run(Path(), "r", seed, lines=tuple({"env_steps": s, key: v} for s, v in zip(steps, values, strict=True)))


def success(line):
    return number(line, "success")


def method(name, *runs, role="method", baseline=None, control=None):
    return Method(name, role, None, baseline, control, runs)


def test_one_seed_is_shown_as_it_is():
    assert curve([run([0.1, 0.2])], success) == ((100, 0.1, None, None), (200, 0.2, None, None))


def test_three_seeds_become_mean_lowest_and_highest():
    points = curve([run([0.0, 0.3]), run([0.3, 0.6]), run([0.6, 0.9])], success)
    assert [p for q in points for p in q] == pytest.approx([100, 0.3, 0.0, 0.6, 200, 0.6, 0.3, 0.9])


def test_four_seeds_have_a_t_band_cut_to_shares():
    (point,) = curve([run([v]) for v in (0.0, 0.0, 0.0, 1.0)], success, bounded=True)
    assert point[1:3] == pytest.approx((0.25, 0.0)) and 0.9 < point[3] <= 1.0


def test_seeds_of_other_lengths_meet_on_the_steps_that_all_have():
    long, brief = run([0.0, 0.5, 1.0], [0, 50, 100]), run([1.0, 1.0], [0, 60])
    points = curve([long, brief], success)
    assert [p[0] for p in points] == [0, 60]
    assert points[1][1] == pytest.approx((0.6 + 1.0) / 2)


def test_a_missing_value_is_left_out_not_zero():
    assert curve([run([0.1, None, float("nan"), 0.4])], success) == ((100, 0.1, None, None), (400, 0.4, None, None))
    assert curve([run([None])], success) == ()


def test_held_out_of_one_seed_has_the_interval_of_its_evaluation():
    one = run([{"success": 0.5, "low": 0.4, "high": 0.6, "n": 100}, None], key="eval")
    (series,) = held_out([method("r", one)])
    assert series.points == ((100, 0.5, 0.4, 0.6),)


def test_layers_add_up_and_a_part_that_comes_late_is_nothing_before():
    one = run([{"a": 1.0}, {"a": 2.0, "b": -1.0}], key="parts")
    m = method("r", one)
    names = names_under([m], "parts")
    found = layers(m, "parts", names, dict.fromkeys(names, "red"))
    assert {s.name: [p[1] for p in s.points] for s in found} == {"a": [1.0, 2.0], "b": [0.0, -1.0]}


def test_thinning_keeps_the_mean_and_few_points_as_they_are():
    few = [(float(i), float(i), None, None) for i in range(MOST)]
    assert thin(few) == tuple(few)
    many = [(float(i), float(i % 7), 0.0, 1.0) for i in range(4 * MOST)]
    out = thin(many)
    assert len(out) == MOST
    assert sum(p[1] for p in out) / MOST == pytest.approx(sum(p[1] for p in many) / len(many))


def test_a_control_has_its_methods_colour_and_dashes_and_a_baseline_is_grey():
    look = styles([
        method("grpo", role="baseline"), method("pbrs", baseline="grpo", control="pbrs-control"),
        method("pbrs-control", role="control"), method("gigpo", baseline="grpo"),
    ])  # fmt: skip
    assert look["pbrs"].color == look["pbrs-control"].color != look["gigpo"].color
    assert look["pbrs"].dash == "" != look["pbrs-control"].dash
    assert look["grpo"].color == "var(--base)"


def test_twelve_methods_all_look_different():
    look = styles([method(f"m{i}", baseline="x") for i in range(12)])
    assert len(set(look.values())) == 12
