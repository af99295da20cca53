"""Did the play make the calls that were wanted? Of a whole play, with what each turn's calls are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch, Column, Level
from guerdon.evidence.grading import with_verdicts
from guerdon.evidence.observer import Cost
from guerdon.evidence.plain import json_of, plays
from guerdon.evidence.texts.words import shown
from guerdon.evidence.tools.assign import Matcher, greedy, in_sequence
from guerdon.evidence.tools.calls import Call, Parsed, Parser, any_calls, calls_of
from guerdon.evidence.tools.similar import Similarity, equal_calls, graded_calls, similarities
from guerdon.records import Verdict

CELLS = 50_000
"""Pairs of a call made and a call wanted: a play that makes more is given 0 unread."""


def wanted_calls(reference: Any) -> tuple[Call, ...] | None:
    """The calls of a reference, parsed, as JSON text, or in any form of `any_calls`; None where it has none.

    An empty list wants no call at all.

    Example:
        >>> wanted_calls("look()"), wanted_calls("[]"), wanted_calls("forty-two")
        ((Call(name='look', arguments={}),), (), None)
    """
    given = json_of(reference)
    if isinstance(given, dict | list):
        parsed = calls_of(given)
    elif isinstance(reference, str):
        parsed = any_calls(reference)
        if not parsed.calls:
            return None
    else:
        return None
    return None if parsed.broken else parsed.calls


@dataclass(frozen=True)
class CallMatch:
    """The observer of `call_match` and `exact_calls`: see there.

    Attributes:
        unmatched: what a call is worth to its turn that stands for nothing, or is broken.
    """

    name: str
    similarity: Similarity = graded_calls
    match: Matcher = greedy
    parse: Parser = any_calls
    unmatched: float = 0.0
    action: str = "action"
    reference: str = "reference"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "trajectory"
    cost: Cost = "seconds"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME and its facts for each play, NAME/turn for each step, NAME/items per call wanted."""
        rows, verdicts = plays(batch, self.action, [self.reference], self.name)
        turn = np.full(batch.size("step"), np.nan)
        at = 0
        for i, (texts, reference) in enumerate(rows):
            if verdicts[i] is None:
                verdicts[i], turn[at : at + len(texts)] = self.grade(texts, reference)
            at += len(texts)
        batch = with_verdicts(batch, self.name, "trajectory", verdicts)
        return batch.with_columns(**{f"{self.name}/turn": Column.of("step", turn)})

    def grade(self, texts: list[str], reference: Any) -> tuple[Verdict, np.ndarray]:
        """The verdict on one play, and what the calls of each of its steps are worth; NaN where a step has none."""
        turn = np.full(len(texts), np.nan)
        wanted = wanted_calls(reference)
        if wanted is None:
            return Verdict.unscored("the reference is no list of calls"), turn
        parsed = [self.parse(text) for text in texts]
        made, of_step = _in_order(parsed)
        facts = {"made": len(made), "wanted": len(wanted), "broken": sum(p.broken for p in parsed)}
        why = next((f"a broken call: {shown(p.why)}" for p in parsed if p.why), None)
        if len(made) * max(len(wanted), 1) > CELLS:
            items = [_item(j, call, 0.0, -1) for j, call in enumerate(wanted)]
            turn[[p.broken + len(p.calls) > 0 for p in parsed]] = self.unmatched
            return Verdict.score(0.0, items=items, why="too many calls", exact=0.0, **facts), turn
        sound = np.array([call is not None for call in made], bool)
        s = np.zeros((len(made), len(wanted)))
        s[sound] = similarities([call for call in made if call is not None], wanted, self.similarity)
        found = self.match(s)
        worth = np.where(found.made > 0, found.made, self.unmatched)
        count = np.bincount(of_step, minlength=len(texts))
        np.divide(np.bincount(of_step, worth, len(texts)), count, out=turn, where=count > 0)
        exact = len(made) == len(wanted) and all(
            m is not None and equal_calls(m, w) for m, w in zip(made, wanted, strict=True)
        )
        got = float(found.made.sum())
        facts |= {
            "precision": got / len(made) if len(made) else 1.0,
            "recall": float(found.wanted.sum()) / len(wanted) if wanted else 1.0,
            "exact": float(exact),
        }
        steps = [int(of_step[row]) if row >= 0 else -1 for row in found.row_of]
        items = [_item(j, call, float(found.wanted[j]), steps[j]) for j, call in enumerate(wanted)]
        told = {} if why is None else {"why": why}
        return Verdict.score(found.score, items=items, **facts, **told), turn


