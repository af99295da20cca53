"""MatchTIR: whole plays compared in the group, and returns to go compared turn by turn.

Paper       MatchTIR: Fine-Grained Supervision for Tool-Integrated Reasoning via Bipartite
            Matching. 2026.
Idea        Calls matched one by one to the calls of a reference give each turn a reward; first
            turns are then compared with first turns.
Composes    SHARE * centred(total(score), scale=Std(EPS))
            + SHARE * centred(to_go_of(score, GAMMA), by=(prompt, turn), scale=Std(EPS)).

Symbols     r[t]    the fact `step_score`: mean similarity of the turn's calls to their matches; at the
                    answer turn its F1 with the reference
            A^E     sum of a play's r, less the group's mean, over its spread
            G[t]  = r[t] + GAMMA * G[t+1];   A^T: G less the mean at this turn of the group's plays, over its spread
            A = (A^E + A^T) / 2

With one turn a play the two halves are one, GRPO on r.

Departures  The matching is evidence: its rewards come as a column. A turn that one play alone reaches
            gets no A^T; the code leaves its return in there, compared with nothing. No KL (the
            code: 0.001).

Example (the first plays a right call more; both answer well):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    >>> batch = batch.with_columns(step_score=Column.of("step", [1.0, 1.0, 0.0, 1.0]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.707,  0.354, -0.707, -0.354])
"""

from guerdon.credit import Credit, Std, Turn, centred, shuffled, to_go_of
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, total

GAMMA = 0.9  # code: MatchTIR core_algos.py
SHARE = 0.5  # code: MatchTIR core_algos.py, the mean of the two
EPS = 1e-6  # code: verl's grpo

SCORE = fact("step_score")


def credit(gamma: float = GAMMA, score: Term = SCORE) -> Credit:
    """The advantage with another discount, or other turn rewards."""
    plays = centred(total(score), scale=Std(EPS))
    turns = centred(to_go_of(score, gamma), by=("prompt", Turn()), scale=Std(EPS))
    return SHARE * plays + SHARE * turns


RECIPE = with_control(
    Recipe(
        name="matchtir",
        title="MatchTIR",
        paper="MatchTIR, 2026",
        idea="Compare whole plays in the group, and returns to go turn by turn.",
        reward=SCORE,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "GAMMA": Number(GAMMA, "code", "MatchTIR core_algos.py"),
            "SHARE": Number(SHARE, "code", "MatchTIR core_algos.py, the mean of the two"),
            "EPS": Number(EPS, "code", "verl's grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="step scores",
        needs=("step_score",),
        baseline=grpo.RECIPE,
    ),
    "MatchTIR with its turn rewards shuffled over the steps of the group",
    credit(score=shuffled(SCORE)),
    reward=shuffled(SCORE),
)
