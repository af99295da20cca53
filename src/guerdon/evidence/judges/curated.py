"""The policy chooses what the judge sees: it ends its play by handing in a few of its own observations as evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from guerdon.evidence.judges.fence import one_of, prompt, read, words
from guerdon.evidence.judges.forms import REASON, WORDS
from guerdon.evidence.judges.votes import Ask, MostSay, Votes, poll
from guerdon.records import Verdict


@dataclass(frozen=True)
class Submitted:
    """What a play handed in: its message and the steps, from 0, whose observations are the evidence."""

    message: str
    evidence: tuple[int, ...]


Reader = Callable[[Sequence[str]], "Submitted | str"]


def submitted(actions: Sequence[str]) -> Submitted | str:
    """What a play handed in, or what is wrong with it, from actions of which the last is a JSON object with `submit`.

    `{"submit": {"message": "...", "evidence": [2, 5]}}`; the numbers are steps of the play, from 0, before the last.

    Example:
        >>> submitted(["open", '{"submit": {"message": "it is open", "evidence": [0]}}'])
        Submitted(message='it is open', evidence=(0,))
        >>> submitted(["open"])
        'nothing was submitted'
    """
    found = [(i, got) for i, action in enumerate(actions) if (got := _submit(action)) is not None]
    if not found:
        return "nothing was submitted"
    if len(found) > 1:
        return "it submitted more than once"
    place, got = found[0]
    if place != len(actions) - 1:
        return "it went on after submitting"
    message, evidence = (got.get("message"), got.get("evidence")) if isinstance(got, dict) else (None, None)
    if not isinstance(message, str) or not isinstance(evidence, list) or not evidence:
        return "the submission has no message or no evidence"
    if not all(isinstance(e, int) and not isinstance(e, bool) and 0 <= e < place for e in evidence):
        return "the evidence names a step that is not there"
    if len(set(evidence)) != len(evidence):
        return "the evidence names a step twice"
    return Submitted(message, tuple(evidence))


def curated_score(
    success: bool, valid: bool, evidence: int, validity: Real = 1.0, budget: int = 3, price: Real = 0.1
) -> float:
    """1 for success, `validity - 1` for valid evidence alone, -1 for neither; less `price` per piece above the budget.

    It is never below -1.

    Args:
        success, valid: what the judge says of the task and of the evidence.
        evidence: how many pieces were handed in.
        validity: how much valid evidence is worth without success: 1 puts it at 0, 0 at nothing (-1). Let it
            fall over training with `annealed`.

    Elsewhere: the paper's released code does not stop at -1, so that a failed play with many pieces is worth
    less than one that hands in nothing.

    Example:
        >>> curated_score(True, True, 5), curated_score(False, True, 2), curated_score(False, False, 9)
        (0.8, 0.0, -1.0)

    References:
        SmartSnap: Proactive Evidence Seeking for Self-Verifying Agents.
    """
    tier = 1.0 if success else -1.0 + validity * valid
    return max(-1.0, tier - price * max(evidence - budget, 0))


def annealed(step: Real, most: Real) -> float:
    """A weight that falls from 1 to 0 over training: (1 + cos(pi step / most)) / 2, and 0 afterwards.

    Example:
        >>> annealed(0, 100), round(annealed(50, 100), 12), annealed(200, 100)
        (1.0, 0.5, 0.0)
    """
    return 0.0 if step >= most else (1.0 + math.cos(math.pi * max(step, 0.0) / most)) / 2.0


@dataclass(frozen=True)
class Curated:
    """Success and validity of evidence, judged by nothing but what the play handed in: `curated_score`.

    A submission that is missing, not the last act, empty or names steps that are not there is the candidate's
    fault: -1, with `why`, and no call. Facts: `success`, `valid`, `evidence` (how many), by which a reward can
    weigh them anew, as `validity` falls, without asking again.

    Attributes:
        task: what is judged; the judge sees the other material, the message and the chosen observations.
        actions, observations: labels of all steps' texts, `Steps("action")` and `Steps("observation")`.
        last: also show the last observation, against stale evidence.
        submitted: what a play handed in: `submitted`, or a function of one's own.
        validity, budget, price: see `curated_score`.
        votes: each says success and validity; the majority of those that came.

    References:
        SmartSnap: Proactive Evidence Seeking for Self-Verifying Agents. There, no vote at all counts as -1; here it is
        the judge's fault, and unscored.

    Example:
        >>> Curated("You judge whether the phone was set up as asked.").votes.n
        3
    """

    task: str
    actions: str = "action"
    observations: str = "observation"
    last: bool = False
    submitted: Reader = submitted
    validity: Real = 1.0
    budget: int = 3
    price: Real = 0.1
    votes: Votes = field(default_factory=lambda: Votes(3, MostSay(tie=0.0), least=1))
    low: float = field(default=-1.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The score of the tiers, with what it is made of as facts."""
        actions, seen = material[self.actions], material[self.observations]
        chosen = self.submitted(actions)
        if isinstance(chosen, str):
            return Verdict.score(-1.0, -1.0, 1.0, why=chosen, evidence=0)
        shown = {label: value for label, value in material.items() if label not in (self.actions, self.observations)}
        shown["message"] = chosen.message
        shown |= {f"evidence of step {i}": seen[i] for i in chosen.evidence}
        if self.last:
            shown["last observation"] = seen[-1]
        question = prompt(
            self.task, shown,
            "Does the evidence show that the task is done? Is each piece of it genuine and to the point?",
            {"reason": REASON, "valid": '"yes" or "no"', "success": '"yes" or "no"'},
        )  # fmt: skip
        fields = {"reason": words, "valid": one_of("yes", "no"), "success": one_of("yes", "no")}
        got = await poll(ask, question, self.votes, lambda reply: read(reply.text, question.code, fields))
        facts = {"evidence": len(chosen.evidence), "votes": len(got.votes), **got.cost}
        if len(got.votes) < max(self.votes.enough, 1):
            return Verdict.unscored(got.why_not(self.votes), **facts)
        success, valid = (self.votes.say([WORDS[v[key]] for v in got.votes]) for key in ("success", "valid"))
        if success is None or valid is None:
            return Verdict.unscored("the votes do not agree", **facts)
        value = curated_score(
            success > 0.5, valid > 0.5, len(chosen.evidence), self.validity, self.budget, self.price
        )  # fmt: skip
        return Verdict.score(value, -1.0, 1.0, success=success, valid=valid, reason=got.votes[0]["reason"], **facts)


def _submit(action: str) -> Any:
    """What stands under `submit` in an action that is a JSON object; None for any other action."""
    try:
        found = json.loads(action)
    except (ValueError, TypeError, RecursionError):
        return None
    return found.get("submit", None) if isinstance(found, dict) else None
