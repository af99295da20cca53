"""PPO: a critic says what was to be expected, and generalised advantages say what was not.

Paper       Schulman et al., Proximal Policy Optimization Algorithms. 2017. arXiv:1707.06347.
            Advantages: Schulman et al., 2015, arXiv:1506.02438.
Idea        A value model of states gives every step a baseline of its own.
Composes    whitened(gae_of(at_end(outcome))); Clipped over tokens.

Symbols     d[t] = r[t] + GAMMA * V[t+1] - V[t],   A[t] = d[t] + GAMMA * LAM * A[t+1]
            then (A - mean) / sqrt(var + 1e-8) over the steps of the batch

The trainer trains the critic and puts `value` on the batch, and `next_value` where a
trajectory was truncated: V after the last step is `next_value` there, 0 where the task
terminated. A group of one and a group that agrees get what the critic did not expect.

Departures  The critic values steps (states before an action), verl's values tokens; so
            whitening counts steps, verl's counts tokens. verl bootstraps nothing at a
            truncation. GAMMA and LAM are verl's; the paper's table for MuJoCo has 0.99 and 0.95.
            No KL in the reward.

Example:
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> batch = batch.with_columns(value=Column.of("step", [0.5, 0.5, 0.5]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.577,  0.577, -1.155])
"""

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes import rloo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import at_end, fact

GAMMA = 1.0  # code: verl algorithm.gamma
LAM = 1.0  # code: verl algorithm.lam
EPS = 1e-8  # code: verl masked_whiten
CLIP = 0.2  # paper: section 6.1; code: verl clip_ratio
DUAL = 3.0  # code: verl clip_ratio_c

REWARD = at_end(fact("outcome"))


def credit(gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage before whitening."""
    return gae_of(REWARD, gamma, lam)


RECIPE = with_control(
    Recipe(
        name="ppo",
        title="PPO with a critic",
        paper="Schulman et al., Proximal Policy Optimization Algorithms, 2017, arXiv:1707.06347",
        idea="A value model of states gives every step a baseline of its own.",
        reward=REWARD,
        credit=whitened(credit(), EPS),
        objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=TokenMean(), dual=DUAL),
        numbers={
            "GAMMA": Number(GAMMA, "code", "verl algorithm.gamma"),
            "LAM": Number(LAM, "code", "verl algorithm.lam"),
            "EPS": Number(EPS, "code", "verl masked_whiten"),
            "CLIP": Number(CLIP, "code", "verl clip_ratio; also the paper's"),
            "DUAL": Number(DUAL, "code", "verl clip_ratio_c"),
        },
        alone="a group of one gets what the critic did not expect",
        critic=Critic(GAMMA, LAM),
        baseline=rloo.RECIPE,
    ),
    "PPO with its advantages shuffled over the steps of the group",
    shuffled(whitened(credit(), EPS)),
)
