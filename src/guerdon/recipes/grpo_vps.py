"""GRPO-VPS: outcomes compared in the group, plus what each segment did to the belief in the answer.

Paper       Wang et al., GRPO-VPS: Enhancing Group Relative Policy Optimization with Verifiable
            Process Supervision for Effective Reasoning. 2026. arXiv:2604.20659.
Idea        The policy's own belief in the reference answer, read where segments end, says
            which of them got anywhere, without further sampling.
Composes    centred(outcome, scale=Std(EPS)) + ALPHA * centred(gain(belief), scale=Std(EPS)).

Symbols     b[k]    belief in the reference after segment k
            D[k]  = b[k] - b[k-1];   z: D less its mean over all segments of the group, over the spread
            A[k]  = (R - mean of the group) / (spread + EPS) + ALPHA * z[k]

A segment is a step. The gain acts on its own segment. Were b the true chance of success, D alone
would be the exact advantage; so the bias of D is the gap between b and that chance. The z-score
gives segments that change nothing the mean's opposite: below zero where beliefs rise.

Departures  ALPHA and the z-score are ours: neither was found in print. Segments are the steps of the
            batch, not cuts at tokens of high entropy. No KL.

Example (one segment of four moved the belief):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> belief = {"belief": [0.25, 0.75, 0.25, 0.25], "next_belief": [0.75, 0.75, 0.25, 0.25]}
    >>> batch = batch.with_columns(**{name: Column.of("step", values) for name, values in belief.items()})
    >>> RECIPE.credit(batch).values.round(3)
    array([ 1.457,  0.457, -0.957, -0.957])
"""

from guerdon.credit import Credit, Std, centred, gain, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

ALPHA = 0.5  # ours
EPS = grpo.EPS  # code: as in grpo

OUTCOME = fact("outcome")
GAIN = gain("belief")


def credit(alpha: float = ALPHA, gains: Term = GAIN) -> Credit:
    """The advantage with another weight, or other gains."""
    return grpo.CREDIT + alpha * centred(gains, scale=Std(EPS))


RECIPE = with_control(
    Recipe(
        name="grpo-vps",
        title="GRPO-VPS",
        paper="Wang et al., GRPO-VPS, 2026, arXiv:2604.20659",
        idea="Compare outcomes, and compare what each segment did to the belief in the answer.",
        reward=at_end(OUTCOME) + ALPHA * GAIN,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "the outcome weighs twice a segment"),
            "EPS": Number(EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="reference likelihoods",
        needs=("outcome", "belief", "next_belief"),
        baseline=grpo.RECIPE,
    ),
    "GRPO-VPS with its gains shuffled over the steps of the group",
    credit(gains=shuffled(GAIN)),
    reward=at_end(OUTCOME) + ALPHA * shuffled(GAIN),
)
