"""Reading with shared beginnings says what reading each text by itself says, for every make of model."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from guerdon.evidence.likelihoods.read import _passes, fingerprint, lay, read
from guerdon.policies.score import branches
from tiny import MAKES, VOCABULARY, make_model, plain


@pytest.fixture(scope="module", params=MAKES)
def model(request):
    return make_model(request.param)


def chains(rng, many=4, places=4, length=12):
    """Chains of a few prompts, with one reference at several places of each, and its end under two references."""
    pairs = []
    for i in range(many):
        prompt = rng.integers(1, 4, 5) if i % 2 else np.array([1, 2, 3, 2, 1])
        chain = np.concatenate((prompt, rng.integers(3, VOCABULARY, length)))
        text = rng.integers(3, VOCABULARY, int(rng.integers(1, 5)))
        cuts = np.linspace(len(prompt), len(chain), places).astype(int)
        pairs += [(chain[:cut], text) for cut in cuts] + [(chain, rng.integers(3, VOCABULARY, 3))]
    return pairs


def directly(model, context, text, temperature=1.0):
    table = plain(model, [*context, *text], temperature).double().numpy()
    rows = table[len(context) - 1 : -1]
    return rows[np.arange(len(text)), text], -(np.exp(rows) * rows).sum(1)


@pytest.mark.parametrize("seed", range(3))
def test_shared_alone_and_direct_agree(model, seed):
    pairs = chains(np.random.default_rng(seed))
    shared, alone = read(model, pairs, entropy=True), read(model, pairs, share=False)
    for (context, text), one, other in zip(pairs, shared, alone, strict=True):
        logprob, entropy = directly(model, context, text)
        np.testing.assert_allclose(one.logprob, logprob, atol=1e-5)
        np.testing.assert_allclose(other.logprob, logprob, atol=1e-5)
        np.testing.assert_allclose(one.entropy, entropy, atol=1e-5)


def test_small_passes_and_a_temperature_change_nothing_else(model):
    pairs = chains(np.random.default_rng(9))
    for most in (1, 30, 200):
        for (context, text), one in zip(pairs, read(model, pairs, 0.7, most), strict=True):
            np.testing.assert_allclose(one.logprob, directly(model, context, text, 0.7)[0], atol=2e-5)


def test_a_model_that_takes_no_tree_reads_a_shared_context_once(model):
    pairs = chains(np.random.default_rng(3))
    many = [(pairs[0][0], np.array([t])) for t in range(3, 12)] + pairs
    laid = lay(many, trees=False)
    assert (laid.inputs.parent[0] == np.arange(-1, laid.inputs.length[0] - 1)).all()
    assert (np.unique(laid.inputs.shares[laid.inputs.shares >= 0], return_counts=True)[1] > 1).any()


def test_keys_and_values_kept_between_texts_say_the_same(model, monkeypatch):
    context = np.array([1, 2, 3, 4, 5, 6])
    pairs = [(context, np.array([t, t + 1])) for t in range(3, 9)] + [(context[:3], np.array([9, 9]))]
    with_trees = read(model, pairs)
    monkeypatch.setattr("guerdon.evidence.likelihoods.read.branches", lambda model: False)
    for one, other, (c, t) in zip(with_trees, read(model, pairs), pairs, strict=True):
        np.testing.assert_allclose(one.logprob, other.logprob, atol=1e-5)
        np.testing.assert_allclose(other.logprob, directly(model, c, t)[0], atol=1e-5)


def test_the_order_of_the_pairs_changes_no_bit(model):
    pairs = chains(np.random.default_rng(4))
    order = np.random.default_rng(5).permutation(len(pairs))
    one, other = read(model, pairs), read(model, [pairs[i] for i in order])
    for at, moved in zip(order, other, strict=True):
        assert (one[at].logprob == moved.logprob).all()


def test_equal_pairs_are_read_once_and_nested_ones_cost_what_is_new():
    chain, text = np.arange(1, 21), np.array([25, 26])
    assert lay([(chain, text)] * 7).tokens == lay([(chain, text)]).tokens == 21
    nested = lay([(chain[:k], text) for k in range(5, 21)])
    assert nested.tokens <= 20 + 16
    assert lay([(chain[:k], text) for k in range(5, 21)], trees=False, share=False).tokens == sum(range(6, 22))


def test_a_tree_stays_within_the_tokens_of_a_pass():
    chain = np.arange(1, 29)
    laid = lay([(chain, np.full(9, t)) for t in range(1, 29)], most=50)
    assert laid.inputs.length.max() <= 50
    assert len(laid.inputs.ids) > 1


def test_a_text_of_one_token_after_a_context_of_one(model):
    assert branches(model)
    (one,) = read(model, [(np.array([1]), np.array([4]))])
    np.testing.assert_allclose(one.logprob, directly(model, [1], np.array([4]))[0], atol=1e-5)
    assert read(model, []) == []


def test_a_model_in_training_is_read_without_dropout_and_left_in_training():
    model = make_model("gpt2")
    pairs = chains(np.random.default_rng(6))
    still = read(model, pairs)
    model.train()
    for one, other in zip(still, read(model, pairs), strict=True):
        assert (one.logprob == other.logprob).all()
    assert model.training


def test_no_gradient_is_kept_and_the_weights_have_a_name():
    model = make_model("qwen2")
    name = fingerprint(model)
    assert name == fingerprint(make_model("qwen2"))
    read(model, chains(np.random.default_rng(7)))
    assert all(p.grad is None for p in model.parameters())
    with torch.no_grad():
        model.lm_head.weight += 1e-3
    assert fingerprint(model) != name


def test_a_tree_may_hold_more_tokens_than_the_model_has_positions(model):
    context = np.arange(100) % 20 + 1
    pairs = [(context, np.full(10, t)) for t in range(1, 15)]
    assert lay(pairs).inputs.length.max() > 128
    for (c, text), one in zip(pairs, read(model, pairs), strict=True):
        np.testing.assert_allclose(one.logprob, directly(model, c, text)[0], atol=2e-5)


SHORT = st.integers(1, 3)
PAIR = st.tuples(st.lists(SHORT, min_size=1, max_size=6), st.lists(SHORT, min_size=1, max_size=3))


@given(st.lists(PAIR, min_size=1, max_size=12), st.booleans(), st.sampled_from([1, 8, 64]))
def test_before_each_token_stand_its_context_and_the_tokens_before_it(made, trees, most):
    pairs = [(np.array(c), np.array(t)) for c, t in made]
    laid = lay(pairs, most, trees=trees)
    inputs = laid.inputs
    for i, (context, text) in enumerate(pairs):
        for j, entry in enumerate(range(laid.begin[i], laid.begin[i + 1])):
            row, place, seen = inputs.row[entry], inputs.place[entry], []
            while place >= 0:
                seen.append(int(inputs.ids[row][place]))
                place = inputs.parent[row][place]
            assert seen[::-1] == [*context, *text[:j]] and inputs.target[entry] == text[j]
    assert laid.tokens <= sum(len(c) + len(t) - 1 for c, t in made)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20).map(np.array), st.integers(1, 200))
def test_each_input_is_in_one_pass_within_its_bound(length, most):
    passes = list(_passes(length, most))
    assert sorted(np.concatenate(passes).tolist()) == list(range(len(length)))
    for rows in passes:
        longest = length[rows].max()
        assert len(rows) == 1 or len(rows) * longest <= most
        assert (2 * length[rows] > longest).all()


def test_a_model_that_looks_back_no_further_than_a_window_is_read_as_it_reads():
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "initializer_range": 0.3}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = MistralConfig(vocab_size=VOCABULARY, sliding_window=6, **heads, **shape)
    model = MistralForCausalLM(config).eval()
    pairs = chains(np.random.default_rng(8))
    for (context, text), one in zip(pairs, read(model, pairs), strict=True):
        np.testing.assert_allclose(one.logprob, directly(model, context, text)[0], atol=1e-5)


# What sharing saves.


def asked(kind, rng, plays=4, prompt=64, chain=192, text=8):
    """The pairs that observers ask about one group of plays."""
    begin, reference = rng.integers(1, 1000, prompt), rng.integers(1, 1000, text)
    whole = [np.concatenate((begin, rng.integers(1, 1000, chain))) for _ in range(plays)]
    if kind == "a reference at the end, and without the chain":
        return [(one, reference) for one in whole] + [(begin, reference)] * plays
    if kind == "a reference after each of 8 turns":
        return [(one[: prompt + chain * k // 8], reference) for one in whole for k in range(9)]
    if kind == "20 follow-ups":
        return [(one, reply) for one in whole for reply in rng.integers(1, 1000, (20, text))]
    solution = rng.integers(1, 1000, 40)  # path scores: 5 rests after each of 8 steps, and after the masked play
    masked = [np.concatenate((one[:prompt], np.zeros(chain, np.int64))) for one in whole]
    places = [one[: prompt + chain * k // 8] for one in (*whole, *masked) for k in range(1, 9)]
    return [(place, solution[b:]) for place in places for b in range(0, 40, 8)]


KINDS = {  # and how many times as fast sharing has to be
    "a reference at the end, and without the chain": 1.0,
    "a reference after each of 8 turns": 3.0,
    "20 follow-ups": 5.0,
    "path scores": 4.0,
}


def measured(kind):
    """Seconds of processor: shared, every text by itself but many in a pass, one pass a text."""
    config = LlamaConfig(
        vocab_size=1000, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4
    )
    torch.manual_seed(0)
    model, pairs = LlamaForCausalLM(config).eval(), asked(kind, np.random.default_rng(0))
    read(model, pairs[:2])  # warm
    ways = (
        lambda: read(model, pairs),
        lambda: read(model, pairs, share=False),
        lambda: [read(model, [pair], share=False)[0] for pair in pairs],
    )
    seconds, found = [], []
    for way in ways:
        begin = time.process_time()
        found.append(way())
        seconds.append(time.process_time() - begin)
    for one, *others in zip(*found, strict=True):
        for other in others:
            np.testing.assert_allclose(one.logprob, other.logprob, atol=1e-4)
    return seconds


@pytest.mark.speed
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sharing_beginnings_beats_one_pass_a_text(kind):
    shared, _, alone = measured(kind)
    assert alone >= KINDS[kind] * shared
