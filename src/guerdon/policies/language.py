"""A language model that plays: any Hugging Face causal LM, or a small one made here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from guerdon.errors import PolicyError
from guerdon.policies.context import Context, LastState
from guerdon.policies.prefix import PrefixCache, Read
from guerdon.policies.tokens import Format, format_of, word_tokenizer


@dataclass(frozen=True, slots=True)
class Act:
    """One action, and exactly the tokens that were read and sampled for it.

    Attributes:
        text: the action as text.
        tokens: the tokens newly read, then those sampled.
        logprobs: log-probability of each sampled token, at the sampling temperature.
        sequence: which of the play's model inputs the tokens belong to.
    """

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    sequence: int


@dataclass
class LanguagePolicy:
    """A causal LM with its tokenizer, its context and how it samples.

    Attributes:
        temperature: of sampling and of every log-probability; there is no top-k or top-p.
        most: the most tokens of one action.
        longest: the longest model input; past it a whole-history play begins a new sequence.
    """

    model: Any
    tokenizer: Any
    context: Context = field(default_factory=LastState)
    temperature: float = 1.0
    most: int = 8
    longest: int | None = None
    format: Format = field(init=False)
    cache: PrefixCache = field(init=False)

    def __post_init__(self) -> None:
        self.model.eval()
        self.format = format_of(self.tokenizer)
        # Whole histories seldom meet again, so what is said there is not worth keeping.
        remember = 16 if isinstance(self.context, LastState) else 0
        self.cache = PrefixCache(self.model, self.format.pad, self.temperature, remember=remember)
        room = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        self.longest = min(self.longest or room, room)

    def play(self) -> Play:
        """A fresh set of plays, none of which has read anything."""
        return Play(self)

    def forget(self) -> None:
        """To be called when the weights have changed: nothing read before them is of use."""
        self.cache.forget()

    def save(self, folder: str | Path) -> None:
        """Writes model and tokenizer as Hugging Face loads them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


@dataclass
class Play:
    """Many plays at once: what each has read, said and done."""

    policy: LanguagePolicy
    done: dict[int, list[str]] = field(default_factory=dict)
    read: dict[int, Read] = field(default_factory=dict)
    unread: dict[int, tuple[int, ...]] = field(default_factory=dict)
    sequence: dict[int, int] = field(default_factory=dict)

    def act(self, slots: Sequence[int], observations: Sequence[str], generator: torch.Generator) -> list[Act]:
        """One action for each slot, after its observation."""
        new, parents, fresh = [], [], []
        for slot, observation in zip(slots, observations, strict=True):
            tokens, parent, begins = self._next(slot, observation)
            new.append(tokens)
            parents.append(parent)
            fresh.append(begins)
        # What was sampled last turn is read again with the observation: a few tokens, and one pass instead of two.
        feed = [
            tokens if begins else self.unread[slot] + tokens
            for slot, tokens, begins in zip(slots, new, fresh, strict=True)
        ]
        reads = self.policy.cache.read(parents, feed)
        said, scores = self.policy.cache.sample(reads, self.policy.format.ends, self.policy.most, generator)
        acts = []
        for slot, tokens, read, words, score in zip(slots, new, reads, said, scores, strict=True):
            self.read[slot], self.unread[slot] = read, tuple(words)
            text = self.policy.format.text(tuple(words))
            self.done.setdefault(slot, []).append(text)
            acts.append(Act(text, (*tokens, *words), tuple(score), self.sequence[slot]))
        return acts

    def follow(self, slot: int, observation: str, action: str) -> Act:
        """The same record for an action that somebody else chose; its log-probabilities are zero."""
        tokens, _, _ = self._next(slot, observation, reading=False)
        words = self.policy.format.say(action)
        self.done.setdefault(slot, []).append(action)
        self.unread[slot] = words
        return Act(action, (*tokens, *words), (0.0,) * len(words), self.sequence[slot])

    def _next(self, slot: int, observation: str, reading: bool = True) -> tuple[tuple[int, ...], Read | None, bool]:
        """The tokens to read, on top of what, and whether a new model input begins."""
        turn = self.policy.context.turn(observation, self.done.get(slot, []))
        parent = self.read.get(slot)
        begins = not turn.carry or slot not in self.sequence
        tokens = self.policy.format.read(turn.text, begins)
        room = self.policy.longest - self.policy.most
        if not begins and reading and parent is not None:
            if parent.length + len(self.unread[slot]) + len(tokens) > room:
                begins, tokens = True, self.policy.format.read(turn.text, True)
        if len(tokens) > room:
            raise PolicyError(
                f"LanguagePolicy: an observation has {len(tokens)} tokens and the model reads {self.policy.longest}, "
                f"less {self.policy.most} for the action; shorter observations or a longer model are needed; "
                "shorten the observation or lower most="
            )
        if begins:
            self.sequence[slot] = self.sequence.get(slot, -1) + 1
        return tokens, (None if begins else parent), begins


def small(
    words: Iterable[str], *, width: int = 64, layers: int = 2, heads: int = 4, longest: int = 1024, seed: int = 0, **kw: Any
) -> LanguagePolicy:
    """A small Llama made from a config, with one token per word of an environment.

    It is saved and loaded like any other Hugging Face model; nothing about it is special.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = word_tokenizer(words)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=longest,
        tie_word_embeddings=True,
        initializer_range=0.8 / width**0.5,  # the usual 0.02 is made for wide models; a narrow one learns several times slower
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return LanguagePolicy(model, tokenizer, **kw)


def load(path: str, *, dtype: torch.dtype | None = None, device: str | None = None, **kw: Any) -> LanguagePolicy:
    """A causal LM from a local folder or a hub name.

    Raises:
        PolicyError: there is no model that transformers can load; the sentence says what was tried.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(path)
    if os.sep in path and path.count("/") != 1 and not folder.exists():
        raise PolicyError(f"load: there is no folder {path!r}; a Hugging Face model is needed; check the path, or give a hub name")
    if folder.is_dir() and not (folder / "config.json").exists():
        raise PolicyError(
            f"load: {path!r} has no config.json, so it is not a Hugging Face model; a folder written by save_pretrained "
            "(config.json, weights, tokenizer) is needed; check the path"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype or torch.float32)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PolicyError(
            f"load: {path!r} cannot be loaded as a causal language model ({first[:160]}); a local folder written by "
            "save_pretrained or a reachable hub name is needed; check the path or the name"
        ) from error
    return LanguagePolicy(model.to(device) if device else model, tokenizer, **kw)
