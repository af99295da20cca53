"""P2S: a group that never succeeds is paid for how well its steps lead to the reference answer.

Paper       P2S: Probabilistic Process Supervision for General-Domain Reasoning Question Answering. 2026.
            arXiv:2601.20649.
Idea        Outcomes teach where some play succeeds; where none does, the likelihood of the
            reference given the steps taken so far still tells plays apart.
Composes    centred(otherwise(otherwise(outcome, path, when=group_mean(outcome)), BAD_FORMAT, when=format_score),
            scale=Std(EPS)).

Symbols     x[t]   path score of step t: by how much it makes some rest of a reference solution likelier, and at
                   the last step the reference answer: the column `path_score`
            path   mean of x with weights that rise along the play by a sigmoid, held to [0, 1]
            R      BAD_FORMAT if the format is wrong, else the outcome if any play of the group succeeds,
                   else path

Departures  The path is held to [0, 1]: as a log-probability it could lie below BAD_FORMAT, and then a broken
            answer would be worth more than a well-formed one. How steep the weights rise is ours, and that
            they are brought to a sum of 1. Path scores come as a column, so the reference solutions that
            the paper samples and renews are the host's. No stage of format alone.

Example (no play succeeds; the second has the wrong format):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 2], reward=[0.0] * 4)
    >>> columns = {"path_score": Column.of("step", [0.5, 0.5, 1.0, 0.0])}
    >>> columns["format_score"] = Column.of("trajectory", [1.0, 0.0, 1.0])
    >>> RECIPE.reward(batch.with_columns(**columns)).values
    array([ 0.5, -1. ,  0. ])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, clip, fact, group_mean, otherwise, rising_sigmoid, weighted_mean

BAD_FORMAT = -1.0  # UNVERIFIED: a summary of the paper
SLOPE = 2.0  # ours: the last step weighs seven times as much as the first

OUTCOME = fact("outcome")
PATH = fact("path_score")


def reward(path: Term = PATH, slope: float = SLOPE) -> Term:
    """What a play is worth, with other path scores or weights."""
    faithful = clip(weighted_mean(path, rising_sigmoid(slope)), low=0.0, high=1.0)
    worth = otherwise(OUTCOME, faithful, when=group_mean(OUTCOME))
    broken = affine(OUTCOME, scale=0.0, offset=BAD_FORMAT)  # of the outcome, so that a failed play has none
    return otherwise(worth, broken, when=fact("format_score")).named("p2s")


def credit(worth: Term) -> Credit:
    """GRPO's advantage of what a play is worth."""
    return centred(worth, scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="p2s",
        title="P2S",
        paper="P2S: Probabilistic Process Supervision for General-Domain Reasoning QA, 2026, arXiv:2601.20649",
        idea="Where no play of a group succeeds, pay for steps that make the reference likelier.",
        reward=reward(),
        credit=credit(reward()),
        objective=grpo.OBJECTIVE,
        numbers={
            "BAD_FORMAT": Number(BAD_FORMAT, "UNVERIFIED", "a summary of the paper"),
            "SLOPE": Number(SLOPE, "ours", "the last step weighs seven times as much as the first"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="reference likelihoods",
        needs=("outcome", "path_score", "format_score"),
        baseline=grpo.RECIPE,
    ),
    "P2S with its path scores shuffled over the steps of the group",
    credit(reward(shuffled(PATH))),
    reward=reward(shuffled(PATH)),
)
