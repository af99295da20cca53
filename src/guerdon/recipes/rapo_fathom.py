"""RAPO: the step keeps its size when many groups of the batch say nothing.

Paper       Fathom-DeepResearch: Unlocking Long Horizon Information Retrieval and Synthesis for
            SLMs. 2025. arXiv:2509.24107, sections 2.4 and 2.5.
Idea        Groups that agree dilute the mean; multiply the others by how many there are of each.
Composes    rescaled(centred(outcome + FORMAT * format_score, scale=Std(EPS))).

Symbols     A'[i] = groups / (groups whose plays differ) * A[i],   A as in GRPO
            `steered` is the reward of the second stage, from a judge's labels of tool calls:
            right:  FORMAT * form + max(1 - repeated, RIGHT)
            wrong:  FORMAT * form + DEPTH * (min(1, searches) + min(1, queries))

Departures  The recipe has the reward of the first stage; the labels of tool calls are not in
            every host. Pruning of solved prompts and the replay of a success into a group
            that failed are the sampler's. `searches` and `queries` come divided by their caps (8 and 16).
Control     GRPO on the same reward, that is the same without the factor.

Example (the second of the two groups agrees, so the factor is 2):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
    >>> batch = batch.with_columns(format_score=Column.of("trajectory", [1.0] * 4))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 1.414, -1.414,  0.   ,  0.   ])
"""

from guerdon.credit import Credit, Std, at_size_of, centred, rescaled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, clip, fact, gate

FORMAT = 0.1  # UNVERIFIED: weight of the right form
RIGHT = 0.5  # UNVERIFIED: the least that a right answer is worth, and the most of a wrong one
DEPTH = 0.2  # UNVERIFIED: c1 = c2
EPS = 1e-4  # code: as in grpo

OUTCOME, FORM = fact("outcome"), fact("format_score")
REWARD = OUTCOME + FORMAT * FORM


def credit(reward: Term = REWARD) -> Credit:
    """The advantage of another reward, such as a steered one."""
    return rescaled(centred(reward, scale=Std(EPS)))


def steered(repeated: Term, searches: Term, queries: Term) -> Term:
    """The second stage: repeated calls cost a right answer up to half, depth earns a wrong one something.

    Args:
        repeated: the share of tool calls that were redundant.
        searches, queries: (useful - redundant) / cap, of searches and of page queries.
    """
    right = gate(clip(affine(repeated, scale=-1.0, offset=1.0), low=RIGHT), when=OUTCOME, above=0.5)
    failure = affine(OUTCOME, scale=-1.0, offset=1.0)
    depth = gate(DEPTH * clip(searches, high=1.0) + DEPTH * clip(queries, high=1.0), when=failure, above=0.5)
    return FORMAT * FORM + right + depth


RECIPE = with_control(
    Recipe(
        name="rapo-fathom",
        title="RAPO (Fathom-DeepResearch)",
        paper="Fathom-DeepResearch, 2025, arXiv:2509.24107",
        idea="Rescale by the groups that say something.",
        reward=REWARD,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "FORMAT": Number(FORMAT, "UNVERIFIED", "second hand, section 2.5"),
            "RIGHT": Number(RIGHT, "UNVERIFIED", "second hand, section 2.5"),
            "DEPTH": Number(DEPTH, "UNVERIFIED", "second hand, section 2.5"),
            "EPS": Number(EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="several outcomes",
        needs=("outcome", "format_score"),
        baseline=grpo.RECIPE,
    ),
    "RAPO's direction at GRPO's size, on the same reward",
    at_size_of(credit(), centred(REWARD, scale=Std(EPS))),
)
