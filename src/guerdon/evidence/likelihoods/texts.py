"""The texts whose likelihood is asked for, and the contexts of which a likelihood can be a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from guerdon.evidence.likelihoods.aggregate import diversity_bonus
from guerdon.evidence.likelihoods.history import Turn
from guerdon.evidence.likelihoods.slots import Cut, Speech

Array = np.ndarray
NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Put:
    """A text at its place in a play.

    Attributes:
        turn: the turn that it is put in.
        first: the play's first turn.
        kept: how many tokens of the action stay before it.
        chain: how many of these are reasoning.
        added: token ids between them and the text.
        bare: token ids added where there is no reasoning.
        text: the text's own token ids.
        speech: the tokenizer and format.
    """

    turn: Turn
    first: Turn
    kept: int
    chain: int
    added: Array
    bare: Array
    text: Array
    speech: Speech

    @property
    def context(self) -> Array:
        """All that is read before the text."""
        return np.concatenate((self.turn.read, self.turn.said[: self.kept], self.added))


@runtime_checkable
class Text(Protocol):
    """Texts that are put into a play, and how their numbers become one.

    Attributes:
        reads: columns, at trajectory level or coarser; one that is missing leaves the play unscored.
    """

    reads: tuple[str, ...]

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """Per text how many tokens of the action stay, what is added after them, and the text's tokens."""
        ...

    def combined(self, values: Array) -> float:
        """One number of those of the texts."""
        ...

    def range(self, low: float, high: float) -> tuple[float, float]:
        """The range of the number, where each text's is in [low, high]."""
        ...


def written(value: object, speech: Speech, lead: str = "", close: str = "") -> Array:
    """The tokens of a text of a task between `lead` and `close`; none where it is blank, whatever stands around it."""
    return speech.encode(f"{lead}{value}{close}") if str(value).strip() else NOTHING


@dataclass(frozen=True)
class Reference:
    """The reference answer: one text. A list of answers is scored as the JSON that it is written in.

    Attributes:
        column: where it stands.
        lead: written before it and scored with it: a space, for tokenizers whose words begin with one.
        close: written after it and scored with it, such as "</answer>".
    """

    column: str = "reference"
    lead: str = ""
    close: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Its column."""
        return (self.column,)

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """One text."""
        return [(cut.kept, cut.added, written(values[0], speech, self.lead, self.close))]

    def combined(self, values: Array) -> float:
        """Its number."""
        return float(values[0])

    def range(self, low: float, high: float) -> tuple[float, float]:
        """As it is."""
        return low, high


@dataclass(frozen=True)
class Own:
    """The play's own words at the place, by the very tokens that were sampled."""

    reads: tuple[str, ...] = ()

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """One text, with what was sampled before it."""
        begin, end = cut.own
        return [(begin, NOTHING, said[begin:end])]

    def combined(self, values: Array) -> float:
        """Its number."""
        return float(values[0])

    def range(self, low: float, high: float) -> tuple[float, float]:
        """As it is."""
        return low, high


@dataclass(frozen=True)
class BesideOwn:
    """The reference, and a little for an own answer that is less likely: `diversity_bonus` of the two (DARL).

    An action without an answer of its own gets no bonus.

    Attributes:
        reference: what is wanted.
        alpha, beta, gamma: not negative, the last one above 0.
    """

    reference: Reference = field(default_factory=Reference)
    alpha: Real = 1.0
    beta: Real = 0.01
    gamma: Real = 8.0

    @property
    def reads(self) -> tuple[str, ...]:
        """The reference's column."""
        return self.reference.reads

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """The reference and then what was said, where anything was."""
        own = Own().ids(values, cut, said, speech)
        return self.reference.ids(values, cut, said, speech) + [one for one in own if len(one[2])]

    def combined(self, values: Array) -> float:
        """The reward of the reference's likelihood and the own one's."""
        return float(diversity_bonus(values[:1], values[-1:], self.alpha, self.beta, self.gamma)[0])

    def range(self, low: float, high: float) -> tuple[float, float]:
        """Up to a reference as likely as can be, and the bonus at its gate."""
        return self.alpha * low, self.alpha * high + self.beta * max(high, 0.0) / self.gamma


