"""LaSeR: the probability of one unused token after the answer is trained to say whether the answer is right.

Paper       LaSeR: Reinforcement Learning with Last-Token Self-Rewarding. 2025. arXiv:2510.14943.
Idea        The log-ratio of a policy to its reference is a reward model; read at one reserved token after the
            answer it costs one token, and is trained with the policy.
Composes    grpo + modulate(centred(clip(self_reward, 0, 1), scale=Std(EPS)) - grpo, by=TAU where its std in the group
            is above SPREAD); Clipped + Scheduled(On("last", Regress(BETA, Outcome(), Fixed(C_REF))), After(WARM)).

Symbols     r_s  = BETA * (log pi(z | x, y) - C_REF): the column `self_reward`; z the reserved token
            L    = L_grpo + ALPHA * mean of w (r_s - outcome)^2
            A    = (1 - TAU) A_grpo + TAU A_s where the group's r_s differ by more than SPREAD, else A_grpo

The reserved tokens ride along as plays of one sampled token, z after question and answer, whose column `last` is
true, with the outcome of the answer, each in a group of its own. Weights w that balance right and wrong are
`class_balance` of their outcomes.

Departures  The trainer of this library weighs the reserved tokens alike, w = 1. TAU acts from the start; in the paper
            200 updates after the regression. With C_REF = -23 and BETA = 0.1 the normaliser of the reward is
            1 + 2e-6, so that r_s can be read as a probability of being right.

Example (both plays of the group look alike to the model, so GRPO's advantage stands):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> RECIPE.credit(batch.with_columns(self_reward=Column.of("trajectory", [0.5, 0.5]))).values.round(3)
    array([ 0.707, -0.707])
    >>> RECIPE.credit(batch.with_columns(self_reward=Column.of("trajectory", [0.0, 1.0]))).values.round(3)
    array([ 0.566, -0.566])
"""

from guerdon.credit import Credit, Std, centred, modulate, shuffled
from guerdon.objectives import After, Always, Fixed, Objective, On, Outcome, Regress, Scheduled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, clip, fact, group_std, tiers

BETA = 0.1  # code: beta_v
C_REF = -23.0  # code: Qwen; -25 for Llama-type bases
ALPHA = 0.1  # code
TAU = 0.1  # code
SPREAD = 0.1  # code
WARM = 200  # code: updates before the regression

OWN = fact("self_reward")


def credit(tau: float = TAU, own: Term = OWN) -> Credit:
    """The advantage with another share of the policy's own judgement; with 0 it is GRPO's."""
    held = clip(own, low=0.0, high=1.0)
    share = tiers(group_std(held), at=(SPREAD,), values=(0.0, tau))
    return grpo.CREDIT + modulate(centred(held, scale=Std(grpo.EPS)) - grpo.CREDIT, by=share)


def objective(alpha: float = ALPHA, warm: int = WARM) -> Objective:
    """The loss with another weight of the head, or another start."""
    head = On("last", Regress(BETA, Outcome(), reference=Fixed(C_REF)))
    return grpo.OBJECTIVE + Scheduled(head, After(warm, Always(alpha)))


RECIPE = with_control(
    Recipe(
        name="laser",
        title="LaSeR",
        paper="LaSeR: Reinforcement Learning with Last-Token Self-Rewarding, 2025, arXiv:2510.14943",
        idea="One reserved token after the answer learns to say whether it is right.",
        reward=fact("outcome"),
        credit=credit(),
        objective=objective(),
        numbers={
            "BETA": Number(BETA, "code", "examples/grpo_trainer"),
            "C_REF": Number(C_REF, "code", "Qwen; -25 for Llama-type bases"),
            "ALPHA": Number(ALPHA, "code", "dp_actor.py"),
            "TAU": Number(TAU, "code", "ray_trainer.py"),
            "SPREAD": Number(SPREAD, "code", "ray_trainer.py"),
            "WARM": Number(WARM, "code", "200 updates"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="token signals",
        alone="a group whose outcomes agree gets what the policy's own judgement says",
        needs=("outcome", "self_reward", "last"),
        baseline=grpo.RECIPE,
    ),
    "LaSeR with its judgements shuffled over the plays of the group",
    credit(own=shuffled(OWN)),
)
