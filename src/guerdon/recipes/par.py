"""PAR: the chance that an answer beats a reference one, in place of the reward model's score.

Paper       Reward Shaping to Mitigate Reward Hacking in RLHF. 2025.
Idea        A learned score is a proxy; bounded and counted from what the start already reaches, it stops paying
            where it stops meaning anything.
Composes    whitened(gae_of(at_end(against_references(proxy, reference_scores, Sigmoid(K))), GAMMA, LAM)); PPO.

Symbols     r   the reward model's score;   r_m   its scores of M reference answers to the same prompt
            R = (1 / M) * sum over m of 1 / (1 + exp(-K (r - r_m)))

Near the references R is the line 1/2 + K (r - r_m) / 4, far above them it is flat: a policy that has long passed
them learns no more. Blind to a shift of the scores. In a comparison divided by the group's spread, affine
shapings do nothing and this one still does; `guerdon.rewards.bounded.rivals` are the nine of the paper.

Departures  GAE counts steps, the paper's tokens. No KL in the reward. The form is the paper's; one line of
            the released code shifts scores by 3 where it draws a slower curve (the rival sgfc).

Example (one reference, at 0: a score of log 3 beats it three times in four):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> batch = batch.with_columns(reference_scores=Column.of("group", np.zeros((1, 1))))
    >>> batch = batch.with_columns(proxy=Column.of("trajectory", [np.log(3.0), 0.0]))
    >>> reward()(batch).values.round(6)
    array([0.75, 0.5 ])
"""

from dataclasses import replace

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact
from guerdon.rewards.bounded import Sigmoid, against_references

K = 1.0  # code: PAR configs/config.py, sigmoid_k
REFERENCES = 10  # code: PAR configs/config.py, reward_maxref; one is enough in the paper
GAMMA = 1.0  # code: PAR, PPO
LAM = 0.95  # code: PAR, PPO

PROXY = fact("proxy")


def reward(proxy: Term = PROXY, k: float = K) -> Term:
    """The worth of a play under another score, or a steeper curve."""
    return against_references(proxy, "reference_scores", Sigmoid(k))


def credit(worth: Term, gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage of a worth paid at the end."""
    return whitened(gae_of(at_end(worth), gamma, lam))


METHOD = Recipe(
    name="par",
    title="PAR, preference as reward",
    paper="Reward Shaping to Mitigate Reward Hacking in RLHF, 2025",
    idea="Reward the chance of beating reference answers, not the score.",
    reward=at_end(reward()),
    credit=credit(reward()),
    objective=ppo.RECIPE.objective,
    numbers={
        "K": Number(K, "code", "PAR configs/config.py, sigmoid_k"),
        "REFERENCES": Number(REFERENCES, "code", "PAR configs/config.py; how many the host scores"),
        "GAMMA": Number(GAMMA, "code", "PAR, PPO"),
        "LAM": Number(LAM, "code", "PAR, PPO"),
        "CLIP": Number(ppo.CLIP, "code", "as in ppo, and PAR"),
    },
    told="several outcomes",
    alone="a group of one, and one that agrees, get what the critic did not expect",
    needs=("proxy", "reference_scores"),
    critic=Critic(GAMMA, LAM),
)
RAW = replace(METHOD, name="par-baseline", title="PPO on the score itself", reward=at_end(PROXY), credit=credit(PROXY))
RECIPE = with_control(
    replace(METHOD, baseline=RAW),
    "PAR with the scores shuffled over the plays of the group",
    credit(reward(shuffled(PROXY))),
    reward=at_end(reward(shuffled(PROXY))),
)
