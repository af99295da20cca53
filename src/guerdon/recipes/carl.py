"""CaRL: progress times penalties, and nothing added, so that nothing can be traded for progress.

Paper       CaRL: Learning Scalable Planning Policies with Simple Rewards. 2025.
Idea        Sums of shaped terms have local optima (a parked car keeps its lane); a product pays nothing without
            progress, and less for progress that breaks a rule.
Composes    whitened(gae_of(product(record(progress), slopes(lane_distance), slopes(overspeed), worst_so_far(near_miss
            factor), comfort, no violation) - PENALTY * violation, GAMMA, LAM)); PPO.

Symbols     RC[t]   what step t adds to the best completion so far: driving back and on again is not paid twice
            p[t]    factors in [0, 1]: lane (1 up to FREE, EDGE_FACTOR at EDGE), speed (1 at 0, 0 at FAST), NEAR from
                    the first near miss on, comfort (the share of bounds kept), 0 at a violation
            r[t] = RC[t] * product of p[t] - PENALTY at a violation

Departures  Completion counts to 1, the paper's to 100. PENALTY is 1 % of the route, as in another implementation of the
            CARLA reward; the released nuPlan configuration has 0. GAMMA and LAM were not seen. The host ends
            the play at a violation. The factor for leaving the route is not here.
Control     The same terms with the factors shuffled over the steps of the group.

Example (a quarter of the way at full worth, back and on again for nothing, a quarter near another car):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4)
    >>> facts = {"progress": [0.25, 0.0, 0.25, 0.5], "near_miss": [0.0, 0.0, 0.0, 1.0], "comfort": [1.0] * 4}
    >>> facts |= {name: [0.0] * 4 for name in ("lane_distance", "overspeed", "violation")}
    >>> reward()(batch.with_columns(**{k: Column.of("step", v) for k, v in facts.items()})).values
    array([0.25 , 0.   , 0.   , 0.125])
"""

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact
from guerdon.rewards.paths import record, worst_so_far
from guerdon.rewards.shaping import product, slopes

FREE, EDGE = 0.5, 1.75  # code: CaRL lane free to 0.5 m; ours: the border of a lane of 3.5 m
EDGE_FACTOR = 0.5  # code: CaRL default_reward_builder.py
FAST = 2.23  # code: CaRL, 8 km/h
NEAR = 0.5  # code: CaRL, time to collision
PENALTY = 0.01  # UNVERIFIED: another implementation, 1 of 100; nuPlan's default is 0
GAMMA = 0.99  # ours
LAM = 0.95  # ours

VIOLATION = fact("violation")
LANE = slopes(fact("lane_distance"), at=(FREE, EDGE), values=(1.0, EDGE_FACTOR))
SPEED = slopes(fact("overspeed"), at=(0.0, FAST), values=(1.0, 0.0))
CAUTION = worst_so_far(affine(fact("near_miss"), scale=NEAR - 1.0, offset=1.0))
FACTORS = product(LANE, SPEED, CAUTION, fact("comfort"), affine(VIOLATION, scale=-1.0, offset=1.0))


def reward(factors: Term = FACTORS, penalty: float = PENALTY) -> Term:
    """The reward of a step under other factors."""
    return product(record(fact("progress")), factors).named("progress kept") - penalty * VIOLATION


def credit(worth: Term, gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage of step rewards."""
    return whitened(gae_of(worth, gamma, lam))


RECIPE = with_control(
    Recipe(
        name="carl",
        title="CaRL",
        paper="CaRL: Learning Scalable Planning Policies with Simple Rewards, 2025",
        idea="Multiply progress by penalties; add nothing that could be had without it.",
        reward=reward(),
        credit=credit(reward()),
        objective=ppo.RECIPE.objective,
        numbers={
            "FREE": Number(FREE, "code", "CaRL, metres off the lane's middle that cost nothing"),
            "EDGE": Number(EDGE, "ours", "the border of a lane of 3.5 m"),
            "EDGE_FACTOR": Number(EDGE_FACTOR, "code", "CaRL default_reward_builder.py"),
            "FAST": Number(FAST, "code", "CaRL, m/s above the limit"),
            "NEAR": Number(NEAR, "code", "CaRL, after the first near miss"),
            "PENALTY": Number(PENALTY, "UNVERIFIED", "another implementation; nuPlan's default is 0"),
            "GAMMA": Number(GAMMA, "ours", "not seen; the paper's is high"),
            "LAM": Number(LAM, "ours", "not seen"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        told="milestones",
        alone="a group of one gets what the critic did not expect",
        needs=("progress", "lane_distance", "overspeed", "near_miss", "comfort", "violation"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "CaRL with the factors shuffled over the steps of the group",
    credit(reward(shuffled(FACTORS))),
    reward=reward(shuffled(FACTORS)),
)
