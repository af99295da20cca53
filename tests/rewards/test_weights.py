"""Weights: synergy, anchors, difficulties, and bonuses that fade."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Column
from guerdon.credit import Everything, Std, centred
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import broadcast, fact, gate
from guerdon.rewards.weights import (
    Frontier,
    Rare,
    anchored,
    annealed,
    difficulty,
    synergy,
    weighted,
)
from guerdon.schedule import Linear
from strategies import make_batch, ragged_batches

OUTCOME, GROUNDING = fact("outcome"), fact("grounding")


@given(ragged_batches(), st.sampled_from([0.0, 0.125, 0.5, 1.0]))
def test_synergy_slowly(batch, eta):
    y, r, f = synergy(OUTCOME, GROUNDING, eta)(batch), batch["outcome"], batch["grounding"]
    assert (y.valid == r.valid).all()
    expected = r.values + eta * f.values + (1 - eta) * r.values * f.values
    assert y.values[y.valid].tolist() == expected[r.valid].tolist()


@given(ragged_batches())
def test_synergy_at_its_ends(batch):
    plain = (OUTCOME + GROUNDING)(batch)
    assert synergy(OUTCOME, GROUNDING, 1.0)(batch).tolist() == plain.tolist()
    gated = (OUTCOME + gate(GROUNDING, when=OUTCOME))(batch)
    assert synergy(OUTCOME, GROUNDING, 0.0)(batch).tolist() == gated.tolist()


def test_with_eta_0_a_missing_signal_is_not_read_of_a_failure():
    batch = make_batch(np.random.default_rng(0), [4], missing=False, ends=False)
    batch = batch.with_columns(outcome=Column.of("trajectory", [1.0, 0.0, 1.0, 0.0]),
                               grounding=Column.of("trajectory", [0.5, None, None, 0.5]))  # fmt: skip
    assert synergy(OUTCOME, GROUNDING, 0.0)(batch).tolist() == [1.5, 0.0, None, 0.0]
    assert synergy(OUTCOME, GROUNDING, 0.5)(batch).tolist() == [1.5, None, None, 0.25]


@given(ragged_batches())
def test_anchored_has_the_sign_of_the_outcome(batch):
    y = anchored(fact("judge_score"), broadcast(OUTCOME))(batch)
    won = batch["outcome"].values[batch.trajectory_of_step] > 0
    assert (y.values[y.valid & won] >= 0).all() and (y.values[y.valid & ~won] <= 0).all()
    exact = batch["judge_score"].values + batch["outcome"].values[batch.trajectory_of_step] - 1.0
    assert y.values[y.valid].tolist() == exact[y.valid].tolist()
    assert (y.valid == (batch["judge_score"].valid & batch["outcome"].valid[batch.trajectory_of_step])).all()


# Bonuses that fade.


@given(ragged_batches())
def test_an_annealed_bonus_at_0_at_half_and_at_the_end(batch):
    plain, bonus, fade = fact("reward"), fact("closer"), Linear(0.5, 0.0, over=4)
    assert annealed(plain, bonus, fade, 0)(batch).tolist() == (plain + 0.5 * bonus)(batch).tolist()
    assert annealed(plain, bonus, fade, 2)(batch).tolist() == (plain + 0.25 * bonus)(batch).tolist()
    for late in (4, 5, 10**9):
        assert annealed(plain, bonus, fade, late)(batch).tolist() == plain(batch).tolist()


def test_a_bonus_that_has_ended_is_not_read():
    batch = make_batch(np.random.default_rng(0), [2], missing=False, ends=False)
    term = annealed(fact("reward"), fact("no such column"), Linear(1.0, 0.0, over=5), 5)
    assert term(batch).tolist() == fact("reward")(batch).tolist()


# Weights of prompts.


@given(ragged_batches())
def test_weighted_and_difficulty_slowly(batch):
    for curve, f in ((Rare(2.0), lambda p: math.exp(-2 * p)), (Frontier(), lambda p: 1 - 2 * abs(p - 0.5))):
        w = difficulty(OUTCOME, curve)
        y = weighted(OUTCOME, w)(batch)
        for t, g in enumerate(batch.group_of_trajectory):
            mine = (batch.group_of_trajectory == g) & batch["outcome"].valid
            if not mine[t]:
                assert not y.valid[t]
                continue
            p = batch["outcome"].values[mine].mean()
            assert w(batch).values[g] == pytest.approx(f(p))
            assert y.values[t] == pytest.approx(f(p) * batch["outcome"].values[t])


@given(ragged_batches())
def test_weighted_keeps_the_parts_of_a_sum(batch):
    y = weighted(OUTCOME + GROUNDING, fact("history_std"))(batch)
    assert [name for name, _ in y.parts] == ["outcome", "grounding"]
    assert y.values[y.valid].tolist() == (y.parts[0][1].values + y.parts[1][1].values)[y.valid].tolist()


def test_weights_of_prompts_cancel_under_a_spread_of_the_prompt_and_warn_but_not_of_the_batch(recwarn):
    batch = make_batch(np.random.default_rng(3), [6, 6], missing=False, ends=False)
    batch = batch.with_columns(
        weight=Column.of("group", [0.5, 2.0]), outcome=Column.of("trajectory", np.arange(12.0) % 5)
    )
    y = weighted(OUTCOME, fact("weight"))
    plain = centred(OUTCOME, scale=Std(0.0))(batch).values
    with pytest.warns(UserWarning, match="no effect"):
        assert centred(y, scale=Std(0.0))(batch).values == pytest.approx(plain)
    recwarn.clear()
    whole = centred(y, by=Everything(), scale=Std(0.0))(batch).values
    assert np.abs(whole - centred(OUTCOME, by=Everything(), scale=Std(0.0))(batch).values).max() > 0.1
    assert np.abs(centred(y)(batch).values - centred(OUTCOME)(batch).values).max() > 0.1
    turned = batch.with_columns(turn=Column.of("group", [0.0, -1.0]))
    signed = centred(weighted(OUTCOME, fact("turn")), scale=Std(0.0))(turned).values
    away = plain[batch.trajectory_of_step >= 6]
    assert not signed[batch.trajectory_of_step < 6].any() and signed[batch.trajectory_of_step >= 6] == pytest.approx(
        -away
    )
    assert not recwarn.list


@pytest.mark.bad_input
def test_wrong_arguments():
    batch = make_batch(np.random.default_rng(0), [2])
    with pytest.raises(ShapeError, match="eta"):
        synergy(OUTCOME, GROUNDING, 1.5)
    with pytest.raises(LevelError, match="coarser"):
        weighted(OUTCOME, fact("reward"))(batch)
