"""SRGPO: whole plays compared in their group, and steps with steps thrown together by chance.

Paper       Wang et al., SeeNav-Agent: Enhancing Vision-Language Navigation with Visual Prompt and
            Step-Level Policy Optimization. 2025. arXiv:2512.02631.
Idea        A step reward that means the same in every state can be compared between any two
            steps, so no step needs another from its own state.
Composes    centred(outcome, scale=Std(EPS))
            + OMEGA * centred(process, by=Randomly(SIZE), scale=Std(EPS)).

Symbols     r[t]   1 if the step came closer to the goal, less INVALID for an action that means nothing
            A^E    plays:  outcome less the group's mean, over its spread
            A^S    steps:  r less the mean of its random bucket of the batch, over its spread; not to go
            A = A^E + OMEGA * A^S

A bucket of SIZE steps estimates the mean and spread of the whole batch; with SIZE as large as
the batch it is them. A^S is short-sighted: a detour is punished at every visit. A group of one,
and one that agrees on outcomes, get A^S.

Departures  "Came closer" is the fact `closer` in place of a distance in metres. The code takes
            the statistics of A^E over step rows, so that long plays vote more; here each
            play votes once. INVALID is not also taken off the outcome. No KL (the code: 0.01).

Example (a bucket of four steps, one of which strayed):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> facts = {"closer": [1.0, 1.0, -1.0, 1.0], "action_valid": [1.0, 1.0, 1.0, 1.0]}
    >>> batch = batch.with_columns(**{name: Column.of("step", values) for name, values in facts.items()})
    >>> RECIPE.credit(batch).values.round(3)
    array([ 1.207,  1.207, -2.207, -0.207])
"""

from guerdon.credit import Credit, Keys, Randomly, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, clip, fact, unfailed

OMEGA = 1.0  # code: SeeNav-Agent, weight of the step advantage
SIZE = 16  # code: SeeNav-Agent, size of the random groups
INVALID = 0.1  # code: SeeNav-Agent, taken off for an invalid output
EPS = 1e-6  # UNVERIFIED: as verl's grpo

BUCKETS = Randomly(SIZE)
OUTCOME = fact("outcome")
PROCESS = unfailed(clip(fact("closer"), low=0.0) + affine(fact("action_valid"), scale=INVALID, offset=-INVALID))


def credit(omega: float = OMEGA, by: Keys = BUCKETS, process: Term = PROCESS) -> Credit:
    """The advantage with another weight, other buckets, or another step reward."""
    return centred(OUTCOME, scale=Std(EPS)) + omega * centred(process, by=by, scale=Std(EPS))


RECIPE = with_control(
    Recipe(
        name="srgpo",
        title="SRGPO",
        paper="Wang et al., SeeNav-Agent, 2025, arXiv:2512.02631",
        idea="Compare whole plays in the group, and steps in random buckets of the batch.",
        reward=at_end(OUTCOME) + OMEGA * PROCESS,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "OMEGA": Number(OMEGA, "code", "SeeNav-Agent, weight of the step advantage"),
            "SIZE": Number(float(SIZE), "code", "SeeNav-Agent, size of the random groups"),
            "INVALID": Number(INVALID, "code", "SeeNav-Agent, an invalid output"),
            "EPS": Number(EPS, "UNVERIFIED", "as verl's grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        alone="a group of one gets its steps' rewards against those of random others",
        told="a perfect step judge",
        needs=("outcome", "closer", "action_valid"),
        baseline=grpo.RECIPE,
    ),
    "SRGPO with its step rewards shuffled over the steps of the group",
    credit(process=shuffled(PROCESS)),
    reward=at_end(OUTCOME) + OMEGA * shuffled(PROCESS),
)
