"""W-GRPO: rare outcomes are amplified by the spread, and failures weigh otherwise than successes.

Paper       Beyond Variance: Prompt-Efficient RLVR via Rare-Event Amplification and
            Bidirectional Pairing. 2026. arXiv:2602.03452.
Idea        Train on two prompts: one where a success is rare, one where a failure is. In units
            of the group's spread the rare event of each is loud.
Composes    modulate(centred(outcome, scale=Std(EPS)), by=affine(outcome, 1 - LAMBDA, LAMBDA)).

Symbols     p     the group's success rate
            A   = +sqrt((1 - p) / p) for a success, -LAMBDA * sqrt(p / (1 - p)) for a failure
                  (with the std over the count; ours is over the count less one)

Departures  Written as a reward of +1 and -LAMBDA before the comparison, LAMBDA cancels exactly under the
            group's mean and std (and `centred` warns); so it acts after it. Which of the
            two the paper has could not be read. LAMBDA is ours, and with 1 this is GRPO. The two prompts are
            the sampler's to choose; any batch will do here.
Control     GRPO's size: what is left is that failures and successes differ in weight.

Example (one success among four: p = 1/4, std 1/2):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values.round(2)
    array([ 1.5 , -0.25, -0.25, -0.25])
"""

from guerdon.credit import Credit, Std, at_size_of, centred, modulate
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import affine, fact

LAMBDA = 0.5  # ours: not found in the paper; 1 is GRPO
EPS = 1e-4  # code: as in grpo

OUTCOME = fact("outcome")


def credit(weight: float = LAMBDA, eps: float = EPS) -> Credit:
    """The advantage with another weight of failures."""
    return modulate(centred(OUTCOME, scale=Std(eps)), by=affine(OUTCOME, scale=1.0 - weight, offset=weight))


def as_reward(weight: float = LAMBDA, eps: float = EPS) -> Credit:
    """The weight inside the reward, where it has no effect: for the test that says so."""
    return centred(affine(OUTCOME, scale=1.0 + weight, offset=-weight), scale=Std(eps))


RECIPE = with_control(
    Recipe(
        name="wgrpo-pairing",
        title="W-GRPO",
        paper="Beyond Variance, 2026, arXiv:2602.03452",
        idea="Amplify rare outcomes by the group's spread, and weigh failures apart.",
        reward=OUTCOME,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "LAMBDA": Number(LAMBDA, "ours", "not found in the paper; 1 is GRPO"),
            "EPS": Number(EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "W-GRPO's direction at GRPO's size",
    at_size_of(credit(), grpo.CREDIT),
)
