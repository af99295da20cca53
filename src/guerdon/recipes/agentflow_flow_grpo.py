"""Flow-GRPO (AgentFlow): every turn of a play is trained as a sample of its own, with the play's outcome.

Paper       In-the-Flow Agentic System Optimization for Effective Planning and Tool Use. 2025.
            Code: lupantech/AgentFlow.
Idea        One verdict at the end, copied to every turn of the planner, makes a play of many turns as
            many single-turn problems.
Composes    centred(outcome, scale=Std(EPS)), copied to turns; Clipped with two bounds + BETA * KL.

Symbols     A[i, t] = (R[i] - mean over the group's plays) / (std over the group's plays + EPS), for every t

Departures  The mean and std are over plays, as in the paper. The released code takes them over rows, one per
            turn, so there a long play votes more often. The paper averages over plays, then over the turns of a
            play, then over the tokens of a turn; ours averages over plays and then tokens, so inside
            a play a long turn weighs more. All steps of a batch are the planner's.

Example (one success of two turns, one failure of one: each play votes once):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.707,  0.707, -0.707])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.objectives import KL, Clipped, SequenceMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

LOW = 0.2  # code: AgentFlow train/config.yaml
HIGH = 0.3  # code: AgentFlow train/config.yaml
BETA = 0.001  # code: AgentFlow train/config.yaml
EPS = 1e-6  # code: verl, on which it is built

OUTCOME = fact("outcome")


def credit(outcome: Term = OUTCOME) -> Credit:
    """The advantage of another outcome."""
    return centred(outcome, scale=Std(EPS))


RECIPE = with_control(
    Recipe(
        name="agentflow-flow-grpo",
        title="AgentFlow (Flow-GRPO)",
        paper="In-the-Flow Agentic System Optimization, 2025, code lupantech/AgentFlow",
        idea="Copy one terminal verdict to every turn, and train each turn as a sample.",
        reward=OUTCOME,
        credit=credit(),
        objective=Clipped(low=LOW, high=HIGH, ratio=TokenRatio(), reduce=SequenceMean())
        + KL(BETA, reduce=SequenceMean()),
        numbers={
            "LOW": Number(LOW, "code", "AgentFlow train/config.yaml"),
            "HIGH": Number(HIGH, "code", "AgentFlow train/config.yaml"),
            "BETA": Number(BETA, "code", "AgentFlow train/config.yaml"),
            "EPS": Number(EPS, "code", "verl compute_grpo_outcome_advantage"),
        },
        baseline=grpo.RECIPE,
    ),
    "Flow-GRPO with outcomes shuffled over the plays of the batch",
    credit(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