def _in_order(parsed: list[Parsed]) -> tuple[list[Call | None], np.ndarray]:
    """The calls of all steps, the broken ones of a step after its sound ones as None; and the step of each."""
    made = [call for p in parsed for call in (*p.calls, *[None] * p.broken)]
    sizes = [len(p.calls) + p.broken for p in parsed]
    return made, np.repeat(np.arange(len(parsed)), sizes)


def _item(j: int, call: Call, obtained: float, step: int) -> dict:
    return {"wanted": j, "call": shown(call.name), "obtained": obtained, "step": step if step >= 0 else None}


def call_match(
    name: str = "calls",
    similarity: Similarity = graded_calls,
    match: Matcher = greedy,
    parse: Parser = any_calls,
    unmatched: float = 0.0,
    action: str = "action",
    reference: str = "reference",
) -> CallMatch:
    """An observer: how well the calls of a play stand for those of its reference, in [0, 1].

    All calls of all steps, in order, are matched at once with all that were wanted. A broken call stands for nothing
    and counts as made. With a one-to-one matcher

        NAME = 2 * sum of matched similarities / (calls made + calls wanted)

    which is REVER's score with `ordered` and `Partly()`; 1 where no call was wanted and none was made.

    Args:
        similarity: `graded_calls` (MatchTIR), `equal_calls`, `Partly()` (REVER), or any of two calls into [0, 1].
        match: `greedy`, `hungarian`, `ordered`, `Sinkhorn()`, or any of a matrix.
        parse: how calls stand in an action: `any_calls`, `json_calls`, `hermes_calls`, `python_calls`.
        unmatched: what an unmatched call is worth to its turn (MatchTIR: 0 in its runs, -0.5 in its release).
        reference: a trajectory column with the calls: JSON, or text as `parse` reads it; `[]` wants none.

    Facts: `precision` and `recall` (sums of similarities over the calls made, and wanted; 1 of nothing), `exact` (the
    same calls in the same order), `made`, `wanted`, `broken`, `why`. At step level NAME/turn is the mean worth of the
    calls of that step, MatchTIR's turn reward; a step without a call has none. The relation NAME/items has a row for
    each call wanted: its place, name, what it obtained, and in which step of the play.

    Scores 0 with `why`: more than 50,000 pairs of calls. Unscored: a reference without calls or with a broken one; an
    action that was not recorded; a failed play.

    Source: MatchTIR, REVER (arXiv 2509.25852). Departures: MatchTIR's trajectory reward is the sum of its turns'; take
    `total` of NAME/turn for it.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], action=["f(a=1)", "g(); h()"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["[f(a=1), g()]"]))
        >>> seen = call_match().observe(batch)
        >>> seen["calls"].values, seen["calls/turn"].values
        (array([0.8]), array([1. , 0.5]))
    """
    return CallMatch(name, similarity, match, parse, unmatched, action, reference)


