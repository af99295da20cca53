"""Steps judged in one call a play: marks on each step, the wrong ones by number, the first error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from guerdon.batch import Batch, Column, Level
from guerdon.errors import RecordError
from guerdon.evidence.grading import with_verdicts
from guerdon.evidence.judges.fence import Check, Malformed, number, one_of, prompt, read, rows, words
from guerdon.evidence.judges.forms import REASON, WORDS, Mark, Staged
from guerdon.evidence.judges.judge import Judge
from guerdon.evidence.judges.votes import Ask, Poll, Votes, poll
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict

RIGHT = (Mark("right", "Is this step right, given the steps before it?"),)


@dataclass(frozen=True)
class StepMarks:
    """Yes or no to each mark of each step, all in one call: an object per step, none left out.

    The verdict on the play is the share of its steps whose last mark is yes; a share falls and rises with the
    number of steps, so a policy can inflate it with trivial ones: use the verdicts of steps (`step_judge`) for credit.

    Attributes:
        task: what is judged.
        marks: the questions, in order; the last is the verdict on the step.
        steps: the label of the steps.
        votes: on each mark of each step apart.

    The items of the verdict have a row per step: `step` (from 0), each mark, `wrong` (the share of votes for no on
    the last mark), `flags` (those votes one by one: 1 for no, None for unknown).

    References:
        SPARK, 2025, arXiv:2512.03244. TRM, 2025, arXiv:2509.25409 (marks "faithful", then "correct"). CM2:
        Reinforcement Learning with Checklist Rewards (criteria per step: several marks).

    Example:
        >>> StepMarks("You judge proofs.").marks[-1].name
        'right'
    """

    task: str
    marks: tuple[Mark, ...] = RIGHT
    steps: str = "action"
    votes: Votes = field(default_factory=Votes)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        Staged(self.task, self.marks)  # the same rules for marks

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The share of right steps, with a row of items per step."""
        many = len(material[self.steps])
        if not many:
            return Verdict.score(self.low, why="there are no steps")
        names = [mark.name for mark in self.marks]
        said = "\n".join(f"{i}. {mark.name}: {mark.question}" for i, mark in enumerate(self.marks, 1))
        marks = ", ".join(f'"{name}": "yes", "no" or "unknown"' for name in names)
        form = f'[{{"step": 1, "reason": {REASON}, {marks}}}, and so on to step {many}]'
        question = prompt(self.task, material, f"Answer for each of the {many} steps:\n{said}", {"steps": form})
        row = {"step": _place(many), "reason": words, **{name: one_of("yes", "no", "unknown") for name in names}}
        fields = {"steps": rows(row, "step", range(1, many + 1))}

        def reads(reply: Any) -> list[dict]:
            got = read(reply.text, question.code, fields)["steps"]
            return [got[i] for i in range(1, many + 1)]

        got = await poll(ask, question, self.votes, reads)
        return _of_steps(got, self.votes, names, many)


