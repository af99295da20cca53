"""A small policy that learnt to answer what its reasoning says, plays of it, and what one full pass says of a text."""

import functools

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from guerdon.batch import Batch
from guerdon.policies import LanguagePolicy, small
from guerdon.records import Ended, Step, Task, Trajectory
from tiny import plain

DIGITS = [str(d) for d in range(6)]


def fresh(seed=0, **kw):
    """A policy that knows its words and nothing else."""
    return small([*DIGITS, "ask", "so", "hm", "=", "thanks", "wrong"], width=16, heads=2, longest=64, seed=seed, **kw)


@functools.cache
def taught():
    """After "so d" the answer d, after "hm d" any answer: "ask <say> so 3 = 3 <end>"."""
    policy = fresh()
    rng, optimiser = np.random.default_rng(0), torch.optim.Adam(policy.model.parameters(), 1e-2)
    for _ in range(150):
        rows = []
        for _ in range(32):
            digit, guess, sure = rng.integers(6), rng.integers(6), rng.integers(2)
            rows.append(tokens(policy, "ask", f"{'so' if sure else 'hm'} {digit} = {digit if sure else guess}"))
        ids = torch.tensor(rows)
        loss = policy.model(ids, labels=ids).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy


@functools.cache
def chatty():
    """A policy that knows nothing, with tokens of pieces of words and a chat template: marks end inside tokens."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|pad|>", "<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(["so <answer>4</answer>", "hm <answer>4 5</answer>\n", "the answer is 4 ."] * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|start|>' + m['role'] + '\n' + m['content'] + '<|end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
    )
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, initializer_range=0.3, **shape)
    return LanguagePolicy(LlamaForCausalLM(config), tokenizer)


def words(policy, text):
    return policy.tokenizer.encode(text, add_special_tokens=False)


def direct(policy, context, text):
    """Log-probability of a text's tokens after a context, by one full pass over both; either is ids or words."""
    context, text = (words(policy, x) if isinstance(x, str) else [*x] for x in (context, text))
    table = plain(policy.model, [*context, *text]).double().numpy()
    return table[np.arange(len(context) - 1, len(context) + len(text) - 1), text]


def values(observer, batch):
    """The observer's column, missing as NaN."""
    return observer.observe(batch)[observer.name].filled()


def tokens(policy, seen, said):
    return [*policy.format.read(seen, True), *policy.format.say(said)]


def played(policy, *plays, group=0, whole=False):
    """A batch of (reference, turns) or (reference, turns, how it ended); a turn is (seen, said)."""
    out = []
    for reference, turns, *ended in plays:
        steps = []
        for t, (seen, said) in enumerate(turns):
            words = policy.format.say(said)
            read = policy.format.read(seen, True)
            steps.append(
                Step(seen, said, tokens=[*read, *words], logprobs=[0.0] * len(words), sequence=0 if whole else t)
            )
        task = Task(reference=reference, extra={"gold_chain": "so 3 = 3"})
        out.append(Trajectory(group, task, tuple(steps), 0.0, *ended))
    return Batch.of(out)


FAILED = Ended.failed(at=0, cause="the environment hung")
