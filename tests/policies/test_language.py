"""Policies: the tokens that were sampled are those that are trained, and what is not a model is said to be none."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, T5Config

from guerdon.environments.keydoor import Keydoor
from guerdon.errors import EnvironmentFault, PolicyError
from guerdon.policies import LanguagePolicy, LastState, WholeHistory, load, small
from guerdon.policies.score import logprobs
from guerdon.policies.tokens import word_tokenizer
from tiny import make_model, plain_logprobs, play_keydoor, play_with


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def check(policy, batch):
    """Sampled log-probabilities against those of `score`, and both against one plain pass for each input."""
    sampled, said = batch["sampled"].values, batch["logprob"].values
    assert sampled.any()
    again = logprobs(policy.model, batch, policy.temperature)
    slow = plain_logprobs(policy.model, batch, policy.temperature)
    np.testing.assert_array_equal(np.isfinite(again), sampled)
    np.testing.assert_allclose(again[sampled], said[sampled], atol=1e-4, rtol=0)
    np.testing.assert_allclose(slow[sampled], said[sampled], atol=1e-4, rtol=0)


CONTEXTS = [LastState(), LastState(memory=2), WholeHistory()]


# The tokens sampled are the tokens trained


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_log_probabilities_are_the_sampled_ones(context, temperature):
    check(*play_keydoor(context=context, temperature=temperature))


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("settings", [{"budget": 50_000}, {"chunk": 7}, {"remember": 0}, {"remember": 16}], ids=str)
def test_log_probabilities_are_the_sampled_ones_however_contexts_are_kept(context, settings):
    family = Keydoor(size=3, subgoals=2, horizon=8, train=2, test=1)
    policy = small(family.words(), width=32, heads=2, context=context, temperature=0.7)
    for name, value in settings.items():
        setattr(policy.cache, name, value)
    batch = play_with(policy, family, family.tasks("train") * 3, [0, 1] * 3)
    check(policy, batch)
    if "budget" in settings:
        assert policy.cache.held < 20 * settings["budget"]


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_actions_cut_short_are_trained_as_they_were_sampled(context):
    policy, batch = play_keydoor(context=context, most=2)
    check(policy, batch)
    last = np.append(np.diff(batch.step_of_token) > 0, True)
    ends = np.isin(batch["token_id"].values[last], list(policy.format.ends))
    assert ends.any() and not ends.all()


def test_a_history_that_is_cut_begins_a_new_sequence():
    policy, batch = play_keydoor(context=WholeHistory(), longest=60, horizon=10)
    check(policy, batch)
    sequence = batch["sequence"].values
    length = np.bincount(np.unique(sequence, return_inverse=True)[1][batch.step_of_token])
    assert length.max() <= 60
    of_play = [len(set(sequence[batch.trajectory_of_step == t])) for t in range(batch.size("trajectory"))]
    assert min(of_play) > 1
    whole = play_keydoor(context=WholeHistory(), horizon=10)[1]
    assert len(set(whole["sequence"].values)) == whole.size("trajectory")


@pytest.mark.parametrize("make", ["gpt2", "qwen2", "qwen3"])
@pytest.mark.parametrize("context", [LastState(1), WholeHistory()], ids=str)
def test_any_causal_model_plays(make, context):
    family = Keydoor(size=2, subgoals=1, horizon=4, train=2, test=1)
    tokenizer = word_tokenizer(list(family.words())[:26])
    policy = LanguagePolicy(make_model(make), tokenizer, context, temperature=0.7)
    check(policy, play_with(policy, family, family.tasks("train") * 2, [0, 1] * 2))


# What is read


def test_a_last_state_reads_its_memory_again_and_a_history_reads_what_is_new():
    words = ["a", "b", "c", "go"]
    for context, third in ((LastState(), "c <say>"), (LastState(1), "<unk> c <say>"), (WholeHistory(), "c <say>")):
        policy = small([*words, ";"], width=8, heads=1, context=context, most=1)
        play = policy.play()
        acts = [play.act([0], [seen], generator(2))[0] for seen in ("a", "b", "c")]
        read = policy.tokenizer.decode(acts[2].tokens[:-1])
        if isinstance(context, LastState) and context.memory:
            third = f"{acts[1].text} ; c <say>".strip()
        assert read == third
        assert [a.sequence for a in acts] == ([0, 0, 0] if isinstance(context, WholeHistory) else [0, 1, 2])


def test_a_model_that_forgets_reads_no_more_than_it_sees_at_once():
    policy = small(["a"], width=8, heads=1, longest=64)
    policy.model.config.sliding_window = 20
    assert LanguagePolicy(policy.model, policy.tokenizer).longest == 20


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("longest", [1024, 60])
def test_what_is_followed_is_what_would_have_been_read(context, longest):
    family = Keydoor(size=3, subgoals=2, horizon=10, train=1, test=1)
    policy = small(family.words(), width=8, heads=1, context=context, longest=longest)
    acting, following = policy.play(), policy.play()
    environment = family.make()
    seen, rng = environment.reset(family.tasks("train")[0]), generator()
    while not (seen.terminated or seen.truncated):
        act = acting.act([0], [seen.observation], rng)[0]
        words = tuple(act.tokens[len(act.tokens) - len(act.logprobs) :])
        # An action that was cut short cannot be said by somebody else, so its words are put in as they were.
        policy.format.say = lambda _, words=words: words
        followed = following.follow(0, seen.observation, act.text)
        assert (followed.tokens, followed.sequence, followed.text) == (act.tokens, act.sequence, act.text)
        assert followed.logprobs == (0.0,) * len(words)
        seen = environment.step(act.text)


def test_acting_goes_on_from_what_was_followed():
    policy = small(["a", "b", "go"], width=8, heads=1, context=WholeHistory(), most=3)
    play = policy.play()
    acts = [play.follow(0, "a", "go"), play.follow(0, "b", "go go"), play.act([0], ["a"], generator())[0]]
    tokens = [t for a in acts for t in a.tokens]
    assert [a.sequence for a in acts] == [0, 0, 0]
    with torch.no_grad():
        table = policy.model(torch.tensor([tokens])).logits[0].log_softmax(-1)
    k = len(acts[2].logprobs)
    want = [float(table[len(tokens) - k + i - 1, tokens[len(tokens) - k + i]]) for i in range(k)]
    assert acts[2].logprobs == pytest.approx(want, abs=1e-4)


def test_slots_do_not_hear_each_other():
    policy = small(["a", "b", "c"], width=8, heads=1, context=WholeHistory(), temperature=1e-4)
    together, alone = policy.play(), policy.play()
    for seen in ("a", "b", "c"):
        both = together.act([3, 1], [seen, "c"], generator())
        assert both[0].tokens == alone.act([7], [seen], generator())[0].tokens


def test_the_cost_of_a_history_grows_with_its_turns_and_not_with_their_square():
    policy = small(["a"], width=8, heads=1, context=WholeHistory(), most=2)
    play, cost = policy.play(), []
    for _ in range(40):
        before = policy.cache.tokens_read
        play.act([0], ["a a a a a"], generator())
        cost.append(policy.cache.tokens_read - before)
    assert max(cost) <= 5 + 1 + 2 + 1  # the observation, its marker, the last action, and one pass while sampling
    assert play.length[0] > 40 * 6


def test_the_cost_of_a_last_state_that_comes_back_is_nothing():
    policy = small(["a"], width=8, heads=1, most=2, temperature=1e-4)
    play = policy.play()
    for _ in range(5):
        before = policy.cache.tokens_read
        play.act([0, 1], ["a a", "a a"], generator())
    assert policy.cache.tokens_read == before


def test_an_observation_that_does_not_fit_is_a_fault_of_its_play_alone():
    policy = small(["a"], width=8, heads=1, longest=12, most=4)
    long, short = policy.play().act([0, 1], ["a " * 8, "a " * 7], generator())
    assert isinstance(long, EnvironmentFault)
    assert "9 tokens and the model reads 12, less 4 for the action" in str(long)
    assert len(short.tokens) > 8


def test_small_is_decided_by_its_seed_and_leaves_the_global_one_alone():
    torch.manual_seed(0)
    want = torch.rand(1)
    torch.manual_seed(0)
    one, same, other = (small(["a", "b"], width=8, heads=1, seed=s).model.lm_head.weight for s in (1, 1, 2))
    assert torch.rand(1) == want
    assert torch.equal(one, same) and not torch.equal(one, other)


# Saved and loaded


@pytest.fixture
def saved(tmp_path):
    policy = small(["go", "north", "a", "b"], width=16, heads=2)
    policy.save(tmp_path / "model")
    return tmp_path / "model"


def test_what_was_saved_says_the_same_when_it_is_loaded(tmp_path):
    policy, batch = play_keydoor(context=LastState(1))
    policy.save(tmp_path)
    loaded = load(str(tmp_path), context=LastState(1), temperature=0.5)
    assert (loaded.temperature, loaded.context, loaded.longest) == (0.5, LastState(1), policy.longest)
    np.testing.assert_array_equal(logprobs(loaded.model, batch), logprobs(policy.model, batch))
    assert loaded.format.read("room 0", True) == policy.format.read("room 0", True)
    assert loaded.format.ends == policy.format.ends
    assert load(tmp_path).model.dtype == torch.float32


def config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(change):
    def apply(folder):
        path = folder / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))

    return apply


def bert(folder):
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForMaskedLM(BertConfig(vocab_size=8, **shape)).save_pretrained(folder)


BROKEN = {
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "cut weights": weights(lambda b: b[: len(b) // 2]),
    "cut header": weights(lambda b: b[:100]),
    "empty weights": weights(lambda b: b""),
    "random weights": weights(lambda b: os.urandom(1000)),
    "other weights": lambda f: config(f, hidden_size=32),
    "more layers": lambda f: config(f, num_hidden_layers=3),
    "no tokenizer": lambda f: [(f / n).unlink() for n in ("tokenizer.json", "tokenizer_config.json")],
    "broken tokenizer": lambda f: (f / "tokenizer.json").write_text("{"),
    "empty tokenizer": lambda f: (f / "tokenizer.json").write_text("{}"),
    "broken config": lambda f: (f / "config.json").write_text("{"),
    "a list as config": lambda f: (f / "config.json").write_text("[]"),
    "an empty config": lambda f: (f / "config.json").write_text("{}"),
    "no config": lambda f: (f / "config.json").unlink(),
    "impossible heads": lambda f: config(f, num_attention_heads=7),
    "unknown type": lambda f: config(f, model_type="nope"),
    "encoder and decoder": lambda f: (f / "config.json").write_text(json.dumps(T5Config().to_dict())),
    "an encoder": bert,
    "no folder": shutil.rmtree,
    "a file": lambda f: [shutil.rmtree(f), f.write_text("x")],
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_a_causal_model_gets_one_sentence(saved, what):
    BROKEN[what](saved)
    with pytest.raises(PolicyError) as told:
        load(str(saved))
    sentence = str(told.value)
    assert sentence.startswith("load: ") and str(saved) in sentence
    assert "\n" not in sentence and sentence.count("; ") >= 2
