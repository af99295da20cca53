"""Format and length: tags in their order, each once, and lengths inside a band."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from guerdon.errors import ShapeError
from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.words import LIMIT, words
from guerdon.records import Verdict


def tags_in_order(text: str, tags: tuple[str, ...]) -> list[bool]:
    """For each tag whether it is opened once, closed once after that, holds something, and lies after the one before.

    "The one before" is the last earlier tag that was right, so that one bad tag does not spoil all after it. Linear.

    Example:
        >>> tags_in_order("<think>a</think><answer>b</answer>", ("think", "answer"))
        [True, True]
        >>> tags_in_order("<think><answer>b</answer></think>", ("think", "answer"))
        [True, False]
    """
    out, free = [], 0
    for tag in tags:
        start, end = f"<{tag}>", f"</{tag}>"
        opened, closed = text.find(start), text.find(end)
        once = text.count(start) == 1 and text.count(end) == 1
        right = once and free <= opened and opened + len(start) < closed
        right = right and bool(text[opened + len(start) : closed].strip())
        out.append(right)
        free = closed + len(end) if right else free
    return out


@dataclass(frozen=True)
class Tags:
    """The grader of `tags_band`: see there."""

    tags: tuple[str, ...]
    forbidden: tuple[str, ...] = ()
    alone: bool = False

    def __post_init__(self) -> None:
        if not self.tags or len({*self.tags, *self.forbidden}) < len(self.tags) + len(self.forbidden):
            raise ShapeError(
                f"Tags: tags={self.tags}, forbidden={self.forbidden}; at least one tag, and each name once; "
                "give the names without brackets"
            )

    def __call__(self, said: str) -> Verdict:
        """The share of tags that are right."""
        if len(said) > LIMIT:
            return Verdict.score(0.0, why=f"longer than {LIMIT} characters", whole=0.0)
        for tag in self.forbidden:
            if f"<{tag}>" in said or f"</{tag}>" in said:
                return Verdict.score(0.0, why=f"<{tag}> is not the policy's to write", whole=0.0)
        right = tags_in_order(said, self.tags)
        share = sum(right) / len(right)
        outside = self._outside(said) if self.alone and all(right) else ""
        if outside:
            return Verdict.score(0.0, why="text outside the tags", whole=0.0)
        return Verdict.score(share, whole=float(all(right)))

    def _outside(self, said: str) -> str:
        """What stands before, between and after the tags, which are all right."""
        parts, at = [], 0
        for tag in self.tags:
            parts.append(said[at : said.find(f"<{tag}>")])
            at = said.find(f"</{tag}>") + len(tag) + 3
        return "".join([*parts, said[at:]]).strip()


def tags_band(
    name: str, *tags: str, forbidden: tuple[str, ...] = (), alone: bool = False, action: str = "action"
) -> Grading:
    """An observer at step level: the share of the tags that are opened once, closed once, in order, and not empty.

    1 is a whole form. What a partial one is worth is a Term's affair: `tiers` gives UniDoc-RL's 1 | 0.5 | 0 and
    Router-R1's -1. The fact `whole` is 1 or 0.

    Args:
        tags: in the order in which they must come.
        forbidden: tags that only the environment writes (`information`): one of them in an action, opened or
            closed, is an invented observation and scores 0, as in Veri-R1.
        alone: anything but blanks outside the tags scores 0.

    Unscored: an action that was not recorded; a failed play.

    Example:
        >>> from guerdon.batch import Batch
        >>> said = ["<think>x</think><answer>y</answer>", "<think>x</think> y"]
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], action=said)
        >>> tags_band("form", "think", "answer").observe(batch)["form"].values
        array([1. , 0.5])
    """
    grade = Tags(tags, forbidden, alone)
    return Grading(name, grade, reads=(action,), level="step", cost="free", deadline=None)


def band(x: Real, low: Real, high: Real, slack: Real = 0.0) -> float:
    """1 inside [low, high], falling on a straight line to 0 at `slack` outside, in the unit of x.

    Example:
        >>> band(5, 4, 8), band(9, 4, 8, 2), band(10, 4, 8, 2), band(3, 4, 8)
        (1.0, 0.5, 0.0, 0.0)
    """
    away = max(low - x, x - high, 0.0)
    return float(away == 0.0) if slack == 0 else max(0.0, float(1.0 - away / slack))


def count_words(text: str) -> int:
    """How many words a text has, as `words` takes them.

    Example:
        >>> count_words("Two words.")
        2
    """
    return len(words(text))


@dataclass(frozen=True)
class LengthBand:
    """The grader of `length_band`: see there."""

    low: Real
    high: Real
    slack: Real = 0.0
    measure: Callable[[str], int] = count_words

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high or not self.slack >= 0:
            raise ShapeError(
                f"LengthBand: low={self.low}, high={self.high}, slack={self.slack}; 0 <= low <= high and slack >= 0; "
                "leave high at infinity where there is none"
            )

    def __call__(self, said: str) -> Verdict:
        """The band's value for one text."""
        if len(said) > LIMIT:
            return Verdict.score(float(self.high == math.inf), why=f"longer than {LIMIT} characters")
        length = self.measure(said)
        return Verdict.score(band(length, self.low, self.high, self.slack), length=length)


