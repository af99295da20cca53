"""OTA: a critic that looks one option ahead, not one step, so that far goals stay in sight.

Paper       Option-aware Temporally Abstracted Value for Offline Goal-Conditioned Reinforcement
            Learning. 2025.
Idea        With one reward and one discount an option, the horizon is shorter by its length, and the sign
            of V(later) - V(now) can be trusted far from the goal.
Composes    gae_of(at_end(outcome) - tick_end(segment), GAMMA, lam=0, clock=PerSegment("segment")).

Symbols     an option: a run of steps with one `segment`;  s' the state after it
            y = r + GAMMA * V(s'),   r = 0 if the play reached its goal in it, else -1
            A = y - V(s),  the same for all steps of the option;  V(s') = 0 at the goal

GAMMA acts once an option, whatever its length. On the best path V(s) = -(1 - GAMMA^(k - 1)) / (1 - GAMMA)
with k options to go: a staircase that is blind inside an option. Every option of a failed play
costs 1, so a group of one gets what the critic did not expect, and a group that agrees too.

Departures  The credit part only. The paper learns V offline by expectile regression (0.7) on goals from
            hindsight, takes the option backup from every state, and weighs imitation by
            exp(3 A), capped at 100; here V is the critic's column, options are the segments of what
            was played, and A goes into the clipped surrogate. An option cut off by a truncation
            bootstraps `next_value`.

Example (an option of two steps, then one of one step, which reaches the goal):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 0.0, 1.0])
    >>> batch = batch.with_columns(segment=Column.of("step", [1, 1, 2]), value=Column.of("step", [-2.0, -9.0, -0.5]))
    >>> RECIPE.credit(batch).values
    array([0.505, 0.505, 0.5  ])
"""

from guerdon.credit import Clock, Credit, PerSegment, gae_of, shuffled, tick_end
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

GAMMA = 0.99  # code: OTA agent, discount
LAM = 0.0  # code: OTA agent, one option backup
OPTIONS = PerSegment("segment")

OUTCOME = fact("outcome")


def reward(clock: Clock = OPTIONS, outcome: Term = OUTCOME) -> Term:
    """-1 for each option but one that reached the goal."""
    return at_end(outcome) - tick_end(clock)


def credit(clock: Clock = OPTIONS, gamma: float = GAMMA, lam: float = LAM, outcome: Term = OUTCOME) -> Credit:
    """The advantage with other options, such as `Every(5)`."""
    return gae_of(reward(clock, outcome), gamma, lam, clock)


RECIPE = with_control(
    Recipe(
        name="ota",
        title="OTA (option backup)",
        paper="Option-aware Temporally Abstracted Value for Offline Goal-Conditioned RL, 2025",
        idea="Back values up over options, one reward and one discount each.",
        reward=reward(),
        credit=credit(),
        objective=ppo.RECIPE.objective,
        numbers={
            "GAMMA": Number(GAMMA, "code", "OTA agent, discount"),
            "LAM": Number(LAM, "code", "OTA agent, one option backup"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        alone="a group of one, and one that agrees, get what the critic did not expect of their options",
        told="states",
        needs=("outcome", "segment"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "OTA with its advantages shuffled over the steps of the group",
    shuffled(credit()),
)
