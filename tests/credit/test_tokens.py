"""From tokens to steps; the influence of a token; the divergence of a group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred
from guerdon.credit.tokens import divergence, influence, prediction_error, sampled, token_mean, token_share
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import fact, total
from strategies import ragged_batches

SEED = st.integers(0, 2**32 - 1)

# token_mean and token_share.


@given(ragged_batches())
def test_token_mean_slowly(batch):
    column, entropy, wrote = token_mean(fact("entropy"))(batch), batch["entropy"], batch["sampled"].values
    assert column.level == "step"
    for step in range(batch.size("step")):
        own = np.flatnonzero((batch.step_of_token == step) & wrote)
        assert column.valid[step] == (len(own) > 0 and entropy.valid[own].all())
        if column.valid[step]:
            assert column.values[step] == pytest.approx(np.mean(entropy.values[own]))


def test_what_was_read_does_not_count():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=2)
    entropy, wrote = Column.of("token", [9.0, 1.0, 5.0, 5.0]), Column.of("token", [False, True, False, False])
    assert token_mean(fact("entropy"))(batch.with_columns(entropy=entropy, sampled=wrote)).tolist() == [1.0, None]
    columns = {"entropy": entropy}
    unsaid = Batch(batch.step_of_token, batch.trajectory_of_step, batch.group_of_trajectory, columns)
    assert sampled(unsaid).all() and token_mean(fact("entropy"))(unsaid).tolist() == [5.0, 5.0]


@pytest.mark.bad_input
def test_it_is_of_tokens_and_of_a_column_that_is_there():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(LevelError, match="token_mean"):
        token_mean(fact("reward"))(batch)
    with pytest.raises(ColumnError, match="entropy"):
        token_mean(fact("entropy"))(batch)


@given(ragged_batches())
def test_the_shares_of_a_play_are_one_whole(batch):
    assert total(token_share)(batch).filled(1.0) == pytest.approx(1.0)
    tokens = np.bincount(batch.step_of_token, weights=batch["sampled"].values, minlength=batch.size("step"))
    owner = batch.trajectory_of_step
    assert token_share(batch).values == pytest.approx(tokens / np.bincount(owner, weights=tokens)[owner])


@given(ragged_batches(missing=False, ends=False))
def test_as_a_weight_it_lets_every_play_vote_once(batch):
    """The mean over steps is then the mean over plays."""
    lifted = batch.with_columns(worth=batch.lift(batch["outcome"], "step"))
    by_step = centred(fact("worth"), weight=token_share)(lifted).values
    assert by_step == pytest.approx(centred(fact("outcome"))(batch).values)
    scaled = centred(fact("worth"), weight=token_share, scale=Std())(lifted).values
    assert (np.sign(scaled) == np.sign(by_step.round(12))).all()


# influence.


def group(rng, plays=4, vocabulary=5, dim=3, correct=None):
    """A linear-softmax policy, states held fixed, and the tokens of a group that it wrote."""
    length = rng.integers(1, 6, plays)
    play = np.repeat(np.arange(plays), length)
    right = (rng.random(plays) < 0.5) if correct is None else np.full(plays, correct)
    weights, hidden = rng.normal(size=(vocabulary, dim)), rng.normal(size=(len(play), dim))
    token = rng.integers(0, vocabulary, len(play))
    return weights, hidden, token, play, right[play]


def probabilities(weights, hidden):
    """The policy: softmax of a linear map."""
    logits = hidden @ weights.T
    logits -= logits.max(axis=1, keepdims=True)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def score(weights, hidden, token, play, right):
    """Sum over the right plays of their mean log-probability per token."""
    logprob = np.log(probabilities(weights, hidden)[np.arange(len(token)), token])
    return sum(logprob[play == i].mean() for i in np.unique(play[right]))


@given(SEED)
def test_influence_is_what_a_small_update_does_to_the_right_answers(seed):
    weights, hidden, token, play, right = group(np.random.default_rng(seed))
    g = prediction_error(probabilities(weights, hidden), token)
    s = influence(g, hidden, play, right)
    for k in range(len(token)):
        step = 1e-5 * (1.0 if right[k] else -1.0) * np.outer(g[k], hidden[k])
        there = score(weights + step, hidden, token, play, right)
        back = score(weights - step, hidden, token, play, right)
        assert s[k] == pytest.approx((there - back) / 2e-5, rel=1e-4, abs=1e-6)


@given(SEED)
def test_the_matrix_form_is_the_sum_over_pairs(seed):
    weights, hidden, token, play, right = group(np.random.default_rng(seed))
    g = prediction_error(probabilities(weights, hidden), token)
    expected = np.zeros(len(token))
    for j in range(len(token)):
        for k in np.flatnonzero(right):
            expected[j] += (g[k] @ g[j]) * (hidden[k] @ hidden[j]) / (play == play[k]).sum()
        expected[j] *= 2 * right[j] - 1
    assert influence(g, hidden, play, right) == pytest.approx(expected, abs=1e-9)


@given(SEED)
def test_the_labels_of_plays_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    weights, hidden, token, play, right = group(rng)
    g = prediction_error(probabilities(weights, hidden), token)
    order = rng.permutation(len(token))
    other = rng.permutation(100)[play]
    moved = influence(g[order], hidden[order], other[order], right[order])
    assert moved == pytest.approx(influence(g, hidden, play, right)[order], abs=1e-12)


@given(SEED)
def test_without_a_right_play_nothing_can_be_moved(seed):
    weights, hidden, token, play, right = group(np.random.default_rng(seed), correct=False)
    g = prediction_error(probabilities(weights, hidden), token)
    assert not influence(g, hidden, play, right).any()


@given(SEED)
def test_a_right_play_alone_helps_itself(seed):
    weights, hidden, token, play, right = group(np.random.default_rng(seed), plays=1, correct=True)
    g = prediction_error(probabilities(weights, hidden), token)
    assert influence(g, hidden, play, right).sum() >= -1e-12  # the squared norm of its own gradient


@given(SEED)
def test_prediction_errors_sum_to_zero_over_the_vocabulary(seed):
    weights, hidden, token, _, _ = group(np.random.default_rng(seed))
    g = prediction_error(probabilities(weights, hidden), token)
    assert g.sum(axis=1) == pytest.approx(0.0, abs=1e-12)
    assert (g[np.arange(len(token)), token] >= 0).all()


def test_the_probabilities_handed_in_are_left_alone():
    p = np.full((2, 2), 0.5)
    prediction_error(p, np.array([0, 1]))
    assert (p == 0.5).all()


@pytest.mark.bad_input
def test_arguments_that_do_not_fit_together():
    with pytest.raises(ShapeError, match="prediction_error"):
        prediction_error(np.full((2, 2), 0.5), np.array([0]))
    with pytest.raises(ShapeError, match="influence"):
        influence(np.zeros((2, 2)), np.zeros((2, 1)), np.array([0, 0]), np.array([True]))
    with pytest.raises(ShapeError, match="divergence"):
        divergence(np.zeros((2, 3, 4)), np.array([3]))


# divergence.


def distributions(rng, plays=3, positions=4, vocabulary=5):
    """Log-distributions of a group, and the length of each play."""
    logits = 2 * rng.normal(size=(plays, positions, vocabulary))
    length = rng.integers(1, positions + 1, plays)
    return logits - np.log(np.exp(logits).sum(axis=2, keepdims=True)), length


@given(SEED)
def test_divergence_slowly(seed):
    logprob, length = distributions(np.random.default_rng(seed))
    plays, positions, vocabulary = logprob.shape
    expected = np.zeros(positions)
    for t in range(positions):
        held = [logprob[i, t] if t < length[i] else np.full(vocabulary, np.log(1 / vocabulary)) for i in range(plays)]
        m = sum(held) / plays
        for row in held:
            d = np.clip(m - row, -11, 11)
            expected[t] += (np.exp(d) - d - 1).sum() / plays
    assert divergence(logprob, length) == pytest.approx(expected)


@given(SEED)
def test_where_the_group_agrees_it_is_zero_and_nowhere_below(seed):
    logprob, length = distributions(np.random.default_rng(seed))
    same = np.repeat(logprob[:1], len(length), axis=0)
    full = np.full(len(length), logprob.shape[1])
    assert divergence(same, full) == pytest.approx(0.0, abs=1e-12)
    assert (divergence(logprob, length) >= 0).all()


@given(SEED)
def test_neither_the_order_of_plays_nor_of_words_matters(seed):
    rng = np.random.default_rng(seed)
    logprob, length = distributions(rng)
    order, words = rng.permutation(len(length)), rng.permutation(logprob.shape[2])
    assert divergence(logprob[order][:, :, words], length[order]) == pytest.approx(divergence(logprob, length))


def test_log_ratios_are_held():
    """One play never says a word, the other always: the log-ratios are +-50 without a bound."""
    logprob = np.array([[[0.0, -100.0]], [[-100.0, 0.0]]])
    assert divergence(logprob, np.array([1, 1]))[0] == pytest.approx(np.exp(11) + np.exp(-11) - 2)


def test_a_tail_that_nobody_reads_makes_it_large():
    """It is no KL divergence: eight plays sure of one word, with other tails, are told to disagree."""
    rng = np.random.default_rng(0)
    tail = rng.dirichlet(np.full(999, 0.1), 8) * 1e-4 + 1e-300
    p = np.concatenate([np.full((8, 1), 1 - 1e-4), tail], axis=1)[:, None]
    p /= p.sum(axis=2, keepdims=True)
    mean = p.mean(axis=0)
    apart = (p * np.log(p / mean)).sum(axis=2).mean()  # Jensen-Shannon
    assert apart < 5e-4 and divergence(np.log(p), np.ones(8, int))[0] > 1e3