@dataclass(frozen=True)
class FollowUps:
    """What somebody might answer: mean over the welcome ones less mean over the unwelcome ones (FLR).

    Attributes:
        good, bad: at least one text in all.
        lead: written before each and scored with it.
    """

    good: tuple[str, ...]
    bad: tuple[str, ...] = ()
    lead: str = ""
    reads: tuple[str, ...] = ()

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """All of them at one place, so that the play before it is read once."""
        return [(cut.kept, cut.added, speech.encode(self.lead + text)) for text in (*self.good, *self.bad)]

    def combined(self, values: Array) -> float:
        """Mean of the good less mean of the bad; a side without texts counts 0."""
        good, bad = values[: len(self.good)], values[len(self.good) :]
        return float((good.mean() if len(good) else 0.0) - (bad.mean() if len(bad) else 0.0))

    def range(self, low: float, high: float) -> tuple[float, float]:
        """From the lowest good and the highest bad to the reverse."""
        return (low if self.good else 0.0) - (high if self.bad else 0.0), (high if self.good else 0.0) - (
            low if self.bad else 0.0
        )


@dataclass(frozen=True)
class Rests:
    """The rests of a reference solution: from each of its `parts` equal pieces to its end; the best one counts (P2S).

    Attributes:
        column: where the solution stands.
        parts: into how many pieces of tokens it is cut, as equal as can be.
        lead: written before the solution and scored with it.
    """

    column: str = "task_gold_chain"
    parts: int = 5
    lead: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Its column."""
        return (self.column,)

    def ids(self, values: tuple, cut: Cut, said: Array, speech: Speech) -> list[tuple[int, Array, Array]]:
        """As many texts as there are pieces; fewer where the solution has fewer tokens."""
        whole = written(values[0], speech, self.lead)
        begins = np.unique(np.linspace(0, len(whole), self.parts, endpoint=False).astype(int)) if len(whole) else [0]
        return [(cut.kept, cut.added, whole[b:]) for b in begins]

    def combined(self, values: Array) -> float:
        """The largest."""
        return float(values.max())

    def range(self, low: float, high: float) -> tuple[float, float]:
        """As it is."""
        return low, high


@runtime_checkable
class Baseline(Protocol):
    """What a likelihood is compared with: the same text in another context, or under another model.

    Attributes:
        policy: the model asked, with the same tokenizer; None for the one asked about the text itself. It is left out
            of `repr`, which is part of an observer's version, as the weights are.
    """

    policy: Any

    def context(self, put: Put) -> Array:
        """The token ids before the text."""
        ...


@dataclass(frozen=True)
class NoChain:
    """The text at its place with no reasoning at all: after what was read before the first action (RLPR, RLP).

    Attributes:
        policy: an initial or a slowly moving copy, where the paper asks that one.
    """

    policy: Any = field(default=None, repr=False)

    def context(self, put: Put) -> Array:
        """The first observation and the slot's own words."""
        return np.concatenate((put.first.read, put.bare))


@dataclass(frozen=True)
class MaskedChain:
    """Every token of reasoning replaced by one and the same (DRO's masked chain, P2S's masked prefix).

    Of the last action the tokens before the slot's mark; of earlier ones all.

    Attributes:
        token: the text of that token; None takes the tokenizer's mask, unknown or padding token.
        policy: the model asked; None for the one asked about the text.
    """

    token: str | None = None
    policy: Any = field(default=None, repr=False)

    def context(self, put: Put) -> Array:
        """As long as the play's own."""
        tokenizer = put.speech.policy.tokenizer
        if self.token is not None:
            mask = int(put.speech.encode(self.token)[0])
        else:
            known = (tokenizer.mask_token_id, tokenizer.unk_token_id, put.speech.policy.format.pad)
            mask = next(i for i in known if i is not None)
        opening = put.turn.said[put.chain : put.kept]
        return np.concatenate(
            (np.where(put.turn.wrote, mask, put.turn.read), np.full(put.chain, mask), opening, put.added)
        )


@dataclass(frozen=True)
class NoPrompt:
    """The action without what was asked (SAR): only what stands before an action where nothing was read."""

    policy: Any = field(default=None, repr=False)

    def context(self, put: Put) -> Array:
        """The format's opening, and the action up to the text."""
        return np.concatenate((put.speech.opening, put.turn.said[: put.kept], put.added))


@dataclass(frozen=True)
class Under:
    """The same context under another model with the same tokenizer: an initial, a reference or an averaged one."""

    policy: Any = field(repr=False)

    def context(self, put: Put) -> Array:
        """The text's own."""
        return put.context


REFERENCE = Reference()
RESTS = Rests()
MASKED = MaskedChain()


def places(text: Text, values: tuple, turn: Turn, first: Turn, cut: Cut, bare: Array, speech: Speech) -> Sequence[Put]:
    """The texts of one item, each at its place."""
    return [
        Put(turn, first, kept, min(kept, cut.chain), added, bare, ids, speech)
        for kept, added, ids in text.ids(values, cut, turn.said, speech)
    ]