def length_band(
    name: str = "length",
    low: Real = 0,
    high: Real = math.inf,
    slack: Real = 0.0,
    measure: Callable[[str], int] = count_words,
    action: str = "action",
) -> Grading:
    """An observer: 1 where the last action's length is in [low, high], less within `slack` of it, else 0.

    Light-IF gives such partial credit to lengths within tolerance.

    Args:
        low, high, slack: in the unit of `measure`.
        measure: of a text its length: `count_words`, `len` for characters, or a tokenizer's count.

    An action above 200,000 characters is not measured: 0, or 1 where there is no upper bound. Unscored: an action
    that was not recorded, a failed play.

    Example:
        >>> from guerdon.batch import Batch
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["one two", "one"])
        >>> length_band(low=2, high=3, slack=2).observe(batch)["length"].values
        array([1. , 0.5])
    """
    return Grading(name, LengthBand(low, high, slack, measure), reads=(action,), cost="free", deadline=None)


@dataclass(frozen=True)
class RatioBand:
    """The grader of `length_ratio`: see there."""

    low: Real = 0.9
    high: Real = 1.2
    slack: Real = 0.0
    measure: Callable[[str], int] = count_words

    def __call__(self, said: str, reference: Any) -> Verdict:
        """The band's value for the ratio of two lengths."""
        wanted = self.measure(reference) if isinstance(reference, str) and len(reference) <= LIMIT else 0
        if wanted == 0:
            return Verdict.unscored("the reference has no length, or is too long")
        if len(said) > LIMIT:
            return Verdict.score(0.0, why=f"longer than {LIMIT} characters")
        ratio = self.measure(said) / wanted
        return Verdict.score(band(ratio, self.low, self.high, self.slack), ratio=ratio)


def length_ratio(
    name: str = "length_ratio",
    low: Real = 0.9,
    high: Real = 1.2,
    slack: Real = 0.0,
    measure: Callable[[str], int] = count_words,
    reference: str = "reference",
    action: str = "action",
) -> Grading:
    """An observer: 1 where the last action is 0.9 to 1.2 times as long as the reference (RLVRR's band), else 0.

    Args:
        low, high, slack: multiples of the reference's length.

    Unscored: a reference without a length or above 200,000 characters; a failed play.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["a b", "a b c d"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["x y", "x y"]))
        >>> length_ratio().observe(batch)["length_ratio"].values
        array([1., 0.])
    """
    return Grading(name, RatioBand(low, high, slack, measure), reads=(action, reference), cost="free", deadline=None)
