"""Sampling with kept contexts is sampling from the model: against full passes without any cache."""

import gc
import weakref

import numpy as np
import pytest
import torch

from guerdon.policies.prefix import PrefixCache
from tiny import MAKES, VOCABULARY, make_model, plain

TURNS = [
    [(1, 2, 3), (1, 2, 3), (4, 5), (6,)],
    [(7, 8), (7, 8), (9,), (1, 1, 1, 1, 1)],
    [(3,), (4,), (5, 6, 7, 8), (2, 2)],
]
NO_END = frozenset({VOCABULARY + 1})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def read_turns(cache, turns=TURNS):
    """Reads turn on top of turn; the reads of each turn, and what each row holds by then."""
    parents, held = [None] * len(turns[0]), [()] * len(turns[0])
    for tokens in turns:
        parents = cache.read(parents, tokens)
        held = [h + t for h, t in zip(held, tokens, strict=True)]
        yield parents, held


def check_sampled(model, held, said, scores, temperature):
    for before, words, score in zip(held, said, scores, strict=True):
        table = plain(model, (*before, *words), temperature)
        want = [float(table[len(before) - 1 + i, t]) for i, t in enumerate(words)]
        assert score == pytest.approx(want, abs=1e-4)


# Agreement with a pass without a cache


@pytest.mark.parametrize("make", [*MAKES, "eager"])
@pytest.mark.parametrize("chunk", [16_384, 3])
def test_what_is_read_is_what_a_full_pass_says(make, chunk):
    model = make_model(make)
    for reads, held in read_turns(PrefixCache(model, 0, temperature=0.7, chunk=chunk)):
        for read, tokens in zip(reads, held, strict=True):
            assert read.length == len(tokens)
            torch.testing.assert_close(read.logprob, plain(model, tokens, 0.7)[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("remember", [0, 2, 16])
def test_sampled_log_probabilities_are_those_of_a_full_pass(make, remember):
    model = make_model(make)
    cache = PrefixCache(model, 0, temperature=0.7, remember=remember, chunk=7)
    for reads, held in read_turns(cache):
        said, scores = cache.sample(reads, frozenset({3, 4, 5}), 6, generator())
        check_sampled(model, held, said, scores, 0.7)


@pytest.mark.parametrize("budget", [0, 20_000])
def test_forgetting_in_the_middle_changes_nothing_that_is_said(budget):
    model, answers = make_model("llama"), []
    for b in (1 << 30, budget):
        cache, said = PrefixCache(model, 0, budget=b, remember=3), []
        for reads, held in read_turns(cache, TURNS * 3):
            words, scores = cache.sample(reads, frozenset({3}), 5, generator(1))
            check_sampled(model, held, words, scores, 1.0)
            said.append(words)
        answers.append(said)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("remember", [0, 1, 3, 16])
def test_how_much_is_remembered_does_not_change_what_is_said(remember):
    model = make_model("llama")
    want, _ = PrefixCache(model, 0).sample(
        PrefixCache(model, 0).read([None] * 9, [(1, 2)] * 9), NO_END, 8, generator(3)
    )
    cache = PrefixCache(model, 0, remember=remember)
    said, _ = cache.sample(cache.read([None] * 9, [(1, 2)] * 9), NO_END, 8, generator(3))
    assert said == want
    assert all(len(words) == 8 for words in said)


# How often each token comes


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_tokens_come_as_often_as_the_model_says(temperature):
    model, n = make_model("llama"), 20_000
    cache = PrefixCache(model, 0, temperature=temperature)
    said, _ = cache.sample(cache.read([None] * n, [(1, 2, 3)] * n), NO_END, 2, generator())
    first, second = np.array(said).T
    chances = plain(model, (1, 2, 3), temperature)[-1].exp().double().numpy()
    assert chi_square(first, chances) < 70.7  # 29 degrees of freedom: 1 in 25,000
    common = np.bincount(first).argmax()
    chances = plain(model, (1, 2, 3, common), temperature)[-1].exp().double().numpy()
    assert chi_square(second[first == common], chances) < 70.7


def chi_square(drawn, chances):
    expected = chances / chances.sum() * len(drawn)
    seen = np.bincount(drawn, minlength=len(chances))
    rare = expected < 5
    expected, seen = np.append(expected[~rare], expected[rare].sum() + 1e-9), np.append(seen[~rare], seen[rare].sum())
    return float(((seen - expected) ** 2 / np.maximum(expected, 1)).sum())


def test_the_generator_decides():
    cache = PrefixCache(make_model("llama"), 0)
    reads = cache.read([None] * 5, [(1, 2)] * 5)
    first, again, other = (cache.sample(reads, NO_END, 6, generator(s))[0] for s in (0, 0, 1))
    assert first == again != other


def test_an_end_ends_an_action_and_is_part_of_it():
    cache, ends = PrefixCache(make_model("llama"), 0), frozenset(range(0, VOCABULARY, 3))
    said, scores = cache.sample(cache.read([None] * 50, [(1,)] * 50), ends, 4, generator())
    for words, score in zip(said, scores, strict=True):
        assert len(words) == len(score)
        assert not set(words[:-1]) & ends
        assert words[-1] in ends or len(words) == 4
    assert {len(words) for words in said} == {1, 2, 3, 4}


# What it costs


def test_equal_contexts_are_read_once():
    cache = PrefixCache(make_model("llama"), 0)
    reads = cache.read([None] * 4, [(1, 2, 3), (4, 5), (1, 2, 3), (1, 2, 3)])
    assert cache.tokens_read == 5
    assert reads[0] is reads[2] is reads[3] is not reads[1]
    cache.read([None] * 2, [(4, 5), (1, 2, 3)])
    assert cache.tokens_read == 5
    cache.read(
        [reads[0], reads[3], reads[1]], [(6,), (6,), (6,)]
    )  # equal words after other contexts are other contexts
    assert cache.tokens_read == 7


def test_what_was_said_after_a_context_is_read_once():
    cache = PrefixCache(make_model("llama"), 0)
    for _ in range(2):
        cache.sample(cache.read([None] * 3, [(1, 2)] * 3), NO_END, 4, generator(5))
        cost, cache.tokens_read = cache.tokens_read, 0
    assert cost == 0
    running = PrefixCache(make_model("llama"), 0, remember=0)
    reads = running.read([None] * 200, [(1, 2)] * 200)
    running.tokens_read = 0
    said, _ = running.sample(reads, NO_END, 2, generator(5))
    assert running.tokens_read == len({words[0] for words in said})


def test_forget_drops_what_was_read():
    model = make_model("llama")
    cache = PrefixCache(model, 0)
    before = cache.read([None], [(1, 2)])[0].logprob
    with torch.no_grad():
        model.lm_head.weight.mul_(0.5)
    torch.testing.assert_close(cache.read([None], [(1, 2)])[0].logprob, before)
    cache.forget()
    after = cache.read([None], [(1, 2)])[0].logprob
    assert (after - before).abs().max() > 1e-2
    torch.testing.assert_close(after, plain(model, (1, 2))[-1], atol=1e-4, rtol=0)
    assert (cache.tokens_read, len(cache.known)) == (4, 1)


def test_the_turns_of_a_long_history_are_let_go_beyond_the_budget():
    cache, read, first = PrefixCache(make_model("llama"), 0, budget=0), None, None
    for _ in range(4):
        read = cache.read([read], [(1, 2)])[0]
        first = first or weakref.ref(read.layers[0][0])
    gc.collect()
    assert first() is None