def exact_calls(
    name: str = "exact_calls", parse: Parser = any_calls, action: str = "action", reference: str = "reference"
) -> CallMatch:
    """An observer: 1 where the play made exactly the calls of its reference, in order, else 0.

    For any order use `call_match(similarity=equal_calls)`: it is 1 for the same calls in any order. Facts and the
    unscored are those of `call_match`.

    Example:
        >>> said = ["f(); g()", "g(); f()"]
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=said)
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["f(); g()"] * 2))
        >>> exact_calls().observe(batch)["exact_calls"].values
        array([1., 0.])
    """
    return CallMatch(name, equal_calls, in_sequence, parse, 0.0, action, reference)


@dataclass(frozen=True)
class Tool:
    """What a tool takes.

    Attributes:
        required: names that every call gives.
        allowed: names that a call may give; None for any.
    """

    name: str
    required: frozenset[str] = frozenset()
    allowed: frozenset[str] | None = None

    def takes(self, call: Call) -> bool:
        """Whether a call fits."""
        given = call.arguments.keys()
        return self.required <= given and (self.allowed is None or given <= self.allowed)


def tools_of(given: Any) -> tuple[Tool, ...]:
    """Tools from a list of OpenAI function descriptions, parsed or as JSON text. Types of values are not looked at.

    Raises:
        ValueError: one has no name.

    Example:
        >>> tools_of([{"name": "go", "parameters": {"properties": {"to": {}}, "required": ["to"]}}])[0].required
        frozenset({'to'})
    """
    out = []
    for one in json_of(given) or ():
        one = one.get("function", one)
        if not isinstance(one.get("name"), str):
            raise ValueError("a tool has no name")
        schema = one.get("parameters") or {}
        closed = "properties" in schema and schema.get("additionalProperties", False) is False
        allowed = frozenset(schema["properties"]) if closed else None
        out.append(Tool(one["name"], frozenset(schema.get("required", ())), allowed))
    return tuple(out)


@dataclass(frozen=True)
class CallValidity:
    """The observer of `call_validity`."""

    name: str
    tools: tuple[Tool, ...] | None = None
    parse: Parser = any_calls
    action: str = "action"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "step"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME, NAME/cause and NAME/why for each step."""
        batch.need([self.action], self.name)
        known = None if self.tools is None else {tool.name: tool for tool in self.tools}
        found = [_valid(None if t is None else self.parse(t), known) for t in batch[self.action].tolist()]
        values = np.array([np.nan if v is None else v for v, _, _ in found], float)
        return batch.with_columns(
            **{
                self.name: Column.of("step", values),
                f"{self.name}/cause": Column.of("step", pa.array([c for _, c, _ in found], pa.string())),
                f"{self.name}/why": Column.of("step", pa.array([w for _, _, w in found], pa.string())),
            }
        )


def _valid(parsed: Parsed | None, known: dict[str, Tool] | None) -> tuple[float | None, str | None, str | None]:
    if parsed is None:
        return None, "the action is missing", None
    n = len(parsed.calls) + parsed.broken
    if not n:
        return None, "the step makes no call", None
    why = None if parsed.why is None else shown(parsed.why)
    bad = parsed.broken
    for call in parsed.calls if known is not None else ():
        if call.name not in known:
            bad, why = bad + 1, why or "no tool of that name"
        elif not known[call.name].takes(call):
            bad, why = bad + 1, why or "arguments that the tool does not take, or lacks"
    return 1 - bad / n, None, why


def call_validity(
    name: str = "call_validity",
    tools: tuple[Tool, ...] | None = None,
    parse: Parser = any_calls,
    action: str = "action",
) -> CallValidity:
    """An observer at step level: the share of a step's calls that are well formed and fit a tool, in [0, 1].

    Args:
        tools: as `tools_of` gives them; None looks only at the form.

    NAME/why says what was wrong first. Unscored: a step without any call (there is nothing to be valid), an action
    that was not recorded.

    Example:
        >>> said = ["go(); fly()", "Done."]
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], action=said)
        >>> call_validity(tools=(Tool("go"),)).observe(batch)["call_validity"].tolist()
        [0.5, None]
    """
    return CallValidity(name, tools, parse, action)
