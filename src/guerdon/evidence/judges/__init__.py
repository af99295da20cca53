"""Judges behind an OpenAI-compatible endpoint: what they are asked, how often, and what counts as their answer.

    endpoint = Endpoint("http://127.0.0.1:8000/v1", model="judge")
    judge = Judge("right", endpoint, yes_no("You judge sums."), reads=("prompt", "reference", "action"))
    batch = observe(batch, [judge])

A judge that does not answer, or answers out of form, leaves its item unscored with the cause.
"""

from __future__ import annotations

from guerdon.evidence.judges.client import Client, Endpoint, NoReply, Reply, Sampling
from guerdon.evidence.judges.curated import Curated, Submitted, annealed, curated_score, submitted
from guerdon.evidence.judges.forms import Form, Mark, Scored, Soft, Staged, mean_score, yes_no
from guerdon.evidence.judges.judge import Judge, Steps
from guerdon.evidence.judges.pairs import (
    AgainstMarked,
    AllPairs,
    BothOrders,
    MeanOfOrders,
    OneOrder,
    Pair,
    PairJudge,
    pair_judge,
)
from guerdon.evidence.judges.rubric import (
    BONUS,
    COUNTS,
    ESSENTIAL,
    PITFALL,
    Criterion,
    Rubric,
    by_category,
    rubric_of,
    rubric_score,
)
from guerdon.evidence.judges.steps import FirstError, StepJudge, StepMarks, WrongSteps, step_judge
from guerdon.evidence.judges.tools import WithTools, calculate
from guerdon.evidence.judges.votes import AllSay, Average, Highest, Lowest, Middle, MostSay, Votes

__all__ = [
    "BONUS", "COUNTS", "ESSENTIAL", "PITFALL", "AgainstMarked", "AllPairs", "AllSay", "Average", "BothOrders", "Client",
    "Criterion", "Curated", "Endpoint", "FirstError", "Form", "Highest", "Judge", "Lowest", "Mark", "MeanOfOrders",
    "Middle", "MostSay", "NoReply", "OneOrder", "Pair", "PairJudge", "Reply", "Rubric", "Sampling", "Scored", "Soft",
    "Staged", "StepJudge", "StepMarks", "Steps", "Submitted", "Votes", "WithTools", "WrongSteps", "annealed",
    "by_category", "calculate", "curated_score", "mean_score", "pair_judge", "rubric_of", "rubric_score", "step_judge",
    "submitted", "yes_no",
]  # fmt: skip
