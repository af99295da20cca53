"""Text to tokens and back, at the one place where that happens.

A `Format` says how an observation becomes the tokens that the model newly reads, and
where an action ends. Actions are never tokenised for training: what was sampled is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from guerdon.errors import PolicyError

PAD, UNKNOWN, SAY, END = "<pad>", "<unk>", "<say>", "<end>"


@runtime_checkable
class Format(Protocol):
    """How text becomes tokens.

    Attributes:
        ends: the token ids that end an action.
        pad: the id that fills rows up; never read.
    """

    ends: frozenset[int]
    pad: int

    def read(self, observation: str, opening: bool) -> tuple[int, ...]:
        """The tokens read for an observation, up to where the action begins."""
        ...

    def text(self, action: Sequence[int]) -> str:
        """The text of an action, without what ends it."""
        ...

    def say(self, action: str) -> tuple[int, ...]:
        """The tokens of an action that somebody else wrote, its end included."""
        ...


class _Memo:
    """Remembers what a tokenizer answered; environments repeat themselves."""

    def __init__(self, answer: Any, most: int = 200_000) -> None:
        self.answer, self.most, self.known = answer, most, {}

    def __call__(self, *question: Any) -> Any:
        try:
            return self.known[question]
        except KeyError:
            if len(self.known) >= self.most:
                self.known.clear()
            out = self.known[question] = self.answer(*question)
            return out


class PlainFormat:
    """Observation, a marker, the action, an end. For models without a chat template."""

    def __init__(self, tokenizer: Any, say: str = SAY, end: str = END) -> None:
        self.tokenizer = tokenizer
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._say = tuple(tokenizer.encode(say, add_special_tokens=False))
        self._end = tuple(tokenizer.encode(end, add_special_tokens=False))
        if len(self._end) != 1:
            raise PolicyError(
                f"PlainFormat: {end!r} is {len(self._end)} tokens for this tokenizer; an action must end with one; "
                "give another end="
            )
        eos = tokenizer.eos_token_id
        self.ends = frozenset(self._end + (() if eos is None else (eos,)))
        self._encode = _Memo(lambda text: tuple(tokenizer.encode(text, add_special_tokens=False)))
        self.text = _Memo(self._text)

    def read(self, observation: str, opening: bool) -> tuple[int, ...]:
        """The observation's tokens and the marker; the same for a first and a later turn."""
        return self._encode(observation) + self._say

    def say(self, action: str) -> tuple[int, ...]:
        """The action's tokens and the end."""
        return self._encode(action) + self._end

    def _text(self, action: tuple[int, ...]) -> str:
        kept = [t for t in action if t not in self.ends]
        return self.tokenizer.decode(kept, skip_special_tokens=False).strip()


class ChatFormat:
    """Observations as user messages and actions as the assistant's, by the model's own chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        if tokenizer.eos_token_id is None:
            raise PolicyError(
                "ChatFormat: the tokenizer has no eos token; an action must end with one; set tokenizer.eos_token"
            )
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.ends = frozenset((tokenizer.eos_token_id,))
        self.read = _Memo(self._read)
        self.text = _Memo(self._text)

    def _read(self, observation: str, opening: bool) -> tuple[int, ...]:
        user = {"role": "user", "content": observation}
        if opening:
            text = self.tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        else:
            # What the template writes between the assistant's words and the next generation prompt, less the
            # end token that the model has already sampled.
            mark = "\u241e"
            turns = [{"role": "user", "content": "-"}, {"role": "assistant", "content": mark}, user]
            text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            text = text.split(mark, 1)[1].removeprefix(self.tokenizer.eos_token)
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def say(self, action: str) -> tuple[int, ...]:
        """The action's tokens and the end-of-turn token."""
        return (*self.tokenizer.encode(action, add_special_tokens=False), self.tokenizer.eos_token_id)

    def _text(self, action: tuple[int, ...]) -> str:
        return self.tokenizer.decode([t for t in action if t not in self.ends], skip_special_tokens=True).strip()


def word_tokenizer(words: Iterable[str]) -> Any:
    """A Hugging Face tokenizer with one token per word, split on spaces.

    Unknown words become `<unk>`. Saved beside a model, it loads with AutoTokenizer.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = (PAD, UNKNOWN, SAY, END)
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys((*special, *sorted(set(words)))))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=PAD, unk_token=UNKNOWN, eos_token=END)
    tokenizer.add_special_tokens({"additional_special_tokens": [SAY]})
    return tokenizer


def format_of(tokenizer: Any) -> Format:
    """The format that fits a tokenizer: its chat template, else our markers, else a line and its end."""
    if getattr(tokenizer, "chat_template", None):
        return ChatFormat(tokenizer)
    known = tokenizer.get_vocab()
    if SAY in known and END in known:
        return PlainFormat(tokenizer)
    return PlainFormat(tokenizer, say="\n>", end="\n")
