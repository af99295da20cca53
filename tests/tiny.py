"""Tiny models of several makes, a small world, and plain slow references."""

import numpy as np
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from guerdon.batch import Batch
from guerdon.environments.keydoor import Keydoor
from guerdon.environments.vector import InProcess
from guerdon.policies import small
from guerdon.records import Step, Trajectory
from guerdon.rollouts import by_policy, play, repeated

VOCABULARY = 30


def make_model(name):
    """A tiny model whose weights are large enough for contexts to matter."""
    shape = {
        "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 128, "initializer_range": 0.3,
    }  # fmt: skip
    torch.manual_seed(0)
    if name == "gpt2":
        config = GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=128,
            n_embd=16,
            n_layer=2,
            n_head=2,
            initializer_range=0.3,
            eos_token_id=1,
        )
        return GPT2LMHeadModel(config).eval()
    if name == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**shape)).eval()
    if name == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=8)).eval()
    if name == "mistral":
        return MistralForCausalLM(MistralConfig(**shape, sliding_window=6)).eval()
    if name == "eager":
        return LlamaForCausalLM._from_config(LlamaConfig(**shape), attn_implementation="eager").eval()
    return LlamaForCausalLM(LlamaConfig(**shape)).eval()


MAKES = ("llama", "gpt2", "qwen2", "qwen3")


@torch.no_grad()
def plain(model, tokens, temperature=1.0):
    """(tokens, vocabulary) log-probabilities after each token: one full pass, no cache, no padding, no mask."""
    logits = model(torch.tensor([list(tokens)]), use_cache=False).logits[0]
    return (logits.float() / temperature).log_softmax(-1)


def plain_logprobs(model, batch, temperature=1.0):
    """Per token of a batch, its log-probability, one model input after the other."""
    sequence = batch["sequence"].values[batch.step_of_token]
    ids, out = batch["token_id"].values, np.full(batch.size("token"), np.nan)
    for one in np.unique(sequence):
        at = np.flatnonzero(sequence == one)
        table = plain(model, ids[at], temperature).numpy()
        out[at[1:]] = table[np.arange(len(at) - 1), ids[at[1:]]]
    return np.where(batch["sampled"].values, out, np.nan)


def play_keydoor(times=3, horizon=8, seed=0, **options):
    """A policy that does not know anything, and the batch of what it did."""
    family = Keydoor(size=3, subgoals=2, horizon=horizon, train=2, test=1)
    policy = small(family.words(), width=32, heads=2, **options)
    tasks, groups = repeated(family.tasks("train"), times)
    return policy, play_with(policy, family, tasks, groups, seed)


def play_with(policy, family, tasks, groups, seed=0):
    player = by_policy(policy, torch.Generator().manual_seed(seed))
    return Batch.of(play(player, InProcess(family), tasks, groups))


def random_batch(rng, whole, vocabulary=VOCABULARY):
    """Plays that share much: few prompts, few words, so that contexts and actions come back."""
    trajectories = []
    for _ in range(int(rng.integers(3, 9))):
        steps = []
        for turn in range(int(rng.integers(1, 4))):
            read = [1 + int(rng.integers(2))] * int(rng.integers(1, 5))
            said = rng.integers(3, 3 + int(rng.integers(1, vocabulary - 3)), int(rng.integers(1, 5))).tolist()
            steps.append(Step(tokens=read + said, logprobs=[0.0] * len(said), sequence=0 if whole else turn))
        trajectories.append(Trajectory(0, steps=tuple(steps)))
    return Batch.of(trajectories)
