"""SPA-RL: the final reward attributed to steps as progress, plus a bonus for steps that were accepted.

Paper       SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution. 2025.
Idea        A model of each step's contribution, whose sum over a play is the final reward, gives a
            reward per step from the outcome alone.
Composes    gae_of(ALPHA * by_features(outcome) + BETA * grounded, GAMMA, LAM).

Symbols     c[t]  contribution: linear in the step's `features`, fitted so that sums over plays
                  come closest to the outcome
            g[t]  1 where the environment accepted the action (`action_valid`); the last step always
            r[t] = ALPHA c[t] + BETA g[t];   A from r by GAE with a value per step

The bonus can be farmed: a play that wanders with accepted actions gains BETA a step, so it pays
where BETA * (further steps) > ALPHA * outcome. A group of one gets what the critic did not expect.

Departures  Features are given and the fit is linear, on this batch; the paper trains a language model
            with a linear head on explored plays and freezes it. The released data script for
            WebShop overwrites c[t] by the outcome less the mean of the task's other plays, the same
            for every turn; we follow the paper. GAMMA and LAM are the defaults of the trainer
            that the code extends; its configuration file was not seen.

Example (the second feature marks what wins; all actions were accepted):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(features=Column.of("step", [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    >>> batch = batch.with_columns(action_valid=Column.of("step", [1.0] * 4), value=Column.of("step", [0.5] * 4))
    >>> credit(lam=0.0)(batch).values.round(6)
    array([0.5, 1. , 0.5, 0. ])
"""

from guerdon.credit import Credit, before_end, by_features, gae_of, shuffled
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, fact, unfailed

ALPHA = 1.0  # code: prm/rl_data_org.py, contributions as they are
BETA = 0.5  # code: prm/rl_data_org.py, grounding_values
GAMMA = 1.0  # UNVERIFIED: default of the trainer that the code extends
LAM = 0.95  # UNVERIFIED: default of the trainer that the code extends

OUTCOME = fact("outcome")
GROUNDED = before_end(unfailed(fact("action_valid"))) + at_end(affine(OUTCOME, 0.0, 1.0))


def reward(alpha: float = ALPHA, beta: float = BETA, outcome: Term = OUTCOME) -> Term:
    """The reward of a step with other weights of contribution and bonus."""
    return alpha * by_features(outcome, "features") + beta * GROUNDED.named("grounded")


def credit(
    alpha: float = ALPHA, beta: float = BETA, gamma: float = GAMMA, lam: float = LAM, outcome: Term = OUTCOME
) -> Credit:
    """The advantage with other constants."""
    return gae_of(reward(alpha, beta, outcome), gamma, lam)


RECIPE = with_control(
    Recipe(
        name="spa-rl",
        title="SPA-RL",
        paper="SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution, 2025",
        idea="Attribute the final reward to steps as progress, and pay for accepted actions.",
        reward=reward(),
        credit=credit(),
        objective=ppo.RECIPE.objective,
        numbers={
            "ALPHA": Number(ALPHA, "code", "prm/rl_data_org.py"),
            "BETA": Number(BETA, "code", "prm/rl_data_org.py, grounding_values"),
            "GAMMA": Number(GAMMA, "UNVERIFIED", "default of the trainer that the code extends"),
            "LAM": Number(LAM, "UNVERIFIED", "default of the trainer that the code extends"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        told="features",
        alone="a group of one, and one that agrees, get what the critic did not expect of outcome and bonus",
        needs=("outcome", "features", "action_valid"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "SPA-RL fitted to outcomes shuffled over the plays of the batch",
    credit(outcome=shuffled(OUTCOME, across=True)),
    reward=reward(outcome=shuffled(OUTCOME, across=True)),
)
