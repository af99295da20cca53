"""Clip and Delta: a process judge may only punish, and more steps are not more reward.

Paper       Gao et al., On Designing Effective RL Reward at Training Time for LLM Reasoning.
            2024. arXiv:2410.15115.
Idea        Clip the judge's scores from above at 0, then take differences, so that the
            return from a step holds that step's score once, however many follow.
Composes    centred(to_go_of(at_end(outcome) + ALPHA * backward_delta(clip(p - ETA, high=0))), baseline=Others()).

Symbols     p[k]   process score in [0, 1]: (closer + 1) / 2
            c[k] = min(p[k] - ETA, 0)
            r[k] = c[k] - c[k+1] for k < K - 1,   r[K-1] = c[K-1],   r[K] = 0
            G[k] = ALPHA * c[k] + outcome for k < K,   outcome alone at the last step K

Departures  ALPHA and ETA are not given where we could read; ETA is the score of a step that
            changes nothing. The paper trains a critic with PPO; here the baseline of a step
            is the mean return to go over the group's steps of other plays. No KL in the reward.

Example (the first step of the first play leads away; its last step is left to the outcome):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(closer=Column.of("step", [-1.0, 1.0, 1.0, 0.0]))
    >>> RECIPE.credit(batch).values
    array([ 0.5 ,  1.  , -0.75, -0.75])
"""

from guerdon.credit import Credit, Others, centred, shuffled, to_go_of
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, backward_delta, clip, fact

ETA = 0.5  # ours: the score of a step that changes nothing; not found in the paper
ALPHA = 1.0  # ours: not found in the paper

CLOSER = fact("closer")


def reward(alpha: float = ALPHA, eta: float = ETA, closer: Term = CLOSER) -> Term:
    """The shaped step reward with other constants, or another judge."""
    clipped = clip(affine(closer, scale=0.5, offset=0.5 - eta), high=0.0)
    return at_end(fact("outcome")) + alpha * backward_delta(clipped)


def credit(shaped: Term) -> Credit:
    """The undiscounted return to go, against the steps of the group's other plays."""
    return centred(to_go_of(shaped), baseline=Others())


RECIPE = with_control(
    Recipe(
        name="clip-delta",
        title="Clip and Delta",
        paper="Gao et al., On Designing Effective RL Reward at Training Time, 2024, arXiv:2410.15115",
        idea="A process judge may only punish, and more steps are not more reward.",
        reward=reward(),
        credit=credit(reward()),
        objective=rloo.RECIPE.objective,
        numbers={
            "ETA": Number(ETA, "ours", "the score of a step that changes nothing"),
            "ALPHA": Number(ALPHA, "ours", "not found in the paper"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="a perfect step judge",
        needs=("outcome", "closer"),
        baseline=rloo.RECIPE,
    ),
    "Clip and Delta with the judge's scores shuffled over the steps of the group",
    credit(reward(closer=shuffled(CLOSER))),
    reward=reward(closer=shuffled(CLOSER)),
)
