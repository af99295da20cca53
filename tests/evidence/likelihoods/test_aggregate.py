"""Aggregates of log-probabilities: the laws that they keep, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ShapeError
from guerdon.evidence.likelihoods import (
    Geometric,
    LeaveOneOut,
    LogMeanExp,
    MeanLog,
    MeanProb,
    Prod,
    SpreadWeighted,
    SumLog,
    Tokens,
    spread,
    spread_weights,
)

ALL = (Prod(), SumLog(), MeanLog(), MeanProb(), Geometric(), LogMeanExp(), LeaveOneOut(), SpreadWeighted())
LOGS = st.floats(-30.0, 0.0)


@st.composite
def groups(draw):
    """Groups of texts; those of a group are equally long."""
    texts, group = [], []
    for number in range(draw(st.integers(1, 3))):
        length = draw(st.integers(1, 5))
        for _ in range(draw(st.integers(1, 4))):
            texts.append(draw(st.lists(LOGS, min_size=length, max_size=length)))
            group.append(number)
    return texts, np.array(group)


def of(aggregate, texts, group=None):
    tokens = Tokens.of(texts, group)
    return aggregate(tokens.logprob, tokens)


# Laws.


@given(groups())
def test_a_product_is_exp_of_the_sum_and_a_geometric_mean_exp_of_the_mean(made):
    texts, _ = made
    np.testing.assert_allclose(of(Prod(), texts), np.exp(of(SumLog(), texts)))
    np.testing.assert_allclose(of(Geometric(), texts), np.exp(of(MeanLog(), texts)))
    lengths = [len(t) for t in texts]
    np.testing.assert_allclose(of(SumLog(), texts), of(MeanLog(), texts) * lengths, atol=1e-12)


@given(groups())
def test_the_mean_is_at_least_the_geometric_mean_which_is_at_least_the_product(made):
    texts, _ = made
    geometric = of(Prod(), texts) ** (1 / np.array([len(t) for t in texts]))
    assert (of(MeanProb(), texts) >= geometric - 1e-12).all()
    assert (geometric >= of(Prod(), texts) - 1e-12).all()


@given(groups())
def test_every_aggregate_is_in_its_range(made):
    for aggregate in ALL:
        values = of(aggregate, *made)
        values = values[~np.isnan(values)]
        assert ((values >= aggregate.low) & (values <= aggregate.high)).all()


@given(groups())
def test_the_log_of_the_mean_is_between_the_mean_and_the_largest_of_its_group(made):
    texts, group = made
    whole, together = of(SumLog(), texts), of(LogMeanExp(), texts, group)
    for g in np.unique(group):
        mine = group == g
        assert np.ptp(together[mine]) == 0
        assert whole[mine].mean() - 1e-9 <= together[mine][0] <= whole[mine].max() + 1e-9


@given(groups())
def test_leaving_one_out_is_the_functional_of_all_less_that_of_the_others(made):
    texts, group = made
    found, together = of(LeaveOneOut(), texts, group), of(LogMeanExp(), texts, group)
    for i, g in enumerate(group):
        others = [k for k in np.flatnonzero(group == g) if k != i]
        if not others:
            assert np.isnan(found[i])
            continue
        rest = of(LogMeanExp(), [texts[k] for k in others], np.zeros(len(others)))[0]
        np.testing.assert_allclose(found[i], together[i] - rest, atol=1e-9)
        assert found[i] >= np.log(len(others) / (len(others) + 1)) - 1e-9


@given(groups(), st.floats(0.0, 5.0))
def test_weights_add_up_to_one_and_are_none_where_nothing_varies(made, cut):
    tokens = Tokens.of(*made)
    weights = spread_weights(tokens, cut)
    assert (weights >= 0).all()
    np.testing.assert_allclose([weights[tokens.text == t].sum() for t in range(len(tokens.group))], 1.0)
    sigma = spread(tokens)
    for t in range(len(tokens.group)):
        mine = tokens.text == t
        if (sigma[mine] > cut).any():
            assert (weights[mine][sigma[mine] <= cut] == 0).all()


@given(groups(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_texts_changes_nothing(made, seed):
    texts, group = made
    order = np.random.default_rng(seed).permutation(len(texts))
    for aggregate in ALL:
        moved = of(aggregate, [texts[i] for i in order], group[order])
        np.testing.assert_allclose(moved, of(aggregate, texts, group)[order], atol=1e-9)


# Worked examples.


def test_tokens_that_reasoning_does_not_move_do_not_count():
    boilerplate, moved = [-5.0, -7.0], ([-0.1], [-3.0])
    tokens = Tokens.of([[*boilerplate, *moved[0]], [*boilerplate, *moved[1]]], [0, 0])
    np.testing.assert_allclose(SpreadWeighted()(tokens.logprob, tokens), [-0.1, -3.0])
    np.testing.assert_allclose(of(SumLog(), [[*boilerplate, *m] for m in moved]), [-12.1, -15.0])


def test_a_baseline_is_added_up_with_the_weights_of_the_text():
    tokens = Tokens.of([[-1.0, -2.0], [-1.0, -4.0]], [0, 0])
    np.testing.assert_allclose(SpreadWeighted()(np.array([-9.0, -3.0, -9.0, -5.0]), tokens), [-3.0, -5.0])


def test_long_texts_do_not_underflow_where_logs_are_kept():
    texts = [[-2.0] * 1000, [-2.001] * 1000]
    assert (of(Prod(), texts) == 0).all()
    np.testing.assert_allclose(of(LeaveOneOut(), texts, [0, 0]), np.log(0.5 * np.array([1 + np.e, 1 + np.exp(-1)])))


def test_one_bad_token_costs_a_mean_its_share_and_a_product_everything():
    good, bad = [np.log(0.9)] * 10, [np.log(0.9)] * 9 + [np.log(1e-6)]
    assert of(MeanProb(), [bad])[0] / of(MeanProb(), [good])[0] > 0.89
    assert of(Prod(), [bad])[0] / of(Prod(), [good])[0] < 1e-5


def test_nothing_gives_nothing():
    for aggregate in ALL:
        assert of(aggregate, []).shape == (0,)


# Refused.


@pytest.mark.bad_input
def test_a_text_without_tokens_is_refused():
    with pytest.raises(ShapeError, match="each text a token"):
        Tokens.of([[-1.0], []])
