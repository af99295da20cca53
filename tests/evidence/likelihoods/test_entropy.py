"""Facts about sampled tokens: entropies, log-probabilities as they are now, and without what was asked."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch
from guerdon.evidence import observe, unscored
from guerdon.evidence.likelihoods import entropies, logprobs_alone, own_logprobs
from guerdon.records import Step, Trajectory
from likely import DIGITS, FAILED, direct, fresh, played, taught, tokens
from tiny import plain, plain_logprobs

SAID = st.lists(st.sampled_from(["so", "hm", "=", *DIGITS]), min_size=1, max_size=5).map(" ".join)
PLAYS = st.lists(
    st.tuples(st.just("3"), st.lists(st.tuples(st.just("ask"), SAID), min_size=1, max_size=3)), min_size=1, max_size=4
)


def spreads(policy, batch, temperature=1.0):
    """Entropy before each sampled token, one model input after the other; NaN elsewhere."""
    sequence = batch["sequence"].values[batch.step_of_token] + 1000 * batch.trajectory_of_step[batch.step_of_token]
    out = np.full(batch.size("token"), np.nan)
    for one in np.unique(sequence):
        at = np.flatnonzero(sequence == one)
        table = plain(policy.model, batch["token_id"].values[at], temperature).double().numpy()
        out[at[1:]] = -(np.exp(table) * table).sum(1)[:-1]
    return np.where(batch["sampled"].values, out, np.nan)


# Laws, against one full pass a model input.


@given(PLAYS, st.booleans(), st.sampled_from([0.5, 1.0]))
@settings(max_examples=15)
def test_entropies_and_log_probabilities_are_those_of_plain_passes(plays, whole, temperature):
    policy = taught()
    batch = played(policy, *plays, whole=whole)
    seen = entropies(policy, temperature=temperature).observe(batch)
    expected = spreads(policy, batch, temperature)
    np.testing.assert_allclose(seen["entropy"].filled(), expected, atol=1e-5)
    for step, mean in enumerate(seen["step_entropy"].values):
        mine = expected[(batch.step_of_token == step) & batch["sampled"].values]
        np.testing.assert_allclose(
            (mean, seen["step_entropy/highest"].values[step]), (mine.mean(), mine.max()), atol=1e-5
        )
    if batch.size("token") and not whole:
        found = own_logprobs(policy, temperature=temperature).observe(batch)["policy_logprob"].filled()
        np.testing.assert_allclose(found, plain_logprobs(policy.model, batch, temperature), atol=1e-5)


@given(SAID, SAID)
@settings(max_examples=15)
def test_alone_an_action_is_the_same_whatever_was_asked_before_it(one, other):
    policy = taught()
    batch = played(policy, ("3", [("ask", one), ("so", other)]), ("3", [("hm 1", other)]), whole=True)
    found = logprobs_alone(policy).observe(batch)["logprob_alone"].filled()
    sampled = np.asarray(batch["sampled"].values, bool)
    expected = [direct(policy, "<say>", [*policy.format.say(said)]) for said in (one, other, other)]
    np.testing.assert_allclose(found[sampled], np.concatenate(expected), atol=1e-5)
    assert np.isnan(found[~sampled]).all()


# Worked examples.


def test_where_all_words_are_alike_the_entropy_is_the_log_of_their_number():
    policy = fresh()
    with torch.no_grad():
        policy.model.lm_head.weight[:] = 0.0
    seen = entropies(policy).observe(played(policy, ("3", [("ask", "so 3")])))
    np.testing.assert_allclose(seen["step_entropy"].values, np.log(len(policy.tokenizer)), atol=1e-5)


def test_who_knows_the_answer_is_in_less_doubt_than_who_guesses():
    policy = taught()
    seen = entropies(policy).observe(played(policy, ("3", [("ask", "so 3 = 3")]), ("3", [("ask", "hm 3 = 3")])))
    sure, guess = seen["entropy"].filled().reshape(2, -1)[:, -2]
    assert sure < 0.5 and guess > 1.0


# Unscored, with a cause.


def test_what_cannot_be_read_has_a_cause_and_its_neighbours_have_numbers():
    policy = taught()
    silent = Trajectory(0, steps=(Step("ask", "", tokens=tokens(policy, "ask", "")[:-1], logprobs=[]),))
    unread = Trajectory(0, steps=(Step("", "so", tokens=[5, 6], logprobs=[0.0, 0.0]),))
    turns = [("ask", "so 3")]
    many = [played(policy, ("3", turns), ("3", turns, FAILED), ("3", [("ask", "hm " * 80)]))]
    many += [Batch.of([silent]), Batch.of([unread])]
    causes = [
        None, "the play failed: the environment hung", "the context and the text have 83 tokens and the model reads 64",
        "the text to be scored has no tokens",
        "nothing stands before the text, so its first token has no probability",
    ]  # fmt: skip
    seen = [entropies(policy).observe(batch) for batch in many]
    assert [c for b in seen for c in b["step_entropy/cause"].tolist()] == causes
    assert [b["step_entropy"].valid.tolist() for b in seen] == [[True, False, False], [False], [False]]
    for make in (own_logprobs, logprobs_alone):
        observer = make(policy)
        seen = observer.observe(many[0])
        sampled = np.asarray(many[0]["sampled"].values, bool)
        assert (seen[observer.name].valid == (sampled & (many[0].step_of_token == 0))).all()
        found = {(s, c) for s, c in zip(many[0].step_of_token.tolist(), seen[f"{observer.name}/cause"].tolist()) if c}
        assert {s for s, _ in found} == {1, 2} and (1, "the play failed: the environment hung") in found
        assert observer.name + "/cause" not in observer.observe(many[1]).columns  # nothing was sampled, nothing lacks


@pytest.mark.parametrize("make", [entropies, own_logprobs, logprobs_alone])
def test_weights_that_are_not_finite_are_no_number(make):
    policy = fresh()
    with torch.no_grad():
        policy.model.lm_head.weight[:] = np.nan
    observer = make(policy)
    seen = observe(played(policy, ("3", [("ask", "so 3")])), [observer])
    assert not seen[observer.name].valid.any()
    assert "the model's log-probabilities are not finite" in unscored(seen, observer.name)
