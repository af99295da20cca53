"""LongWriter-Zero: length, quality and form are each compared in the group, and then averaged.

Paper       Wu et al., LongWriter-Zero: Mastering Ultra-Long Text Generation via Reinforcement
            Learning. 2025.
Idea        Rewards of different units are averaged as advantages, not as rewards, so that
            none rules by its scale.
Composes    sum over the three of SHARE * centred(score, scale=Std(EPS)).

Symbols     A_len, A_w, A_f = (score - mean of the group) / (std of the group + EPS)
            A = (A_len + A_w + A_f) / 3

Departures  `length_score` (1 inside the wanted range of lengths), `writing_score` (a reward model of
            preferences) and `format_score` (one thought, one answer, nothing said twice) come as
            columns. No KL term. A score that is constant in a group adds nothing there.

Example (the first play has the right length, the second the better text; form does not tell them apart):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> scores = {"length_score": [1.0, 0.0], "writing_score": [0.1, 0.9], "format_score": [1.0, 1.0]}
    >>> batch = batch.with_columns(**{k: Column.of("trajectory", v) for k, v in scores.items()})
    >>> RECIPE.credit(batch).values.round(2) + 0.0, RECIPE.baseline.credit(batch).values.round(2)
    (array([0., 0.]), array([ 0.71, -0.71]))
"""

from dataclasses import replace

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

SHARE = 1 / 3  # UNVERIFIED: second hand, the mean of three
EPS = 1e-4  # code: as in grpo

SCORES = (fact("length_score"), fact("writing_score"), fact("format_score"))


def credit(scores: tuple[Term, ...] = SCORES, share: float = SHARE) -> Credit:
    """The advantage of other scores, or in other shares."""
    return sum(share * centred(score, scale=Std(EPS)) for score in scores)


METHOD = Recipe(
    name="longwriter-zero",
    title="LongWriter-Zero",
    paper="Wu et al., LongWriter-Zero, 2025",
    idea="Normalise each score in the group, then average the advantages.",
    reward=sum(SHARE * score for score in SCORES),
    credit=credit(),
    objective=grpo.OBJECTIVE,
    numbers={
        "SHARE": Number(SHARE, "UNVERIFIED", "second hand, the mean of three"),
        "EPS": Number(EPS, "code", "as in grpo"),
        "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
    },
    told="several outcomes",
    needs=("length_score", "writing_score", "format_score"),
)
SUM_FIRST = replace(
    METHOD,
    name="longwriter-zero-baseline",
    title="GRPO on the mean of the scores",
    credit=centred(METHOD.reward, scale=Std(EPS)),
)
RECIPE = with_control(
    replace(METHOD, baseline=SUM_FIRST),
    "LongWriter-Zero with each score shuffled over the plays of the batch",
    credit(tuple(shuffled(score, across=True) for score in SCORES)),
)
