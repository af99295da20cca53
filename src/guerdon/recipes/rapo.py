"""RAPO: a forward KL that covers the reference, to a reference that lets go of bad plays.

Paper       Unlocking Reasoning Capabilities in LLMs via Reinforcement Learning Exploration. 2025. arXiv:2510.03865.
Idea        The reverse KL punishes every answer that the reference would not give, so nothing new is found; the
            forward KL only asks to keep what the reference gives, and of that, what paid.
Composes    grpo; Clipped + KL(ALPHA, Forward(MOST), reference=Tempered(LOW)) + Entropy(BETA).

Symbols     ref'[t] = ref[t]^phi(R),   phi(R) = LOW + (1 - LOW) R
            w = ref' / new,   k = w log w - w + 1,   loss = L_grpo + ALPHA * mean k - BETA * mean entropy

Departures  ALPHA, BETA and phi were not found; ours. log w is bounded at MOST: w is heavy-tailed. As in the paper k
            is differentiated as it stands, which is the gradient of the forward KL only near w = 1: the pull is
            -w log w, the gradient 1 - w, which `K3` has. Tokens of the reference that the policy never samples are
            not in it, and the power is not normalised.

Example (the outcome enters the objective as well as the credit, which is GRPO's):
    >>> from guerdon.batch import Batch
    >>> RECIPE.credit(Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])).values.round(3)
    array([ 0.707, -0.707])
    >>> sorted(RECIPE.objective.needs)
    ['entropy', 'outcome', 'ref_logprob']
"""

from guerdon.objectives import KL, Entropy, Forward, Objective, Tempered
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

ALPHA = 0.01  # ours: not found
BETA = 0.001  # ours: not found
LOW = 0.5  # ours: not found
MOST = 2.0  # ours: the estimator is heavy-tailed


def objective(alpha: float = ALPHA, beta: float = BETA, low: float = LOW) -> Objective:
    """The loss with other constants; with alpha and beta 0 it is GRPO's."""
    return grpo.OBJECTIVE + KL(alpha, Forward(MOST), reference=Tempered(low)) + Entropy(beta, name="spread")


RECIPE = with_control(
    Recipe(
        name="rapo",
        title="RAPO",
        paper="Unlocking Reasoning Capabilities in LLMs via Reinforcement Learning Exploration, 2025, arXiv:2510.03865",
        idea="Cover what the reference gives and what paid, instead of staying inside it.",
        reward=fact("outcome"),
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "ALPHA": Number(ALPHA, "ours", "the paper's value was not found"),
            "BETA": Number(BETA, "ours", "the paper's value was not found"),
            "LOW": Number(LOW, "ours", "the paper's phi was not found"),
            "MOST": Number(MOST, "ours", "a ratio of 7.4"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "RAPO with outcomes shuffled over the plays of the batch",
    grpo.RECIPE.control.credit,
    reward=grpo.RECIPE.control.reward,
)
