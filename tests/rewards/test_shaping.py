"""Clip, affine, tiers, gate and the two deltas: worked examples, laws, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import (
    affine,
    backward_delta,
    broadcast,
    clip,
    delta,
    fact,
    gate,
    otherwise,
    tiers,
    total,
    unfailed,
)
from guerdon.rewards.shaping import product, root, slopes
from strategies import ragged_batches


def steps(*values, trajectory=None):
    trajectory = [0] * len(values) if trajectory is None else trajectory
    return Batch.from_steps(group=[0] * len(values), trajectory=trajectory, reward=np.array(values, float))


# Worked by hand.


def test_clip_affine_and_tiers_keep_what_is_missing():
    batch = steps(-2.0, np.nan, 0.5, 3.0)
    assert clip(fact("reward"), low=-1, high=1)(batch).tolist() == [-1.0, None, 0.5, 1.0]
    assert affine(fact("reward"), scale=2, offset=1)(batch).tolist() == [-3.0, None, 2.0, 7.0]
    assert tiers(fact("reward"), at=(0.0, 0.5, 1.0), values=(0, 1, 2, 3))(batch).tolist() == [0.0, None, 2.0, 3.0]


def test_a_shut_gate_does_not_read_what_it_gates():
    batch = steps(1.0, np.nan, np.nan, 4.0).with_columns(
        key=Column("step", np.array([1.0, 0.0, 1.0, 1.0]), np.array([True, True, True, False]))
    )
    assert gate(fact("reward"), when=fact("key"))(batch).tolist() == [1.0, 0.0, None, None]


def test_a_trajectory_condition_gates_its_steps():
    # The first play reaches the second tier, the second does not: its steps earn nothing.
    batch = steps(1.0, 2.0, 4.0, 8.0, trajectory=[0, 0, 1, 1]).with_columns(
        tier=Column.of("trajectory", np.array([2.0, 1.0]))
    )
    assert total(gate(fact("reward"), when=fact("tier"), above=1.0))(batch).tolist() == [3.0, 0.0]


def test_forward_delta_pays_what_rose():
    batch = steps(0.25, 0.25, 1.0, 0.5, trajectory=[0, 0, 0, 1])
    assert delta(fact("reward"))(batch).tolist() == [0.25, 0.0, 0.75, 0.5]
    assert delta(fact("reward"), start=0.25)(batch).tolist() == [0.0, 0.0, 0.75, 0.25]
    assert delta(fact("reward"))(steps(1.0, np.nan, 2.0, 3.0)).tolist() == [1.0, None, None, 1.0]


def test_backward_delta_by_hand():
    # K = 3: p1 - p2, p2, 0. K = 2: p1, 0. K = 1: 0.
    batch = steps(0.5, 0.25, 1.0, 0.75, 0.5, 0.5, trajectory=[0, 0, 0, 1, 1, 2])
    assert backward_delta(fact("reward"))(batch).tolist() == [0.25, 0.25, 0.0, 0.75, 0.0, 0.0]


def test_backward_delta_never_reads_the_last_score():
    assert backward_delta(fact("reward"))(steps(0.5, 0.25, np.nan)).tolist() == [0.25, 0.25, 0.0]
    assert backward_delta(fact("reward"))(steps(0.5, np.nan, 1.0)).tolist() == [None, None, 0.0]


# Laws.


@given(ragged_batches())
@settings(max_examples=40, deadline=None)
def test_forward_deltas_add_up_to_the_last_value_exactly(batch):
    owner, d = batch.trajectory_of_step, delta(fact("progress"), start=0.5)(batch)
    last = np.flatnonzero(segments.last(owner))
    for i, end in enumerate(last):
        mine = owner == i
        if batch["progress"].valid[mine].all():
            assert d.valid[mine].all()
            assert d.values[mine].sum() == batch["progress"].values[end] - 0.5


@given(ragged_batches(missing=False, ends=False))
@settings(max_examples=40, deadline=None)
def test_the_return_of_backward_delta_is_the_score_itself_exactly(batch):
    owner = batch.trajectory_of_step
    to_go = segments.to_go(backward_delta(fact("reward"))(batch).values, owner)
    assert np.array_equal(to_go, np.where(segments.last(owner), 0.0, batch["reward"].values))


@given(ragged_batches(missing=False, ends=False, dyadic=False))
@settings(max_examples=40, deadline=None)
def test_clip_then_backward_delta_returns_the_clipped_score(batch):
    owner = batch.trajectory_of_step
    clipped = clip(affine(fact("reward"), offset=-0.3), high=0.0)
    to_go = segments.to_go(backward_delta(clipped)(batch).values, owner)
    assert to_go == pytest.approx(np.where(segments.last(owner), 0.0, np.minimum(batch["reward"].values - 0.3, 0)))
    assert to_go.max() <= 1e-12


@given(ragged_batches(), st.floats(-1, 1))
@settings(max_examples=40, deadline=None)
def test_gate_is_the_sentence_it_says(batch, above):
    g = gate(fact("reward") + fact("closer"), when=fact("outcome"), above=above)(batch)
    x, key = (fact("reward") + fact("closer"))(batch), batch["outcome"]
    for t, i in enumerate(batch.trajectory_of_step):
        if not key.valid[i]:
            assert not g.valid[t]
        elif key.values[i] > above:
            assert g.valid[t] == x.valid[t] and (not g.valid[t] or g.values[t] == x.values[t])
        else:
            assert g.valid[t] and g.values[t] == 0
    assert [name for name, _ in g.parts] == ["reward", "closer"]


@given(ragged_batches(dyadic=False))
@settings(max_examples=20, deadline=None)
def test_tiers_agrees_with_a_ladder_of_ifs(batch):
    column = tiers(fact("reward"), at=(-0.5, 0.0, 0.5), values=(-2, -1, 1, 2))(batch)
    x = batch["reward"]
    for value, ok, got in zip(x.values, x.valid, column.values, strict=True):
        if ok:
            assert got == (-2 if value < -0.5 else -1 if value < 0 else 1 if value < 0.5 else 2)


# Bad input says what to do.


def test_a_condition_finer_than_its_term_is_refused():
    with pytest.raises(LevelError, match=r"coarser.*total"):
        gate(fact("outcome"), when=fact("reward"))(steps(1.0))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: clip(fact("x")), "low= or high="),
        (lambda: clip(fact("x"), low=1, high=0), "swap"),
        (lambda: tiers(fact("x"), at=(1.0, 1.0), values=(0, 1, 2)), "ascend"),
        (lambda: tiers(fact("x"), at=(1.0,), values=(0,)), "one value more"),
    ],
)
def test_wrong_arguments_say_the_way_out(make, says):
    with pytest.raises(ShapeError, match=says):
        make()


@pytest.mark.parametrize("difference", [delta, backward_delta])
def test_differences_need_steps(difference):
    with pytest.raises(LevelError, match="at_end"):
        difference(fact("outcome"))(steps(1.0))


# otherwise.


@given(ragged_batches())
def test_otherwise_slowly(batch):
    y, a, b, c = (
        otherwise(fact("step_score"), fact("judge_score"), when=fact("outcome"))(batch),
        *map(batch.__getitem__, ("step_score", "judge_score", "outcome")),
    )
    for t, owner in enumerate(batch.trajectory_of_step):
        chosen = a if c.values[owner] > 0 else b
        assert y.valid[t] == (c.valid[owner] and chosen.valid[t])
        if y.valid[t]:
            assert y.values[t] == chosen.values[t]


@given(ragged_batches())
def test_it_is_two_gates_where_both_are_known(batch):
    both = gate(fact("step_score"), when=fact("outcome"))(batch)
    zero = fact("nothing")
    with_zero = batch.with_columns(nothing=Column.of("step", np.zeros(batch.size("step"))))
    y = otherwise(fact("step_score"), zero, when=fact("outcome"))(with_zero)
    assert y.tolist() == both.tolist()


@given(ragged_batches())
def test_of_two_alike_it_is_the_one(batch):
    y = otherwise(fact("outcome"), fact("outcome"), when=fact("history_mean"), above=0.5)(batch)
    assert y.tolist() == batch["outcome"].tolist()


@pytest.mark.bad_input
def test_otherwise_mixes_no_levels():
    batch = steps(0.0)
    for term, fallback, when in (
        (fact("outcome"), fact("reward"), fact("outcome")),
        (fact("outcome"), fact("outcome"), fact("reward")),
    ):
        with pytest.raises(LevelError, match="otherwise"):
            otherwise(term, fallback, when=when)(batch)
    assert otherwise(fact("reward"), broadcast(fact("outcome")), when=fact("outcome"))(batch).values.tolist() == [0.0]


# unfailed.


@given(ragged_batches())
def test_unfailed_keeps_all_but_plays_that_failed(batch):
    for term in (fact("reward"), fact("outcome"), fact("entropy"), fact("reward") + fact("closer")):
        plain, kept = term(batch), unfailed(term)(batch)
        failed = batch["failed"].values[batch.index("trajectory", at=plain.level)]
        assert (kept.valid == (plain.valid & ~failed)).all()
        assert kept.values[kept.valid].tolist() == plain.values[kept.valid].tolist()
        assert [name for name, _ in kept.parts] == [name for name, _ in plain.parts]


# Products, slopes and roots.


@given(ragged_batches())
def test_a_product_slowly_and_in_any_order(batch):
    names = ("wrong", "judge_score", "step_score")
    columns = [batch[name] for name in names]
    y = product(*map(fact, names))(batch)
    turned = product(*map(fact, reversed(names)))(batch)
    assert turned.tolist() == y.tolist()
    for t, got in enumerate(y.tolist()):
        known = [c.values[t] for c in columns if c.valid[t]]
        if 0 in known:
            assert got == 0
        elif len(known) < len(columns):
            assert got is None
        else:
            assert got == known[0] * known[1] * known[2]


@given(ragged_batches())
def test_where_a_bit_is_known_its_product_is_a_gate(batch):
    y = product(fact("wrong"), fact("judge_score"))(batch).tolist()
    g = gate(fact("judge_score"), when=fact("wrong"))(batch).tolist()
    known = np.flatnonzero(batch["wrong"].valid)
    assert [y[t] for t in known] == [g[t] for t in known]


@given(ragged_batches())
def test_factors_below_1_never_raise_what_they_multiply(batch):
    y, x = product(fact("importance"), fact("judge_score"))(batch), batch["importance"]
    both = y.valid & x.valid
    assert (y.values[both] <= x.values[both]).all() and product(fact("reward"))(batch).tolist() == batch[
        "reward"
    ].tolist()


@given(ragged_batches(dyadic=False))
def test_slopes_slowly(batch):
    y = slopes(fact("reward"), at=(-1.0, 0.0, 2.0), values=(0.0, 1.0, -1.0))(batch)
    for x, ok, got in zip(batch["reward"].values, batch["reward"].valid, y.values, strict=True):
        if ok:
            expected = 0.0 if x < -1 else x + 1 if x < 0 else 1 - x if x < 2 else -1.0
            assert got == pytest.approx(expected)
    assert (y.valid == batch["reward"].valid).all()


@given(ragged_batches())
def test_slopes_reach_tiers_as_they_steepen(batch):
    steep = slopes(fact("reward"), at=(0.3, 0.3 + 1e-9), values=(0.0, 1.0))
    assert steep(batch).tolist() == tiers(fact("reward"), at=(0.3,), values=(0.0, 1.0))(batch).tolist()


@given(ragged_batches())
def test_root_squares_back(batch):
    y = product(root(fact("reward")), root(fact("reward")))(batch)
    assert y.values[y.valid] == pytest.approx(np.maximum(batch["reward"].values[y.valid], 0.0))


@pytest.mark.bad_input
def test_wrong_places_and_factors_say_the_way_out():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ShapeError, match="ascend"):
        slopes(fact("x"), at=(1.0, 1.0), values=(0.0, 1.0))
    with pytest.raises(ShapeError, match="one value per place"):
        slopes(fact("x"), at=(), values=())
    with pytest.raises(LevelError, match="product"):
        product(fact("reward"), fact("outcome"))(batch)
    assert clip(affine(fact("reward")), high=0.0)(batch).tolist() == [0.0]
