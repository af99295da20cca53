"""A rubric: criteria with weights, some that everything hangs on, some that hang on others, some that a program checks.

    score = clip((sum of gain * weight * z) / (sum of base * weight), 0, 1),   floor where an essential one is not met

z is the level at which a criterion is met, 0 where one that it needs is not met in full. Gain and base
are 1 and 1 for a criterion that counts or is essential, 1 and 0 for a bonus, -1 and 0 for a pitfall.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from numbers import Real
from typing import Any

from guerdon.errors import RecordError
from guerdon.evidence.judges.fence import Malformed, prompt, read, rows, words
from guerdon.evidence.judges.votes import Ask, Poll, Votes, poll
from guerdon.records import Verdict

Check = Callable[..., float]


@dataclass(frozen=True)
class Kind:
    """How a criterion enters the score.

    Attributes:
        gain: what its weight is counted with where it is met.
        base: what its weight is counted with in the divisor.
        gate: without it met in full, the score is the floor.
    """

    gain: float
    base: float
    gate: bool = False


COUNTS, ESSENTIAL, BONUS, PITFALL = Kind(1.0, 1.0), Kind(1.0, 1.0, True), Kind(1.0, 0.0), Kind(-1.0, 0.0)
KINDS: Mapping[str, Kind] = {"counts": COUNTS, "essential": ESSENTIAL, "bonus": BONUS, "pitfall": PITFALL}


@dataclass(frozen=True)
class Criterion:
    """One line of a rubric.

    Attributes:
        id: its name, which other criteria and the judge use.
        text: what has to hold. Of a pitfall: what must not.
        weight: above 0.
        kind: `COUNTS`, `ESSENTIAL`, `BONUS` or `PITFALL`.
        needs: criteria that must be met in full before this one counts.
        levels: the degrees that the judge may give, from 0 to 1: `(0, 1)`, or `(0, 0.5, 1)` with a half.
        check: a program in place of the judge: from the candidate's text to a number from 0 to 1. It
            has to be quick; what runs code or may hang belongs into a `Grading` of its own.
        arguments: what `check` is given after the text.
        category: what it belongs to, such as "factual" or "process"; letters, digits and `_`. Each category has a score
            of its own as the fact CATEGORY_score.

    Example:
        >>> Criterion("units", "The result has its unit.", weight=2).kind == COUNTS
        True
    """

    id: str
    text: str
    weight: Real = 1.0
    kind: Kind = COUNTS
    needs: tuple[str, ...] = ()
    levels: tuple[Real, ...] = (0.0, 1.0)
    check: Check | None = None
    arguments: tuple = ()
    category: str = ""

    def __post_init__(self) -> None:
        fine = (
            isinstance(self.weight, int | float) and 0 < self.weight < math.inf and self.weight is not True and self.id
        )
        if not fine or not {0.0, 1.0} <= set(self.levels) or not all(0 <= level <= 1 for level in self.levels):
            raise RecordError(
                f"Criterion: {self.id!r} has weight {self.weight!r} and levels {self.levels}; an id, a weight above "
                "0 and levels from 0 to 1 with both ends are needed; make a criterion that takes away a PITFALL"
            )
        if self.category and not self.category.isidentifier():
            raise RecordError(
                f"Criterion: {self.id!r} is of the category {self.category!r}; letters, digits and _ are needed; "
                "choose another"
            )


def contains(text: str, *wanted: str) -> float:
    """1 where every wanted text is in the text, whatever the case.

    Example:
        >>> contains("The capital is Paris.", "paris"), contains("Rome", "paris")
        (1.0, 0.0)
    """
    return float(all(str(word).casefold() in text.casefold() for word in wanted))


def at_most_words(text: str, most: Real) -> float:
    """1 where the text has at most so many words.

    Example:
        >>> at_most_words("one two three", 2)
        0.0
    """
    return float(len(text.split()) <= most)


def at_least_words(text: str, least: Real) -> float:
    """1 where the text has at least so many words.

    Example:
        >>> at_least_words("one two three", 2)
        1.0
    """
    return float(len(text.split()) >= least)


CHECKS: Mapping[str, Check] = {
    "contains": contains, "at_most_words": at_most_words, "at_least_words": at_least_words,
}  # fmt: skip


KEYS = frozenset((
    "text", "criterion", "id", "weight", "kind", "needs", "levels", "category", "check", "arguments",
))  # fmt: skip


def rubric_of(value: Any, checks: Mapping[str, Check] = CHECKS) -> tuple[Criterion, ...]:
    """A rubric from a record: a list, or its JSON text, or an object with the list under `criteria`.

    An entry is a text, or an object: `text` (or `criterion`), `id`, `weight`, `kind` ("counts", "essential",
    "bonus", "pitfall"), `needs`, `levels`, `category`, `check` (one of `checks`) with `arguments`. Without an id
    it is c1, c2, ... by its place.

    Raises:
        RecordError: it is not that, an entry has another key or no text, ids come twice, a need is not there, or
            needs go round in a circle.

    Example:
        >>> [c.id for c in rubric_of('["It is short.", {"id": "true", "text": "It is true.", "kind": "essential"}]')]
        ['c1', 'true']
    """
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise RecordError("rubric_of: the rubric is text that is no JSON; give a list of criteria") from None
    entries = value.get("criteria") if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple) or not entries:
        raise RecordError("rubric_of: there is no list of criteria; at least one is needed; see docs/judges.md")
    return checked([_criterion(entry, i, checks) for i, entry in enumerate(entries, 1)])


def checked(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """The criteria, each after those that it needs; RecordError for ids that come twice, unknown needs, circles."""
    known = {criterion.id: criterion for criterion in criteria}
    if len(known) != len(criteria):
        raise RecordError("rubric: an id comes twice; each criterion needs its own; rename one")
    for criterion in criteria:
        if unknown := set(criterion.needs) - set(known):
            raise RecordError(
                f"rubric: {criterion.id!r} needs {sorted(unknown)}, which is not there; add it or leave it"
            )
    try:
        order = TopologicalSorter({c.id: c.needs for c in criteria}).static_order()
        return tuple(known[name] for name in order)
    except CycleError:
        raise RecordError("rubric: needs go round in a circle; a criterion cannot come after itself; cut it") from None


def rubric_score(
    criteria: Sequence[Criterion], levels: Mapping[str, Real | None], floor: Real = 0.0
) -> tuple[float | None, dict[str, float | None]]:
    """The score of a rubric from the level at which each criterion is met, and what each counted as.

    Without any criterion that counts, bonuses are the divisor; with pitfalls alone it is 1 less their share.

    Args:
        criteria: in an order in which needs come first, as `checked` leaves them.
        levels: by id; None where it is not known.

    Returns:
        The score and z by id. A score that hangs on an unknown level is None, unless an essential criterion
        is known not to be met.

    Example:
        >>> rubric = rubric_of([{"id": "right", "text": "It is right.", "kind": "essential"}, "It is clear."])
        >>> rubric_score(rubric, {"right": 1.0, "c2": 0.0})[0], rubric_score(rubric, {"right": 0.0, "c2": 1.0})[0]
        (0.5, 0.0)

    References:
        Reward and Guidance through Rubrics, 2025, arXiv:2511.12344 (weights: all criteria count). CM2: Reinforcement
        Learning with Checklist Rewards (dependences). ACE-RL (levels of 0, 0.5 and 1).
    """
    z: dict[str, float | None] = {}
    for criterion in criteria:
        level, before = levels[criterion.id], [z[name] for name in criterion.needs]
        if level == 0 or any(b is not None and b < 1 for b in before):
            z[criterion.id] = 0.0
        else:
            z[criterion.id] = None if level is None or None in before else float(level)
    if any(c.kind.gate and z[c.id] is not None and z[c.id] < 1 for c in criteria):
        return floor, z
    if None in z.values():
        return None, z
    return _weighed(criteria, z), z


def _weighed(criteria: Sequence[Criterion], z: Mapping[str, float]) -> float:
    total = sum(c.kind.gain * c.weight * z[c.id] for c in criteria)
    base = sum(c.kind.base * c.weight for c in criteria)
    if not base:
        base = sum(c.weight for c in criteria if c.kind.gain > 0)
    if not base:
        base = sum(c.weight for c in criteria)
        total += base
    return min(1.0, max(0.0, total / base))


def by_category(criteria: Sequence[Criterion], z: Mapping[str, float | None]) -> dict[str, float | None]:
    """The score of each category as if the rest of the rubric were not there, without gates; None where one is unknown.

    Args:
        z: what each criterion counted as, as `rubric_score` gives it.

    Example:
        >>> rubric = rubric_of([{"id": "a", "text": "It is true.", "category": "factual"}, "It is short."])
        >>> by_category(rubric, {"a": 0.5, "c2": 1.0})
        {'factual': 0.5}
    """
    out: dict[str, float | None] = {}
    for category in dict.fromkeys(c.category for c in criteria if c.category):
        own = [c for c in criteria if c.category == category]
        out[category] = None if any(z[c.id] is None for c in own) else _weighed(own, z)
    return out


@dataclass(frozen=True)
class Rubric:
    """All judged criteria in one call, the others by their programs; the score is `rubric_score`.

    Attributes:
        task: what is judged.
        criteria: the rubric of every item; None where each brings its own, in the material under `given`.
        given: the label of the rubric, which is then not shown as material.
        said: the label of the candidate's text, which the programs are given.
        votes: asked for all criteria together; put together criterion by criterion.
        floor: the score where an essential criterion is not met.
        checks: the programs that a rubric may name.

    The items of the verdict have a row per criterion: `criterion, kind, category, weight, level, counted, agreement,
    reason`. Facts: `met`, the share of criteria met in full; CATEGORY_score of each category that is named.

    Example:
        >>> Rubric("You judge reports.", rubric_of(["It names its sources."])).criteria[0].id
        'c1'
    """

    task: str
    criteria: tuple[Criterion, ...] | None = None
    given: str = "reference"
    said: str = "action"
    votes: Votes = field(default_factory=Votes)
    floor: Real = 0.0
    checks: Mapping[str, Check] = field(default_factory=lambda: CHECKS, hash=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.criteria is not None:
            object.__setattr__(self, "criteria", checked(self.criteria))

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The score, with a row of items per criterion."""
        criteria = self.criteria
        if criteria is None:
            try:
                criteria = rubric_of(material.get(self.given), self.checks)
            except RecordError as error:
                return Verdict.unscored(f"the rubric cannot be used: {error}")
            material = {label: value for label, value in material.items() if label != self.given}
        judged = [criterion for criterion in criteria if criterion.check is None]
        got = await self._ask(ask, material, judged) if judged else Poll()
        levels, items, causes = {}, {}, list(dict.fromkeys(got.causes))
        for criterion in criteria:
            level, seen, cause = self._level(criterion, got, material)
            levels[criterion.id], items[criterion.id] = level, seen
            causes += [cause] if cause and cause not in causes else []
        score, z = rubric_score(criteria, levels, self.floor)
        made = [{**items[c.id], "counted": z[c.id]} for c in criteria]
        facts = {f"{category}_score": value for category, value in by_category(criteria, z).items()}
        facts |= {"met": sum(v == 1 for v in levels.values()) / len(levels), **got.cost}
        if score is None:
            return Verdict.unscored("; ".join(causes) or "a criterion was not judged", made, **facts)
        return Verdict.score(score, self.low, self.high, made, **facts)

    async def _ask(self, ask: Ask, material: Mapping[str, Any], judged: Sequence[Criterion]) -> Poll:
        lines = [f"- {c.id}: {c.text} (level {_either(c.levels)})" for c in judged]
        answer = '[{"id": "as above", "reason": "one sentence", "level": "as above"}, and so on for every criterion]'
        question = prompt(
            self.task, material,
            "Say of each criterion at which level it holds: 1 in full, 0 not at all.\n" + "\n".join(lines),
            {"items": answer},
        )  # fmt: skip
        row = {"id": one_of_exactly([c.id for c in judged]), "reason": words, "level": lambda value: value}
        fields = {"items": rows(row, "id", [c.id for c in judged])}

        def reads(reply: Any) -> dict:
            got = read(reply.text, question.code, fields)["items"]
            for c in judged:
                got[c.id]["level"] = _one_level(c, got[c.id]["level"])
            return got

        return await poll(ask, question, self.votes, reads)

    def _level(self, criterion: Criterion, got: Poll, material: Mapping) -> tuple[float | None, dict, str]:
        kind = next((name for name, kind in KINDS.items() if kind == criterion.kind), "")
        seen: dict[str, Any] = {"criterion": criterion.id, "kind": kind, "category": criterion.category}
        seen["weight"] = float(criterion.weight)
        cause, level, reason, agreement = "", None, "", None
        if criterion.check is not None:
            try:
                level, agreement = float(criterion.check(str(material[self.said]), *criterion.arguments)), 1.0
            except Exception as error:  # a check is somebody else's program
                cause = f"the check of {criterion.id!r} failed: {type(error).__name__}: {error}"
            if level is not None and not 0 <= level <= 1:
                cause, level = f"the check of {criterion.id!r} gave {level:g}; 0 to 1 is needed", None
        else:
            votes = [vote[criterion.id]["level"] for vote in got.votes]
            if len(votes) >= max(self.votes.enough, 1):
                level = self.votes.say(votes)
                cause = f"the votes on {criterion.id!r} do not agree" if level is None else ""
                agreement = votes.count(max(set(votes), key=votes.count)) / len(votes)
            reason = got.votes[0][criterion.id]["reason"] if got.votes else ""
        return level, {**seen, "level": level, "agreement": agreement, "reason": reason}, cause


