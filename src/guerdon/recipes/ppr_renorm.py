"""PPR: a judge's step score and the outcome, both counted from 1/2, so that their signs cannot disagree.

Paper       Hybrid Reward Normalization for Process-supervised Non-verifiable Agentic Tasks. 2025.
Idea        A good step of a failed play is worth nothing at best, a bad step of a success nothing at
            worst: the outcome decides the sign, the judge the size.
Composes    whitened(gae_of(before_end(anchored(judge_score, broadcast(outcome))) + at_end(outcome), GAMMA, LAM)).

Symbols     p[t]   judge's score over its maximum, in [0, 1];   o   outcome, 0 or 1
            r[t] = (p[t] - 1/2) + (o - 1/2) = p[t] + o - 1  before the last step,   r = o at the last
            A from r by GAE with a value per step, whitened

The shift is neutral at a fixed number of steps only. In a success each further step still adds p, in a
failure p - 1, which favours giving up early. A group of one gets what the critic did not expect.

Departures  The form is second hand (a reviewer restates the shifts by 1/2). GAMMA and LAM are the common
            ones of PPO for text; the paper's were not seen. GAE counts steps, with the reward at their
            ends; the paper's counts tokens.

Example (a success and a failure, judged alike; no critic, so r is summed to go):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> reward()(batch.with_columns(judge_score=Column.of("step", [0.75] * 4))).values
    array([ 0.75,  1.  , -0.25,  0.  ])
"""

from guerdon.credit import Credit, before_end, gae_of, shuffled, whitened
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, at_end, broadcast, fact
from guerdon.rewards.weights import anchored

CENTRE = 0.5  # UNVERIFIED: a reviewer restates the shifts by 1/2
GAMMA = 1.0  # UNVERIFIED: the common choice of PPO for text
LAM = 1.0  # UNVERIFIED: the common choice of PPO for text

OUTCOME = fact("outcome")
SCORE = fact("judge_score")


def reward(score: Term = SCORE) -> Term:
    """The reward of a step under another judge."""
    return before_end(anchored(score, broadcast(OUTCOME), CENTRE)).named("renorm") + at_end(OUTCOME)


def credit(score: Term = SCORE, gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage with other constants."""
    return whitened(gae_of(reward(score), gamma, lam))


RECIPE = with_control(
    Recipe(
        name="ppr-renorm",
        title="PPR with ReNorm",
        paper="Hybrid Reward Normalization for Process-supervised Non-verifiable Agentic Tasks, 2025",
        idea="Count a judge's score and the outcome from 1/2, so that the outcome decides the sign.",
        reward=reward(),
        credit=credit(),
        objective=ppo.RECIPE.objective,
        numbers={
            "CENTRE": Number(CENTRE, "UNVERIFIED", "a reviewer restates the shifts by 1/2"),
            "GAMMA": Number(GAMMA, "UNVERIFIED", "the common choice of PPO for text"),
            "LAM": Number(LAM, "UNVERIFIED", "the common choice of PPO for text"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        told="step scores",
        alone="a group of one, and one that agrees, get what the critic did not expect",
        needs=("outcome", "judge_score"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "PPR with the judge's scores shuffled over the steps of the group",
    credit(shuffled(SCORE)),
    reward=reward(shuffled(SCORE)),
)
