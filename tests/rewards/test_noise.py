"""Noise corrections: unbiased with the right rates, by the formula and by simulation; and what they cannot do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Mean, Others, Std, centred
from guerdon.errors import ShapeError
from guerdon.rewards import broadcast, fact
from guerdon.rewards.noise import appealed, backward, forward, missed_share
from strategies import make_batch, ragged_batches

rates = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))


def verdicts(observed, **columns):
    n = len(observed)
    batch = Batch.from_steps(group=[0] * n, trajectory=range(n), reward=np.asarray(observed, float))
    return batch.with_columns(**{name: Column.of("trajectory", np.asarray(v, float)) for name, v in columns.items()})


def means(term, batch, fp, fn):
    """E[term | wrong], E[term | right], from the two verdicts that there are."""
    refused, passed = term(batch).values
    return refused * (1 - fp) + passed * fp, refused * fn + passed * (1 - fn)


@given(rates)
def test_with_the_right_rates_the_mean_is_the_truth(rate):
    fp, fn = rate
    both = verdicts([0, 1])
    assert means(backward(fact("outcome"), fp, fn), both, fp, fn) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert means(forward(fact("outcome"), fn), both, fp, fn) == pytest.approx((-(1 - fp - fn), 0.0), abs=1e-9)


@given(rates, rates)
def test_with_the_wrong_rates_the_bias_is_this(true, used):
    (fp, fn), (fp_used, fn_used) = true, used
    wrong, right = means(backward(fact("outcome"), *used), verdicts([0, 1]), fp, fn)
    rest = 1 - fp_used - fn_used
    assert wrong == pytest.approx((fp - fp_used) / rest, abs=1e-9)
    assert right == pytest.approx(1 + (fn_used - fn) / rest, abs=1e-9)


@given(rates)
def test_the_variance_grows_by_this_and_the_weights_stay_bounded(rate):
    fp, fn = rate
    b, w = (term(verdicts([0, 1])).values for term in (backward(fact("outcome"), fp, fn), forward(fact("outcome"), fn)))
    assert (b[1] - b[0]) ** 2 == pytest.approx(1 / (1 - fp - fn) ** 2)
    assert np.abs(w).max() <= 1 and w[1] - w[0] == pytest.approx(1.0)


def gradient(worth, right, score):
    """The mean of worth times the score function, over many plays."""
    return (worth[:, None] * score).mean(axis=0)


def noisy(rng, n, fp, fn):
    """A policy over four answers, of which two are right; the play, the truth, the verdict, the score function."""
    chance = np.array([0.4, 0.3, 0.2, 0.1])
    answer = rng.choice(4, n, p=chance)
    truth = np.array([0, 1, 0, 1])[answer]
    flip = rng.random(n) < np.where(truth == 1, np.broadcast_to(fn, 4)[answer], np.broadcast_to(fp, 4)[answer])
    return answer, truth, np.where(flip, 1 - truth, truth).astype(float), np.eye(4)[answer] - chance


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_by_simulation_one_rate_for_all():
    rng, n, (fp, fn) = np.random.default_rng(0), 200_000, (0.1, 0.3)
    _, truth, seen, score = noisy(rng, n, fp, fn)
    batch, true = verdicts(seen), gradient(truth, truth, score)
    raw = gradient(seen, truth, score)
    corrected = gradient(backward(fact("outcome"), fp, fn)(batch).values, truth, score)
    weights = gradient(forward(fact("outcome"), fn)(batch).values, truth, score)
    assert corrected == pytest.approx(true, abs=0.01)
    assert weights == pytest.approx((1 - fp - fn) * true, abs=0.01)
    # The raw update has the direction too: with one rate only size and variance differ.
    assert raw == pytest.approx((1 - fp - fn) * true, abs=0.01) and cosine(raw, true) > 0.99


def test_by_simulation_rates_that_depend_on_the_answer():
    rng, n = np.random.default_rng(1), 200_000
    fp, fn = (
        np.array([0.6, 0, 0.0, 0]),
        np.array([0, 0.0, 0, 0.6]),
    )  # one wrong answer often passes, one right one fails
    answer, truth, seen, score = noisy(rng, n, fp, fn)
    batch = verdicts(seen, fp=fp[answer], fn=fn[answer])
    true = gradient(truth, truth, score)
    raw = gradient(seen, truth, score)
    one_rate = backward(fact("outcome"), fp[answer][truth == 0].mean(), fn[answer][truth == 1].mean())
    own_rate = backward(fact("outcome"), fact("fp"), fact("fn"))
    assert cosine(raw, true) < 0.9  # the raw update is bent
    assert cosine(gradient(one_rate(batch).values, truth, score), true) == pytest.approx(cosine(raw, true), abs=0.02)
    assert gradient(own_rate(batch).values, truth, score) == pytest.approx(true, abs=0.01)


@given(ragged_batches(), rates)
def test_with_one_rate_a_comparison_by_means_sees_the_size_and_nothing_else(batch, rate):
    fp, fn = rate
    for baseline in (Mean(), Others()):
        plain = centred(fact("outcome"), baseline=baseline)(batch).values
        size = 1 / (1 - fp - fn)
        corrected, weights = (centred(t, baseline=baseline)(batch).values for t in
                              (backward(fact("outcome"), fp, fn), forward(fact("outcome"), fn)))  # fmt: skip
        assert corrected == pytest.approx(size * plain, abs=1e-9)
        assert weights == pytest.approx(plain, abs=1e-9)


def test_under_a_spread_one_rate_has_no_effect_and_warns_and_a_rate_per_prompt_warns_too():
    batch = make_batch(np.random.default_rng(3), [6, 6], missing=False, ends=False)
    batch = batch.with_columns(rate=Column.of("group", [0.1, 0.4]))
    for term in (backward(fact("outcome"), 0.1, 0.3), forward(fact("outcome"), 0.3)):
        with pytest.warns(UserWarning, match="no effect"):
            a = centred(term, scale=Std(0.0))(batch).values
        assert a == pytest.approx(centred(fact("outcome"), scale=Std(0.0))(batch).values)


@given(ragged_batches())
def test_rates_as_terms_are_those_numbers(batch):
    batch = batch.with_columns(a=Column.of("group", np.full(batch.size("group"), 0.25)))
    for by_term, by_number in (
        (backward(fact("outcome"), fact("a"), 0.125), backward(fact("outcome"), 0.25, 0.125)),
        (backward(fact("outcome"), 0.125, fact("a")), backward(fact("outcome"), 0.125, 0.25)),
        (forward(fact("outcome"), fact("a")), forward(fact("outcome"), 0.25)),
        (backward(broadcast(fact("outcome")), fact("a"), 0.125), backward(broadcast(fact("outcome")), 0.25, 0.125)),
    ):
        x, y = by_term(batch), by_number(batch)
        assert (x.valid == y.valid).all() and x.values[x.valid] == pytest.approx(y.values[y.valid])


def test_without_a_rate_or_with_too_high_ones_it_is_missing():
    batch = verdicts([1, 1, 1, 1], fp=[0.5, np.nan, 0.0, -0.1], fn=[0.5, 0.1, 0.25, 0.1])
    assert backward(fact("outcome"), fact("fp"), fact("fn"))(batch).tolist() == [None, None, pytest.approx(4 / 3), None]
    assert forward(fact("outcome"), fact("fn"))(batch).values == pytest.approx([0.5, 0.1, 0.25, 0.1])


@pytest.mark.bad_input
@pytest.mark.parametrize("make", [lambda: backward(fact("x"), 0.5, 0.5), lambda: forward(fact("x"), 1.0),
                                  lambda: backward(fact("x"), -0.1, 0.1), lambda: missed_share(1, 1, 0.0)])  # fmt: skip
def test_rates_that_cannot_be_are_refused(make):
    with pytest.raises(ShapeError, match=r"rates|share"):
        make()


# Appeals.


@pytest.mark.parametrize("share", [1.0, 0.2, 0.05])
def test_appeals_find_the_rate_from_a_share_of_the_refused(share):
    rng, n, fn = np.random.default_rng(4), 100_000, 0.3
    truth = rng.random(n) < 0.4
    seen = truth & (rng.random(n) >= fn)
    asked = ~seen & (rng.random(n) < share)
    batch = verdicts(seen, appeal=np.where(asked, truth, np.nan))
    assert appealed(fact("outcome"), fact("appeal"))(batch).values[0] == pytest.approx(fn, abs=0.02)
    counted_raw = (asked & truth).sum() / (seen.sum() + (asked & truth).sum())
    assert share == 1.0 or counted_raw < share * 0.5  # what the share is for


def test_false_positives_make_it_low_by_this():
    fp, fn, right = 0.15, 0.3, 0.4
    passed, missed = right * (1 - fn) + (1 - right) * fp, right * fn
    assert missed_share(passed, missed) == pytest.approx(missed / (passed + missed)) == pytest.approx(0.245, abs=0.001)


@given(ragged_batches())
def test_appealed_slowly(batch):
    seen, second, failed = batch["outcome"], batch["appeal"], batch["failed"].values
    kept = [t for t in range(len(failed)) if seen.valid[t] and not failed[t]]
    passed = [t for t in kept if seen.values[t] > 0]
    refused = [t for t in kept if seen.values[t] == 0]
    asked = [t for t in refused if second.valid[t]]
    turned = [t for t in asked if second.values[t] > 0]
    column = appealed(fact("outcome"), fact("appeal"))(batch)
    assert column.level == "group" and len(set(column.valid)) == 1
    if asked and (passed or turned):
        missed = len(turned) * len(refused) / len(asked)
        assert column.values == pytest.approx(missed / (len(passed) + missed))
    else:
        assert not column.valid.any()
        assert (appealed(fact("outcome"), fact("appeal"), 0.25)(batch).values == 0.25).all()
