"""Where in a play a text is put: how much of the action stays before it, and what is written in between.

The sampled tokens that stay are kept by id. What is added and the text itself are tokenised by themselves, so
no token ever spans the place where two parts meet: a text that wants a space before it brings it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Speech:
    """A policy's tokenizer and format, as far as slots and texts need them."""

    policy: Any

    def encode(self, text: str) -> Array:
        """The tokens of a text by itself, without special tokens."""
        return np.array(self.policy.tokenizer.encode(text, add_special_tokens=False), np.int64)

    def decode(self, ids: Array) -> str:
        """The text of tokens, every one of them."""
        return self.policy.tokenizer.decode(list(map(int, ids)), clean_up_tokenization_spaces=False)

    @cached_property
    def ends(self) -> Array:
        """The tokens that end an action."""
        return np.array(sorted(self.policy.format.ends), np.int64)

    @cached_property
    def end(self) -> Array:
        """The token that the format itself puts at the end of an action."""
        return np.array(self.policy.format.say("")[-1:], np.int64)

    @cached_property
    def opening(self) -> Array:
        """What stands before an action where nothing was asked."""
        return np.array(self.policy.format.read("", True), np.int64)

    @cached_property
    def heading(self) -> Array:
        """What stands between the end of an action and the words that answer it."""
        bare, some = (self.policy.format.read(text, False) for text in ("", "a"))
        same = 0
        while same < min(len(bare), len(some)) and bare[same] == some[same]:
            same += 1
        return np.array(some[:same] if same < len(some) else (), np.int64)


@dataclass(frozen=True, eq=False)
class Cut:
    """A place in an action.

    Attributes:
        kept: how many of its tokens stay.
        chain: how many of these are reasoning; the others open the place itself, as "<answer>" does.
        added: token ids written after them.
        own: where the action's own words at that place begin and end.
        found: whether the action had that place itself.
    """

    kept: int
    chain: int
    added: Array
    own: tuple[int, int]
    found: bool = True


@runtime_checkable
class Slot(Protocol):
    """Where in an action a text is put."""

    def cut(self, said: Array, speech: Speech) -> Cut:
        """The place in an action; an empty one where there was no reasoning."""
        ...


def _spoken(said: Array, speech: Speech) -> int:
    """How many tokens an action has without what ends it."""
    n = len(said)
    while n and said[n - 1] in speech.ends:
        n -= 1
    return n


@dataclass(frozen=True)
class AtEnd:
    """After the whole action, less what ended it, and after `probe` where one is given.

    Attributes:
        probe: words that ask for the answer, such as "\\nThe answer is ".

    Example:
        >>> from guerdon.policies import small
        >>> policy = small(["a", "b"], width=8, heads=2)
        >>> cut = AtEnd("b").cut(np.array(policy.format.say("a")), Speech(policy))
        >>> cut.kept, policy.tokenizer.decode(cut.added)
        (1, 'b')
    """

    probe: str = ""

    def cut(self, said: Array, speech: Speech) -> Cut:
        """Its own words are the whole action."""
        n = _spoken(said, speech)
        return Cut(n, n, speech.encode(self.probe), (0, n))


@dataclass(frozen=True)
class AfterMark:
    """After the last `mark` of the action, in place of what was said there (RLPR, VeriFree).

    An action without the mark gets it at its end: what is asked then is what it would have answered. Where the
    mark ends inside a token, that token goes, and the rest of the mark is tokenised by itself.

    Attributes:
        mark: such as "<answer>".
        close: what ends the action's own answer; without it, all that follows.

    Example:
        >>> from guerdon.policies import small
        >>> policy = small(["so", "=", "1", "2"], width=8, heads=2)
        >>> cut = AfterMark("=").cut(np.array(policy.format.say("so = 1")), Speech(policy))
        >>> cut.kept, cut.own, cut.found
        (2, (2, 3), True)
    """

    mark: str
    close: str = ""

    def cut(self, said: Array, speech: Speech) -> Cut:
        """Its own words are those between the mark and `close`, by whole tokens and without blanks at their end."""
        n = _spoken(said, speech)
        text = speech.decode(said[:n])
        at = text.rfind(self.mark)
        if at < 0:
            return Cut(n, n, speech.encode(self.mark), (n, n), found=False)
        stop = at + len(self.mark)
        kept = _tokens_within(said[:n], stop, speech)
        rest = text[len(speech.decode(said[:kept])) : stop]
        close = text.find(self.close, stop) if self.close else -1
        own, end = text[: close if close >= 0 else len(text)].rstrip(), kept
        if own[stop:].strip():
            end = _tokens_within(said[:n], len(own), speech)
            while not speech.decode(said[:end]).startswith(own):  # a token that holds the last of them and of `close`
                end += 1
        chain = _tokens_within(said[:n], len(text[:at].rstrip()), speech)
        return Cut(kept, chain, speech.encode(rest) if rest else np.zeros(0, np.int64), (kept, end))


@dataclass(frozen=True)
class NextTurn:
    """After the action and its end, where the other side's words begin (follow-ups: FLR)."""

    def cut(self, said: Array, speech: Speech) -> Cut:
        """The whole action stays; it is ended where it was cut off."""
        n = _spoken(said, speech)
        return Cut(n, n, np.concatenate((speech.end, speech.heading)), (0, n))


AT_END = AtEnd()
NEXT_TURN = NextTurn()


def _tokens_within(said: Array, chars: int, speech: Speech) -> int:
    """How many tokens have their text within the first `chars` characters."""
    low, high, whole = 0, len(said), speech.decode(said)
    while low < high:
        middle = (low + high + 1) // 2
        if len(speech.decode(said[:middle])) <= chars:
            low = middle
        else:
            high = middle - 1
    while low and not whole.startswith(speech.decode(said[:low])):  # in the middle of a character
        low -= 1
    return low