@dataclass(frozen=True)
class WrongSteps:
    """The numbers of the wrong steps, in one call; the others count as right. Cheaper than a mark on each.

    A step without a flag is not proven right. Verdict and items are those of `StepMarks` with the mark "right".

    Attributes:
        task: what is judged; the material may hold the reference answer.
        steps: the label of the steps.
        votes: on each step apart: `MostSay(tie=0.0)` flags a step where half of the votes do, `Highest()` only
            where all do (intersection of the sets of wrong steps), `Lowest()` where any does (their union).

    References:
        CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment, 2025,
        arXiv:2508.02298.

    Example:
        >>> WrongSteps("You judge proofs.").high
        1.0
    """

    task: str
    steps: str = "action"
    votes: Votes = field(default_factory=Votes)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The share of steps without a flag, with a row of items per step."""
        many = len(material[self.steps])
        if not many:
            return Verdict.score(self.low, why="there are no steps")
        form = f'[{{"step": its number, from 1 to {many}, "reason": {REASON}}}, and so on], or [] if none is wrong'
        question = prompt(self.task, material, "List the steps that are wrong.", {"wrong": form})
        place = _place(many)

        def listed(value: Any) -> dict[int, str]:
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                raise Malformed("a list of objects is asked for")
            return {place(row.get("step")): words(row.get("reason", "")) for row in value}

        def reads(reply: Any) -> list[dict]:
            wrong = read(reply.text, question.code, {"wrong": listed})["wrong"]
            flags = [i in wrong for i in range(1, many + 1)]
            return [{"right": "no" if w else "yes", "reason": wrong.get(i, "")} for i, w in enumerate(flags, 1)]

        got = await poll(ask, question, self.votes, reads)
        return _of_steps(got, self.votes, ["right"], many)


@dataclass(frozen=True)
class FirstError:
    """Where the first error is. The verdict is the share of votes that find none.

        score = (1 / votes that came) * sum of 1[no error found],    uncertainty = 1 - share of the most frequent index

    Facts: `first_error`, the index of a step in its play, from 0, that most votes name (-1: none; the earliest where
    several are named equally often), and `uncertainty`, by which cases can be chosen for labels.

    Attributes:
        task: what is judged. A summary of the steps judges better than raw thought, but may mend an error.
        steps: the label of the steps.
        votes: how many; `votes.least` of them have to come.

    References:
        Long-horizon Reasoning Agent for Olympiad-Level Mathematical Problem Solving, 2025, arXiv:2512.10756 (OPV).

    Example:
        >>> FirstError("You judge proofs.", votes=Votes(8)).votes.enough
        5
    """

    task: str
    steps: str = "action"
    votes: Votes = field(default_factory=Votes)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The share of votes without an error, the index and how sure it is as facts."""
        many = len(material[self.steps])
        if not many:
            return Verdict.score(self.low, why="there are no steps")
        question = prompt(
            self.task, material, "Which step is the first that is wrong?",
            {"reason": REASON, "first_error": f"its number, from 1 to {many}, or 0 if no step is wrong"},
        )  # fmt: skip
        fields = {"reason": words, "first_error": _place(many, first=0)}
        got = await poll(ask, question, self.votes, lambda reply: read(reply.text, question.code, fields))
        found = [vote["first_error"] - 1 for vote in got.votes]
        facts = {"votes": len(found), **got.cost}
        if len(found) < max(self.votes.enough, 1):
            return Verdict.unscored(got.why_not(self.votes), **facts)
        count = Counter(found)
        index = min(count, key=lambda i: (-count[i], i % (many + 1)))  # none comes after every step
        return Verdict.score(
            found.count(-1) / len(found), first_error=index, uncertainty=1 - count[index] / len(found),
            reason=got.votes[found.index(index)]["reason"], **facts,
        )  # fmt: skip


