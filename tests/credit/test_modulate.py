"""Signals that act after normalisation: products, scales, masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import centred, shuffled, step_term
from guerdon.credit.modulate import calibrated, clarity, min_max, modulate, selective, sign_scaled, top_share
from guerdon.credit.tokens import token_mean
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import affine, fact
from strategies import ragged_batches

OUTCOME = centred(fact("outcome"))
SCORE, WRONG, INFLUENCE = fact("step_score"), fact("wrong"), fact("influence")


def steps(values, trajectory=None, **more) -> Batch:
    """A batch of one group, one number a step."""
    owner = [0] * len(values) if trajectory is None else trajectory
    return Batch.from_steps(group=[0] * len(values), trajectory=owner, reward=values, **more)


# modulate.


@given(ragged_batches())
def test_it_is_the_product_and_missing_where_either_is(batch):
    a, credit, by = modulate(OUTCOME, by=fact("closer"))(batch), OUTCOME(batch), batch["closer"]
    assert (a.valid == (credit.valid & by.valid)).all()
    assert a.values == pytest.approx(np.where(a.valid, credit.values * by.filled(0.0), 0.0))


@given(ragged_batches())
def test_the_coarser_of_the_two_is_lifted(batch):
    a = modulate(step_term(fact("closer")), by=fact("outcome"))(batch)
    b = modulate(step_term(fact("outcome")), by=fact("closer"))(batch)
    assert a.level == "step" and a.values == pytest.approx(b.values)


def test_it_compares_with_what_the_credit_compares_with():
    assert modulate(OUTCOME, by=fact("closer")).compares == {"group"}
    assert selective(OUTCOME, WRONG).compares == sign_scaled(OUTCOME, INFLUENCE, 0.1, 0.0).compares == {"group"}


# min_max.


def counted(batch, name):
    """True for the values that are there, in plays that did not fail."""
    column = batch[name]
    return column.valid & ~batch["failed"].values[batch.index("trajectory", at=column.level)]


@given(ragged_batches(), st.sampled_from(["step_score", "entropy"]))
def test_min_max_of_a_group_slowly(batch, name):
    u, x, counts = min_max(fact(name), by="prompt")(batch), batch[name].values, counted(batch, name)
    assert (u.valid == counts).all()
    group = batch.index("group", at=u.level)
    for i in np.flatnonzero(counts):
        alike = x[counts & (group == group[i])]
        assert u.values[i] == pytest.approx((x[i] - alike.min()) / (alike.max() - alike.min() + 1e-8))


@given(ragged_batches(), st.floats(0.5, 2.0), st.floats(-3.0, 3.0))
def test_min_max_does_not_see_scale_or_shift(batch, scale, shift):
    a, b = min_max(SCORE)(batch), min_max(affine(SCORE, scale, shift))(batch)
    assert b.filled(0.0) == pytest.approx(a.filled(0.0), abs=1e-6)


@given(ragged_batches())
def test_min_max_of_what_agrees_is_zero(batch):
    assert not min_max(affine(SCORE, 0.0, 3.0))(batch).filled(0.0).any()


@given(ragged_batches())
def test_failed_plays_do_not_stretch_the_scale(batch):
    failed = batch["failed"].values
    if failed.all():
        return
    kept = ~failed[batch.trajectory_of_step]
    assert (
        min_max(SCORE)(batch).filled(0.0)[kept].tolist() == min_max(SCORE)(batch.select(~failed)).filled(0.0).tolist()
    )


# calibrated and clarity.


@given(ragged_batches(), st.floats(0.0, 5.0))
def test_the_mean_of_the_factor_is_one(batch, k):
    g = calibrated(SCORE, k)(batch)
    assert (g.valid == counted(batch, "step_score")).all()
    if g.valid.any():
        assert g.values[g.valid].mean() == pytest.approx(1.0)


@given(ragged_batches())
def test_the_factor_falls_as_the_signal_rises(batch):
    g, x = calibrated(SCORE, 1.0)(batch), batch["step_score"].values
    order = np.flatnonzero(g.valid)[np.argsort(x[g.valid], kind="stable")]
    assert (np.diff(g.values[order]) <= 1e-12).all()
    flat = calibrated(SCORE, 0.0)(batch)
    assert (flat.values[flat.valid] == 1.0).all()


@given(ragged_batches(), st.floats(0.0, 5.0))
def test_clarity_slowly(batch, k):
    f, u, owner = clarity(SCORE, k)(batch), min_max(SCORE)(batch), batch.trajectory_of_step
    for t in range(len(owner)):
        end = t + 1 == len(owner) or owner[t + 1] != owner[t]
        assert f.valid[t] == (not batch["failed"].values[owner[t]] and (end or u.valid[t + 1]))
        if f.valid[t]:
            assert f.values[t] == pytest.approx(0.0 if end else np.exp(-k * u.values[t + 1]))


@pytest.mark.bad_input
def test_clarity_is_of_steps():
    with pytest.raises(LevelError, match="clarity"):
        clarity(fact("outcome"), 1.0)(steps([0.0]))


def test_of_the_entropies_of_a_batch_without_plays_nothing_is_said():
    none = (
        steps([0.0], tokens_per_step=2).with_columns(entropy=Column.of("token", [1.0, 2.0])).select(np.zeros(1, bool))
    )
    for term in (min_max, lambda x: calibrated(x, 1.0), lambda x: clarity(x, 1.0), lambda x: top_share(x, 0.5)):
        assert len(term(token_mean(fact("entropy")))(none)) == 0


# top_share.


@given(ragged_batches(), st.floats(0.0, 1.0))
def test_what_is_kept_stands_above_what_is_not(batch, share):
    m, x = top_share(fact("entropy"), share)(batch), batch["entropy"].values
    kept, left = x[m.valid & (m.filled(0.0) > 0)], x[m.valid & (m.filled(0.0) == 0)]
    assert not len(kept) or not len(left) or kept.min() > left.max()


@given(st.integers(1, 30), st.floats(0.0, 1.0))
def test_the_share_is_kept(n, share):
    batch = steps(np.random.default_rng(n).permutation(n).astype(float))
    kept = top_share(fact("reward"), share)(batch).values.sum()
    assert abs(kept - share * n) <= 0.5 + 1e-9


def test_a_share_that_falls_within_an_item_leaves_it_out():
    assert top_share(fact("reward"), 0.5)(steps([1.0, 3.0, 2.0])).values.tolist() == [0.0, 1.0, 0.0]


def test_equal_values_are_kept_or_dropped_together():
    assert top_share(fact("reward"), 0.5)(steps([1.0, 1.0, 1.0, 0.0])).values.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert top_share(fact("reward"), 0.25)(steps([1.0, 1.0, 1.0, 0.0])).values.tolist() == [0.0, 0.0, 0.0, 0.0]


@given(ragged_batches())
def test_all_or_nothing(batch):
    for share in (0.0, 1.0):
        m = top_share(SCORE, share, by="prompt")(batch)
        assert (m.values[m.valid] == share).all()


@given(ragged_batches())
def test_a_mask_is_a_factor(batch):
    m = top_share(SCORE, 0.4)(batch)
    a = modulate(OUTCOME, by=top_share(SCORE, 0.4))(batch)
    assert a.values == pytest.approx(np.where(m.filled(0.0) > 0, OUTCOME(batch).values, 0.0))


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_is_a_part(share):
    with pytest.raises(ShapeError, match="top_share"):
        top_share(SCORE, share)


# selective.


@given(ragged_batches())
def test_selective_slowly(batch):
    a, credit, wrong = selective(OUTCOME, WRONG)(batch), OUTCOME(batch), batch["wrong"]
    for t in range(len(a)):
        assert a.valid[t] == (credit.valid[t] and wrong.valid[t])
        agrees = (credit.values[t] >= 0 and wrong.values[t] == 0) or (credit.values[t] < 0 and wrong.values[t] == 1)
        assert a.values[t] == (credit.values[t] if a.valid[t] and agrees else 0.0)


@given(ragged_batches())
def test_a_verdict_and_its_opposite_share_the_credit_out(batch):
    one, other = selective(OUTCOME, WRONG)(batch), selective(OUTCOME, affine(WRONG, -1.0, 1.0))(batch)
    assert one.values + other.values == pytest.approx(np.where(one.valid, OUTCOME(batch).values, 0.0))


@given(ragged_batches())
def test_it_never_turns_a_sign(batch):
    assert (selective(OUTCOME, WRONG)(batch).values * OUTCOME(batch).values >= 0).all()


# sign_scaled.


@given(ragged_batches(), st.floats(-1.0, 1.0), st.sampled_from([-1.0, 0.0, 0.25, 0.5]))
def test_sign_scaled_slowly(batch, p, above):
    a, credit = sign_scaled(OUTCOME, INFLUENCE, p, above)(batch), batch.lift(OUTCOME(batch), "token")
    s = batch["influence"]
    assert a.level == "token" and (a.valid == (credit.valid & s.valid)).all()
    factor = [(abs(x) > above) * (1 + p * (1 if x > 0 else -1 if x < 0 else 0)) for x in s.filled(0.0)]
    assert a.values == pytest.approx(np.where(a.valid, credit.values * factor, 0.0))


@given(ragged_batches())
def test_without_a_bias_and_a_bar_it_is_the_credit_where_the_signal_is(batch):
    a, s = sign_scaled(OUTCOME, INFLUENCE, 0.0, -1.0)(batch), batch["influence"]
    assert a.values.tolist() == np.where(s.valid, batch.lift(OUTCOME(batch), "token").values, 0.0).tolist()


@given(ragged_batches(), st.floats(-1.0, 1.0))
def test_the_other_sign_of_the_signal_is_the_other_bias(batch, p):
    a = sign_scaled(OUTCOME, INFLUENCE, p, 0.25)(batch)
    b = sign_scaled(OUTCOME, -1.0 * INFLUENCE, -p, 0.25)(batch)
    assert a.values == pytest.approx(b.values)


@given(ragged_batches())
def test_a_bar_may_be_a_term_of_a_coarser_level(batch):
    a = sign_scaled(OUTCOME, INFLUENCE, 0.1, fact("history_mean"))(batch)
    bar = batch.lift(batch["history_mean"], "token").values
    s, credit = batch["influence"].filled(0.0), batch.lift(OUTCOME(batch), "token")
    expected = np.where(np.abs(s) > bar, credit.values * (1 + 0.1 * np.sign(s)), 0.0)
    assert a.values == pytest.approx(np.where(a.valid, expected, 0.0))


@given(ragged_batches())
def test_where_the_bar_is_missing_nothing_is_said(batch):
    missing = Column.of("group", np.full(batch.size("group"), np.nan))
    a = sign_scaled(OUTCOME, INFLUENCE, 0.1, fact("bar"))(batch.with_columns(bar=missing))
    assert not a.valid.any() and not a.values.any()


@given(ragged_batches())
def test_masks_of_a_silent_credit_are_silent(batch):
    silent = centred(affine(fact("reward"), 0.0, 1.0), by="prompt")
    for credit in (selective(silent, WRONG), sign_scaled(silent, shuffled(INFLUENCE), 0.5, 0.0)):
        assert not credit(batch).values.any()
