"""Router-R1: form first, then the answer, and only for a right answer the cost of the models that were asked.

Paper       Router-R1: Teaching LLMs Multi-Round Routing and Aggregation via Reinforcement Learning. 2025.
Idea        A hierarchy of gates: cheapness is paid to right answers alone, so that guessing for free is worth nothing.
Composes    whitened(gae_of(at_end(gate(gate((1 - COST) outcome + COST * cheapness, when=outcome), when=well_formed)
            + well_formed - 1), GAMMA, LAM)); PPO.

Symbols     R = -1 out of form;   0 wrong;   (1 - COST) * outcome + COST * c right
            c = 1 - clip((sqrt(cost) - q05) / (q95 - q05), 0, 1);   1/2 where the two quantiles are equal

Departures  The quantiles are those of the batch, over all plays in it; the code's are of the last 1,000 values. COST
            is from the paper's trade-off study; its default is 0, which is plain PPO with a format gate.

Example (right and cheap, right and dear, wrong and cheap, out of form):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=range(4), reward=[1.0, 1.0, 0.0, 1.0])
    >>> facts = {"cost": [0.0, 100.0, 0.0, 100.0], "well_formed": [1.0, 1.0, 1.0, 0.0]}
    >>> batch = batch.with_columns(**{k: Column.of("trajectory", v) for k, v in facts.items()})
    >>> reward()(batch).values.round(6)
    array([ 1. ,  0.4,  0. , -1. ])
"""

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, fact, gate
from guerdon.rewards.bounded import between_quantiles
from guerdon.rewards.shaping import root

COST = 0.6  # UNVERIFIED: the lowest of the trade-off study, 0.6 to 0.9; the default is 0
Q_LOW, Q_HIGH = 0.05, 0.95  # code: Router-R1 verl/trainer/main_ppo.py
GAMMA, LAM = ppo.GAMMA, ppo.LAM

OUTCOME, PRICE, FORM = fact("outcome"), fact("cost"), fact("well_formed")


def reward(cost: float = COST, price: Term = PRICE) -> Term:
    """The worth of a play under another share of cost, or another price."""
    cheapness = affine(between_quantiles(root(price), Q_LOW, Q_HIGH), scale=-1.0, offset=1.0).named("cheapness")
    right = gate((1.0 - cost) * OUTCOME + cost * cheapness, when=OUTCOME)
    return gate(right, when=FORM) + affine(FORM, offset=-1.0)


def credit(worth: Term) -> Credit:
    """The advantage of a worth paid at the end."""
    return whitened(gae_of(at_end(worth), GAMMA, LAM))


RECIPE = with_control(
    Recipe(
        name="router-r1",
        title="Router-R1",
        paper="Router-R1: Teaching LLMs Multi-Round Routing and Aggregation via Reinforcement Learning, 2025",
        idea="Pay for form, then for the answer, and only a right answer for being cheap.",
        reward=at_end(reward()),
        credit=credit(reward()),
        objective=ppo.RECIPE.objective,
        numbers={
            "COST": Number(COST, "UNVERIFIED", "the lowest of the trade-off study; the default is 0"),
            "Q_LOW": Number(Q_LOW, "code", "Router-R1 main_ppo.py"),
            "Q_HIGH": Number(Q_HIGH, "code", "Router-R1 main_ppo.py"),
            "GAMMA": Number(GAMMA, "code", "as in ppo"),
            "LAM": Number(LAM, "code", "as in ppo"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        told="several outcomes",
        alone="a group of one, and one that agrees, get what the critic did not expect",
        needs=("outcome", "well_formed", "cost"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "Router-R1 with costs shuffled over the plays of the group",
    credit(reward(price=shuffled(PRICE))),
    reward=at_end(reward(price=shuffled(PRICE))),
)
