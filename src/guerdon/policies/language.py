"""A language model that plays: any Hugging Face causal LM, or a small one made here."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from guerdon.errors import EnvironmentFault, PolicyError
from guerdon.policies.context import Context, LastState
from guerdon.policies.prefix import PrefixCache, Read, Tokens
from guerdon.policies.score import reach
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
        # Contexts are kept and read on from, so a model that forgets is given no more than it sees at once.
        room = min(room, reach(self.model) or room)
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
    unread: dict[int, Tokens] = field(default_factory=dict)
    sequence: dict[int, int] = field(default_factory=dict)
    length: dict[int, int] = field(default_factory=dict)

    def act(
        self, slots: Sequence[int], observations: Sequence[str], generator: torch.Generator
    ) -> list[Act | EnvironmentFault]:
        """One action for each slot, after its observation; a fault where that is too long to be read."""
        most, out = self.policy.most, {}
        new: dict[int, Tokens] = {}
        for slot, observation in zip(slots, observations, strict=True):
            try:
                new[slot] = self._next(slot, observation, most)
            except PolicyError as error:
                out[slot] = EnvironmentFault(str(error))
        if new:
            # What was sampled last turn is read again with the observation: a few tokens, and one pass instead of two.
            feed = [self.unread[slot] + tokens for slot, tokens in new.items()]
            reads = self.policy.cache.read([self.read.get(slot) for slot in new], feed)
            said, scores = self.policy.cache.sample(reads, self.policy.format.ends, most, generator)
            for (slot, tokens), read, words, score in zip(new.items(), reads, said, scores, strict=True):
                self.read[slot], self.unread[slot] = read, ()
                text = self.policy.format.text(tuple(words))
                out[slot] = self._did(slot, text, tokens, tuple(words), tuple(score))
        return [out[slot] for slot in slots]

    def follow(self, slot: int, observation: str, action: str) -> Act:
        """The same record for an action that somebody else chose; its log-probabilities are zero."""
        words = self.policy.format.say(action)
        tokens = self._next(slot, observation, max(self.policy.most, len(words)))
        self.unread[slot] += tokens
        return self._did(slot, action, tokens, words, (0.0,) * len(words))

    def _did(self, slot: int, text: str, tokens: Tokens, words: Tokens, scores: tuple[float, ...]) -> Act:
        """Writes an action down: it is done, and still to be read."""
        self.done.setdefault(slot, []).append(text)
        self.unread[slot] += words
        self.length[slot] += len(tokens) + len(words)
        return Act(text, (*tokens, *words), scores, self.sequence[slot])

    def _next(self, slot: int, observation: str, most: int) -> Tokens:
        """The tokens of an observation; where they begin a new model input, what was read before is let go."""
        turn = self.policy.context.turn(observation, self.done.get(slot, []))
        begins = not turn.carry or slot not in self.sequence
        tokens = self.policy.format.read(turn.text, begins)
        room = self.policy.longest - most
        if not begins and self.length[slot] + len(tokens) > room:
            begins, tokens = True, self.policy.format.read(turn.text, True)
        if len(tokens) > room:
            raise PolicyError(
                f"LanguagePolicy: an observation has {len(tokens)} tokens and the model reads {self.policy.longest}, "
                f"less {most} for the action; shorter observations or a longer model are needed; "
                "shorten the observation or lower most="
            )
        if begins:
            self.sequence[slot] = self.sequence.get(slot, -1) + 1
            self.unread[slot], self.length[slot] = (), 0
            self.read.pop(slot, None)
        return tokens


def small(
    words: Iterable[str],
    *,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    longest: int = 1024,
    seed: int = 0,
    **kw: Any,
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
        # The usual 0.02 is made for wide models; with it a narrow one learns several times slower.
        initializer_range=0.8 / width**0.5,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return LanguagePolicy(model, tokenizer, **kw)


def load(path: str | Path, *, dtype: torch.dtype | None = None, device: str | None = None, **kw: Any) -> LanguagePolicy:
    """A causal LM from a local folder or a hub name.

    Raises:
        PolicyError: there is no model that transformers can load, weights are missing from it, or it reads
            ahead as an encoder does; the sentence says which.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path, folder = str(path), Path(path)
    if folder.is_file():
        raise PolicyError(
            f"load: {path!r} is a file; a folder written by save_pretrained, or a hub name, is needed; "
            "give the folder that holds it"
        )
    if os.sep in path and path.count("/") != 1 and not folder.exists():
        raise PolicyError(
            f"load: there is no folder {path!r}; a Hugging Face model is needed; check the path, or give a hub name"
        )
    if folder.is_dir() and not (folder / "config.json").exists():
        raise PolicyError(
            f"load: {path!r} has no config.json, so it is not a Hugging Face model; a folder written by "
            "save_pretrained (config.json, weights, tokenizer) is needed; check the path"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model, told = AutoModelForCausalLM.from_pretrained(path, dtype=dtype or torch.float32, output_loading_info=True)
    except (
        OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, ImportError, EOFError,
        pickle.UnpicklingError, SafetensorError, StrictDataclassError,
    ) as error:  # fmt: skip
        said = " ".join(str(error).split()) or type(error).__name__
        raise PolicyError(
            f"load: {path!r} cannot be loaded as a causal language model ({said[:160]}); a local folder written by "
            "save_pretrained or a reachable hub name is needed; check the path or the name"
        ) from error
    if lacking := sorted(told["missing_keys"]):
        raise PolicyError(
            f"load: {path!r} has no weights for {lacking[0]} and {len(lacking) - 1} others, which would be random; "
            "a whole causal language model is needed; save it again, or mend its config.json"
        )
    if _reads_ahead(model):
        raise PolicyError(
            f"load: {path!r} is a {type(model).__name__}, in which a token sees those after it; "
            "a causal language model is needed; give a decoder such as Llama, Qwen or GPT-2"
        )
    return LanguagePolicy(model.to(device) if device else model, tokenizer, **kw)


@torch.no_grad()
def _reads_ahead(model: Any) -> bool:
    """True if later tokens change what the model says of the first: transformers loads such encoders too."""
    ids = torch.tensor([[0] * 8, [0] + [1] * 7])
    one, other = model.eval()(ids, use_cache=False).logits[:, 0]
    return float((one - other).abs().max()) > 8 * torch.finfo(one.dtype).eps * float(one.abs().max())
