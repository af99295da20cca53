"""Scoring: merged, chunked and plain all say the same, with the same gradient."""

import numpy as np
import pytest
import torch

from guerdon.batch import Batch
from guerdon.errors import ShapeError
from guerdon.policies.score import Inputs, branches, logprobs, reach, score
from guerdon.records import Step, Trajectory
from tiny import MAKES, make_model, plain_logprobs, random_batch

SEEDS = range(6)


def batch_of(*plays):
    """Plays of (read, said) turns; equal numbers of `sequence` where a play is a tuple, else each turn its own."""
    return Batch.of(
        [
            Trajectory(0, steps=tuple(
                Step(tokens=[*read, *said], logprobs=[0.0] * len(said), sequence=0 if isinstance(turns, tuple) else i)
                for i, (read, said) in enumerate(turns)
            ))
            for turns in plays
        ]
    )  # fmt: skip


def long_tails(rng):
    """Many long answers to few long prompts: more than one tree may hold."""
    prompts = [rng.integers(1, 9, 12).tolist(), rng.integers(1, 9, 7).tolist()]
    return batch_of(*[[(prompts[i % 2], rng.integers(9, 29, int(rng.integers(10, 25))).tolist())] for i in range(14)])


def batches(seed):
    rng = np.random.default_rng(seed)
    return [random_batch(rng, whole=False), random_batch(rng, whole=True), long_tails(rng)]


def run(model, batch, trees, most=10**9, temperature=0.7, seed=0):
    """Log-probabilities, entropies, hidden states and the gradient of a random weighting of the first two."""
    inputs = Inputs.of(batch, trees)
    weight = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, len(inputs.token)))).float()
    found = {name: torch.full((len(inputs.token),), torch.nan) for name in ("logprob", "entropy")}
    hidden = torch.full((len(inputs.token), 16), torch.nan)
    model.zero_grad()
    for rows in inputs.chunks(np.arange(len(inputs.ids)), most):
        got = score(model, inputs, rows, temperature, entropy=True, hidden=True)
        at = torch.from_numpy(got.at)
        (weight[0][at] * got.logprob + weight[1][at] * got.entropy).sum().backward()
        found["logprob"][at], found["entropy"][at] = got.logprob.detach(), got.entropy.detach()
        hidden[at] = got.hidden.detach()
    return found["logprob"], found["entropy"], hidden, torch.cat([p.grad.flatten() for p in model.parameters()])


def close(a, b, tolerance):
    assert torch.isfinite(a).all()
    assert float((a - b).norm()) <= tolerance * float(b.norm())


# Laws


@pytest.mark.parametrize("make", ["llama", "gpt2", "qwen3"])
@pytest.mark.parametrize("seed", SEEDS)
def test_trees_change_nothing(make, seed):
    model = make_model(make)
    for batch in batches(seed):
        for a, b in zip(run(model, batch, True), run(model, batch, False), strict=True):
            close(a, b, 1e-5)


@pytest.mark.parametrize("trees", [True, False])
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_chunks_change_nothing(trees, seed):
    model = make_model("llama")
    for batch in batches(seed):
        for a, b in zip(run(model, batch, trees, most=20), run(model, batch, trees), strict=True):
            close(a, b, 1e-5)