@dataclass(frozen=True)
class StepJudge:
    """Verdicts of steps from one call a play: see `step_judge`."""

    judge: Judge
    level: Level = field(default="step", init=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    cost: Cost = field(default="minutes", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.judge.form, StepMarks | WrongSteps):
            raise RecordError(
                f"step_judge: the form is {type(self.judge.form).__name__}; one that says something of each step is "
                "needed; use StepMarks or WrongSteps, or the Judge itself for a verdict on the play"
            )

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    @property
    def version(self) -> str:
        """The judge's."""
        return self.judge.version

    def observe(self, batch: Batch) -> Batch:
        """The batch with a verdict on each step."""
        plays, name, votes = self.judge.verdicts(batch), self.name, self.judge.form.votes.n
        marks = [mark.name for mark in self.judge.form.marks] if isinstance(self.judge.form, StepMarks) else ["right"]
        counts, steps, flags, satisfied = batch.counts("step").tolist(), [], [], []
        for verdict, many in zip(plays, counts, strict=True):
            items = list(verdict.items) or [{}] * many
            steps += [_of_step(verdict, item, marks) for item in items]
            for item in items:
                said = [*item.get("flags", ()), *[None] * votes][:votes]
                flags.append([np.nan if flag is None else flag for flag in said])
                satisfied.append([np.nan if item.get(mark) is None else item[mark] for mark in marks])
        batch = with_verdicts(batch, name, "step", steps)
        valid = np.ones(len(steps), bool)
        table = np.array(satisfied, float).reshape(-1, len(marks))
        return batch.with_columns(**{
            f"{name}/wrong_votes": Column("step", np.array(flags, float).reshape(-1, votes), valid),
            f"{name}/satisfied": Column("step", np.nan_to_num(table), ~np.isnan(table).any(axis=1)),
        })  # fmt: skip


def step_judge(judge: Judge) -> StepJudge:
    """A verdict on every step, from one call a play: 1 where the step's last mark is yes, 0 where it is no.

    Besides the column NAME, all at step level: NAME/MARK for each mark before the last; NAME/wrong_votes with one
    entry per vote (1 wrong, 0 right, NaN did not say), which `verdict(column, Majority())` of `guerdon.rewards` reads;
    NAME/satisfied with one entry per mark, which `checklist(Criteria(satisfied=...))` of `guerdon.credit` reads.
    A play that could not be judged leaves all its steps unscored with its cause.

    Args:
        judge: of plays, with `StepMarks` or `WrongSteps` as its form and `Steps(...)` among what it reads.

    Example:
        >>> from guerdon.evidence.judges import Endpoint, Steps
        >>> judge = Judge("steps", Endpoint("http://127.0.0.1:8000/v1", "judge"), WrongSteps("You judge proofs."),
        ...               reads=("prompt", "reference", Steps("action")))
        >>> step_judge(judge).level
        'step'
    """
    return StepJudge(judge)


def _of_step(verdict: Verdict, item: Mapping, marks: list[str]) -> Verdict:
    facts = {mark: item.get(mark) for mark in marks[:-1]}
    if verdict.scored and not item:  # the play as a whole scored the lowest, for the fact that it has
        return Verdict.score(verdict.value, **{"why": verdict.facts.get("why")})
    if item.get(marks[-1]) is None:
        return Verdict.unscored(item.get("cause") or verdict.cause or "the judge did not say", **facts)
    return Verdict.score(item[marks[-1]], **facts, wrong=item["wrong"], reason=item["reason"])


def _of_steps(got: Poll, votes: Votes, names: list[str], many: int) -> Verdict:
    """One verdict on a play from votes that have a row per step each."""
    if len(got.votes) < max(votes.enough, 1):
        return Verdict.unscored(got.why_not(votes), votes=len(got.votes), **got.cost)
    items, last = [], names[-1]
    for step in range(many):
        item: dict[str, Any] = {"step": step, "reason": got.votes[0][step]["reason"], "cause": ""}
        for name in names:
            known = [WORDS[vote[step][name]] for vote in got.votes if vote[step][name] in WORDS]
            item[name] = votes.say(known) if len(known) >= max(votes.enough, 1) else None
            if item[name] is None:
                item["cause"] = (
                    f"the votes on {name!r} do not agree" if known else "the judge says that it does not know"
                )
        flags = [1.0 - WORDS[vote[step][last]] if vote[step][last] in WORDS else None for vote in got.votes]
        said = [flag for flag in flags if flag is not None]
        items.append({**item, "flags": flags, "wrong": sum(said) / len(said) if said else None})
    facts = {"votes": len(got.votes), **got.cost}
    right = [item[last] for item in items]
    if None in right:
        return Verdict.unscored("a step is not judged: " + items[right.index(None)]["cause"], items, **facts)
    return Verdict.score(sum(right) / many, items=items, **facts)


def _place(most: int, first: int = 1) -> Check:
    """Reads the number of a step."""
    within = number(first, most)

    def check(value: Any) -> int:
        if within(value) != int(value):
            raise Malformed("a whole number is asked for")
        return int(value)

    return check