def one_of_exactly(names: Sequence[str]) -> Callable[[Any], str]:
    """Reads one of the names as it is written."""

    def check(value: Any) -> str:
        if value not in names or not isinstance(value, str):
            raise Malformed(f"one of {', '.join(names)} is asked for")
        return value

    return check


def _one_level(criterion: Criterion, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in criterion.levels:
        raise Malformed(
            f"the level of {criterion.id!r} in the judge's answer is {value!r}; {_either(criterion.levels)}"
        )
    return float(value)


def _either(levels: Sequence[float]) -> str:
    return " or ".join(f"{level:g}" for level in levels)


def _criterion(entry: Any, place: int, checks: Mapping[str, Check]) -> Criterion:
    entry = {"text": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, Mapping):
        raise RecordError(
            f"rubric_of: criterion {place} is {entry!r}; a text or an object is needed; see docs/judges.md"
        )
    text = str(entry.get("text", entry.get("criterion", "")))
    if unknown := sorted(set(map(str, entry)) - KEYS):
        raise RecordError(
            f"rubric_of: criterion {place} has the key {', '.join(map(repr, unknown))}; known are "
            f"{', '.join(sorted(KEYS))}; rename it, or leave it out"
        )
    if not text.strip() and entry.get("check") is None:  # a program asks nobody
        raise RecordError(
            f"rubric_of: criterion {place} has no text; a judge has to be told what must hold; write it under text"
        )
    kind, check = entry.get("kind", "counts"), entry.get("check")
    if not isinstance(kind, str) or kind not in KINDS or not (check is None or str(check) in checks):
        raise RecordError(
            f"rubric_of: criterion {place} has kind {kind!r} and check {check!r}; kinds are {', '.join(KINDS)} and "
            f"checks are {', '.join(checks) or 'none'}; correct it, or give Rubric more checks"
        )
    try:
        return Criterion(
            str(entry.get("id", f"c{place}")), text,
            entry.get("weight", 1.0), KINDS[kind], tuple(entry.get("needs", ())),
            tuple(float(level) for level in entry.get("levels", (0.0, 1.0))),
            None if check is None else checks[check], tuple(entry.get("arguments", ())), str(entry.get("category", "")),
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise RecordError(f"rubric_of: criterion {place} is not well formed: {error}; see docs/judges.md") from None