@pytest.mark.parametrize("trees", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_input_is_in_one_chunk(trees, seed):
    for batch in batches(seed):
        inputs = Inputs.of(batch, trees)
        for most in (1, 10, 50, 10**6):
            chunks = list(inputs.chunks(np.arange(len(inputs.ids)), most))
            assert sorted(np.concatenate(chunks)) == list(range(len(inputs.ids)))
            assert all(len(c) == 1 or len(c) * inputs.length[c].max() <= most for c in chunks)
            longest = [inputs.length[c].max() for c in chunks]
            assert longest == sorted(longest, reverse=True)


@pytest.mark.parametrize("trees", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_sampled_token_is_read_off_one_place_after_its_own_past(trees, seed):
    for batch in batches(seed):
        inputs = Inputs.of(batch, trees)
        np.testing.assert_array_equal(inputs.token, np.flatnonzero(batch["sampled"].values))
        sequence = batch["sequence"].values[batch.step_of_token]
        for token, row, place in zip(inputs.token, inputs.row, inputs.place, strict=True):
            past = []
            while place >= 0:
                past.append(inputs.ids[row][place])
                place = inputs.parent[row][place]
            before = np.flatnonzero(sequence[:token] == sequence[token])
            assert past[::-1] == batch["token_id"].values[before].tolist()


@pytest.mark.parametrize("trees", [True, False])
def test_some_tokens_of_some_inputs_are_scored_as_they_are_among_all(trees):
    model, rng = make_model("llama"), np.random.default_rng(0)
    for batch in batches(1):
        inputs = Inputs.of(batch, trees)
        whole = score(model, inputs, np.arange(len(inputs.ids)), 1.0, entropy=True)
        kept = rng.random(len(inputs.token)) < 0.5
        rows = rng.permutation(len(inputs.ids))[: (len(inputs.ids) + 1) // 2]
        part = score(model, inputs, rows, 1.0, kept, entropy=True)
        np.testing.assert_array_equal(part.at, np.flatnonzero(kept & np.isin(inputs.row, rows)))
        torch.testing.assert_close(part.logprob, whole.logprob[part.at], atol=1e-5, rtol=0)
        torch.testing.assert_close(part.entropy, whole.entropy[part.at], atol=1e-5, rtol=0)


# Agreement with one plain pass for each input


@pytest.mark.parametrize("make", [*MAKES, "eager"])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_log_probabilities_against_one_pass_for_each_input(make, temperature):
    model = make_model(make)
    for seed in SEEDS[:2]:
        for batch in batches(seed):
            want = plain_logprobs(model, batch, temperature)
            for most in (16_384, 30):
                np.testing.assert_allclose(logprobs(model, batch, temperature, most), want, atol=1e-5, rtol=0)


def test_entropy_is_that_of_the_tempered_distribution():
    model, inputs = make_model("llama"), Inputs.of(batch_of([([1, 2], [3])]))
    with torch.no_grad():
        p = (model(torch.tensor([[1, 2]])).logits[0, -1] / 0.5).softmax(-1)
    got = score(model, inputs, np.arange(1), 0.5, entropy=True)
    assert float(got.entropy[0].detach()) == pytest.approx(-float((p * p.log()).sum()), abs=1e-5)
    assert float(got.logprob[0].detach()) == pytest.approx(float(p[3].log()), abs=1e-5)


# Worked examples


def test_what_is_equal_is_computed_once():
    turn = ([1, 2, 3], [4, 5])
    inputs = Inputs.of(batch_of([turn, turn], [turn, ([1, 2, 3], [4, 6])]))
    assert [ids.tolist() for ids in inputs.ids] == [[1, 2, 3, 4]]  # 5 and 6 are read by nobody
    assert len(inputs.token) == 8
    assert inputs.place.tolist() == [2, 3] * 4


def test_a_tree_branches_where_words_differ():
    inputs = Inputs.of(batch_of([([1], [3, 5, 6])], [([1], [4, 5, 6])], [([1], [3, 7, 6])]))
    ids, parent = inputs.ids[0].tolist(), inputs.parent[0].tolist()
    assert len(inputs.ids) == 1
    assert sorted(ids) == [1, 3, 4, 5, 5, 7]
    assert sorted((ids[p], t) for t, p in zip(ids, parent, strict=True) if p >= 0) == [
        (1, 3),
        (1, 4),
        (3, 5),
        (3, 7),
        (4, 5),
    ]


def test_without_trees_each_distinct_input_is_a_row():
    inputs = Inputs.of(batch_of([([1], [3, 5])], [([1], [4, 5])], [([1], [3, 5])]), trees=False)
    assert sorted(ids.tolist() for ids in inputs.ids) == [[1, 3], [1, 4]]


def test_inputs_of_which_nothing_was_sampled_are_not_run():
    batch = batch_of([([1, 2], [])], [([1, 2, 3, 4, 5], [])], [([1, 2], [3])])
    inputs = Inputs.of(batch)
    assert [ids.tolist() for ids in inputs.ids] == [[1, 2]]
    model = make_model("llama")
    np.testing.assert_allclose(logprobs(model, batch), plain_logprobs(model, batch), atol=1e-5)
    assert np.isnan(logprobs(model, batch_of([([1, 2], [])]))).all()


# Which models can


@pytest.mark.parametrize("make", MAKES)
def test_models_with_sdpa_read_trees(make):
    assert branches(make_model(make))


def test_an_attention_that_takes_no_such_mask_falls_back():
    model = make_model("eager")
    assert not branches(model)
    before = [p.clone() for p in model.parameters()]
    assert not branches(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_model_that_forgets_is_read_plainly_beyond_its_window():
    model = make_model("mistral")
    assert reach(model) == 6 and branches(model) and reach(make_model("llama")) is None
    short, long = ([1, 2], [3, 4]), ([1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11])
    batch = batch_of([short], [short], [long], [([1, 2, 3, 4, 5, 6, 7, 8], [9, 12, 11])])
    np.testing.assert_allclose(logprobs(model, batch), plain_logprobs(model, batch), atol=1e-5)
    assert len(Inputs.for_model(model, batch).ids) == 3 and len(Inputs.for_model(make_model("llama"), batch).ids) == 2


# Bad input


def test_an_input_that_begins_with_a_sampled_token_is_refused():
    with pytest.raises(ShapeError, match="begins with a sampled token"):
        Inputs.of(batch_of([([1], [2])], [([], [3])]))


def test_a_later_turn_of_one_input_may_read_nothing():
    batch, model = batch_of((([1], [2]), ([], [3]))), make_model("llama")
    np.testing.assert_allclose(logprobs(model, batch), plain_logprobs(model, batch), atol=1e-5)
