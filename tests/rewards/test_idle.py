"""Hooks without an effect are found over batches, and only those."""

import warnings

import numpy as np
import pytest
from hypothesis import given

from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred, modulate, ranked
from guerdon.rewards import affine, broadcast, fact, gate
from guerdon.rewards.idle import IdleWarning, Movement, Opening, together, warn_of_idle, watch, without_effect
from guerdon.rewards.weights import weighted
from strategies import make_batch, ragged_batches


def plays(*outcome, group=None, **columns):
    n = len(outcome)
    batch = Batch.from_steps(group=group or [0] * n, trajectory=range(n), reward=np.zeros(n))
    columns = {"outcome": outcome, **columns}
    return batch.with_columns(**{k: Column.of("trajectory", np.asarray(v, float)) for k, v in columns.items()})


def test_a_term_that_never_moved_and_a_gate_that_never_opened():
    worth = fact("outcome") + gate(fact("bonus"), when=fact("outcome"), above=1.0) + fact("flat")
    gates = {"won twice": (fact("outcome"), 1.0), "won": (fact("outcome"), 0.0), "there": (fact("flat"), 0.0)}
    seen = {}
    for outcome in ([1, 0], [0, 0], [1, 1]):
        seen = together(seen, watch(plays(*outcome, bonus=[1, 2], flat=[3, 3]), worth, gates))
    with pytest.warns(IdleWarning) as said:
        reasons = warn_of_idle(seen)
    assert len(said) == len(reasons) == 4
    assert [r.split("'")[1] for r in reasons] == ["bonus", "flat", "won twice", "there"]
    for reason, words in zip(
        reasons, ("was 0", "never moved from 3", "never opened in 6", "never shut in 6"), strict=True
    ):
        assert words in reason


def test_one_opening_in_many_batches_is_enough():
    worth, gates = gate(fact("bonus"), when=fact("outcome")), {"won": (fact("outcome"), 0.0)}
    seen = {}
    for outcome in ([0, 0], [0, 0], [0, 1]):
        seen = together(seen, watch(plays(*outcome, bonus=[5, 5]), worth, gates))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert warn_of_idle(seen) == ()


def test_what_differs_between_prompts_only_is_said_so():
    batch = plays(1, 0, 1, 0, group=[0, 0, 1, 1], hard=[1, 1, 2, 2])
    seen = watch(batch, fact("outcome") + fact("hard"))
    assert not seen["outcome"].idle and "modul" not in seen["outcome"].idle
    assert "same for all plays of a prompt" in seen["hard"].idle
    alone = watch(batch.select(np.array([True, False, True, False])), fact("hard"))
    assert alone["hard"].groups == 0 and not alone["hard"].idle  # groups of one cannot tell


def test_what_never_had_a_value_is_said_so():
    batch = plays(1, 0, bonus=[np.nan, np.nan])
    assert "never had a value" in watch(batch, fact("bonus"))["bonus"].idle


@given(ragged_batches())
def test_what_was_seen_of_a_part_slowly(batch):
    for name, seen in watch(batch, fact("reward") + fact("judge_score")).items():
        column, owner = batch[name], batch.trajectory_of_step
        at = column.valid & ~batch["failed"].values[owner]
        x, group = column.values[at], batch.group_of_trajectory[owner][at]
        many = [x[group == g] for g in np.unique(group) if (group == g).sum() > 1]
        assert (seen.items, seen.groups) == (len(x), len(many))
        assert seen.apart == sum(len(set(v)) > 1 for v in many)
        assert not len(x) or (seen.low, seen.high) == (x.min(), x.max())


@given(ragged_batches())
def test_two_looks_are_twice_one(batch):
    once = watch(batch, fact("reward"), {"won": (broadcast(fact("outcome")), 0.0)})
    twice = together(once, once)
    a, b = once["reward"], twice["reward"]
    assert b == Movement("reward", 2 * a.items, a.low, a.high, 2 * a.groups, 2 * a.apart)
    assert twice["gate won"] == Opening("won", 2 * once["gate won"].items, 2 * once["gate won"].open)
    assert together({}, once) == together(once, {}) == once


def test_parts_of_one_name_are_seen_together():
    seen = watch(plays(1, 0, other=[0, 0]), fact("outcome") + fact("other").named("outcome"))
    assert list(seen) == ["outcome"] and seen["outcome"].items == 4 and not seen["outcome"].idle


# With the hook and without it.


def test_hooks_that_leave_credit_as_it_was():
    batch = make_batch(np.random.default_rng(3), [6, 6], missing=False, ends=False)
    batch = batch.with_columns(weight=Column.of("group", [0.5, 2.0]))
    plain, scaled = centred(fact("proxy")), centred(fact("proxy"), scale=Std(0.0))
    heavy = weighted(fact("proxy"), fact("weight"))
    for hook, hooked, without in (
        ("affine under a spread", centred(affine(fact("proxy"), 2.0, 1.0), scale=Std(0.0)), scaled),
        ("weights under a spread", centred(heavy, scale=Std(0.0)), scaled),
        ("an offset", centred(affine(fact("proxy"), offset=3.0)), plain),
        ("a scale under places", ranked(affine(fact("proxy"), 3.0)), ranked(fact("proxy"))),
    ):
        with pytest.warns(IdleWarning, match=hook):
            assert without_effect(hook, [batch], hooked, without)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for hooked, without in (
            (centred(affine(fact("proxy"), 2.0)), plain),
            (centred(heavy), plain),
            (modulate(scaled, fact("weight")), scaled),
            (centred(broadcast(fact("proxy"))), plain),
        ):
            assert not without_effect("a hook", [batch], hooked, without)


def test_a_hook_that_acts_in_one_batch_of_many_acts():
    quiet, loud = plays(0, 0, bonus=[1, 2]), plays(1, 0, bonus=[1, 2])
    hooked = centred(fact("outcome") + gate(fact("bonus"), when=fact("outcome")))
    assert not without_effect("gate", [quiet, quiet, loud], hooked, centred(fact("outcome")))
    with pytest.warns(IdleWarning, match="gate"):
        assert without_effect("gate", [quiet, quiet], hooked, centred(fact("outcome")))
