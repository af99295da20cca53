"""VL-DAC: a critic of environment steps, a policy of tokens, and nothing that mixes the two.

Paper       Enhancing Vision-Language Model Training with Reinforcement Learning in Synthetic Worlds for
            Real-World Success. 2025.
Idea        Decouple the levels: values and advantages per step of the environment, ratios and
            clipping per token, so that no weight between thought and action has to be tuned.
Composes    whitened(gae_of(reward, GAMMA, LAM)); Clipped over tokens + BETA * KL.

Symbols     d[t] = r[t] + GAMMA V[t+1] - V[t],   A[t] = d[t] + GAMMA LAM A[t+1]
            then (A - mean) / std over the steps of the batch; all tokens of a step have its A

With the mean over tokens a step's weight grows with the length of its thought: `StepMean` instead of
`TokenMean` would take that out. A group of one and one that agrees get what the critic did not expect.

Departures  The code also drops the unclipped branch where a ratio is above 10, adds an entropy bonus in its
            configuration (0.01) that the paper's loss does not have, and keeps the critic's gradient
            out of the backbone; the first two are left out here, the last is the trainer's.

Example (two plays of one step; the critic expected 1/2 of each):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> RECIPE.credit(batch.with_columns(value=Column.of("step", [0.5, 0.5]))).values.round(3)
    array([ 0.707, -0.707])
"""

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.objectives import KL, Clipped, TokenMean, TokenRatio
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import fact

GAMMA = 0.9  # code: configs/miniworld_qwen2vl.yaml
LAM = 0.95  # code: configs/miniworld_qwen2vl.yaml
CLIP = 0.1  # code: configs/miniworld_qwen2vl.yaml
BETA = 0.04  # code: configs/miniworld_qwen2vl.yaml, kl_beta

REWARD = fact("reward")


def credit(gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage with other constants."""
    return whitened(gae_of(REWARD, gamma, lam))


RECIPE = with_control(
    Recipe(
        name="vl-dac",
        title="VL-DAC",
        paper="Enhancing Vision-Language Model Training with RL in Synthetic Worlds, 2025",
        idea="Values and advantages per environment step, ratios per token.",
        reward=REWARD,
        credit=credit(),
        objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=TokenMean()) + KL(BETA),
        numbers={
            "GAMMA": Number(GAMMA, "code", "configs/miniworld_qwen2vl.yaml"),
            "LAM": Number(LAM, "code", "configs/miniworld_qwen2vl.yaml"),
            "CLIP": Number(CLIP, "code", "configs/miniworld_qwen2vl.yaml"),
            "BETA": Number(BETA, "code", "configs/miniworld_qwen2vl.yaml, kl_beta"),
        },
        alone="a group of one, and one that agrees, get what the critic did not expect",
        needs=("reward",),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "VL-DAC with its advantages shuffled over the steps of the group",
    shuffled(credit()),
)
