"""PACS: the policy learns to predict the verdict on its own plays, and is actor and critic by that.

Paper       Li et al., Implicit Actor Critic Coupling via a Supervised Learning Framework for
            RLVR. 2025. arXiv:2509.02522.
Idea        How much likelier a play became than the others of its prompt is a prediction of its outcome;
            the error of that prediction is an advantage.
Composes    step_term(outcome - 1/2), read by its sign; ImplicitCritic(BETA).

Symbols     r   = BETA * sum over the tokens of a play of logprob - old_logprob
            psi = r - mean of r over the other plays of the prompt
            loss = w * binary cross entropy of sigmoid(psi) and the outcome, mean over plays
            w   = plays / (2 * plays of its class), in a group with both classes; else 1

At psi = 0 a play moves by the leave-one-out of BETA * w * (outcome - 1/2); in a group with both classes that is
GRPO's direction.

Departures  The paper has a fixed reference that is reset at times; its code has the policy that sampled, and so have
            we. Its actor term, of the sampling distribution, is not in the code and not here.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values
    array([ 0.5,  0.5, -0.5])
"""

from guerdon.credit import Credit, shuffled, step_term
from guerdon.objectives import ImplicitCritic, Objective
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact

BETA = 1.0  # code: ritzz-ai/PACS scripts/pacs/pacs_beta_1.0.sh
LINE = 0.5  # ours: between a wrong outcome, 0, and a right one, 1

OUTCOME = fact("outcome")


def credit(outcome: Term = OUTCOME, line: float = LINE) -> Credit:
    """The label of another outcome: above 0 where it lies above the line."""
    return step_term(affine(outcome, offset=-line))


def objective(beta: float = BETA) -> Objective:
    """The loss with another unit of log-ratios."""
    return ImplicitCritic(beta)


RECIPE = with_control(
    Recipe(
        name="pacs",
        title="PACS",
        paper="Li et al., Implicit Actor Critic Coupling, 2025, arXiv:2509.02522",
        idea="Predict each outcome by how likely the play became, and learn from the error.",
        reward=OUTCOME,
        credit=credit(),
        objective=objective(),
        numbers={
            "BETA": Number(BETA, "code", "ritzz-ai/PACS scripts/pacs/pacs_beta_1.0.sh"),
            "LINE": Number(LINE, "ours", "between a wrong outcome, 0, and a right one, 1"),
        },
        alone="The credit is a label, also alone and in a group that agrees; a group of one has no gradient, and one "
        "that agrees only evens out how far its plays have moved.",
        baseline=grpo.RECIPE,
    ),
    "PACS with outcomes shuffled over the plays of the batch",
    credit(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
