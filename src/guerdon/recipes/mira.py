"""MiRA: milestones shape what a critic is paid, and the policy's log-ratio is fitted to the advantage.

Paper       A Subgoal-driven Framework for Improving Long-Horizon LLM Agents. 2026. arXiv:2603.19685.
Idea        Progress towards milestones is a potential: dense where the outcome is silent. Near the end
            what happened is trusted, before it the critic.
Composes    doubly_robust_of(at_end(outcome) + ALPHA * potential(progress), GAMMA, LAM, returns=at_end(outcome));
            Regress(BETA, ratio=StepProduct(), reduce=StepMean()).

Symbols     P[t]   progress: the share of milestones complete after step t, or a critic's estimate of it
            V[t]   value: the critic's probability of success before step t
            r''  = r + ALPHA (GAMMA P[t] - P[t-1]),   P = 0 before the first step
            A[t] = w (G[t] - V[t]) + (1 - w) (r''[t] + GAMMA V[t+1] - V[t]),   w = LAM^(steps left after t)
            loss = mean over steps of (BETA log(pi / ref)(action) - A)^2

`guerdon.rewards.interpolated(progress)` is the label that the paper's progress critic learns; put its estimates
in `progress` to have the learned potential.

Departures  The values of ALPHA, LAM and BETA were not found, and the form of A is that of its relatives (DigiRL,
            WebRL). At the last step w is 1, so what r'' is there is never read. The critic is fitted by squares, the
            paper's by cross-entropy. WebRL's code, which this grew from, takes only the sign of A,
            masks what is negative and fits the mean log-ratio of an action's tokens; here it is A and the sum.

Example (two steps; the first completes half of the milestones, the second wins):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
    >>> batch = batch.with_columns(progress=Column.of("step", [0.5, 1.0]), value=Column.of("step", [0.25, 0.5]))
    >>> credit(alpha=1.0, lam=0.5)(batch).values
    array([0.75, 0.5 ])
"""

from guerdon.credit import Credit, shuffled
from guerdon.credit.doubly_robust import doubly_robust_of
from guerdon.objectives import Regress, StepMean, StepProduct
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact, potential

ALPHA = 0.5  # ours: not found
GAMMA = 1.0  # ours: so that the shaping of a play adds up to nothing
LAM = 0.9  # ours: not found
BETA = 0.1  # ours: not found

REWARD = at_end(fact("outcome"))
PROGRESS = fact("progress")


def credit(alpha: float = ALPHA, gamma: float = GAMMA, lam: float = LAM, progress: Term = PROGRESS) -> Credit:
    """The advantage with other constants; alpha 0 has no milestones, with lam 1 the critic is a baseline only."""
    shaped = REWARD + alpha * potential(progress, gamma, bootstrapped=True)
    return doubly_robust_of(shaped, gamma, lam, returns=REWARD)


RECIPE = with_control(
    Recipe(
        name="mira",
        title="MiRA",
        paper="A Subgoal-driven Framework for Improving Long-Horizon LLM Agents, 2026, arXiv:2603.19685",
        idea="Milestones as a potential, doubly robust advantages, and regression instead of a policy gradient.",
        reward=REWARD,
        credit=credit(),
        objective=Regress(BETA, ratio=StepProduct(), reduce=StepMean()),
        numbers={
            "ALPHA": Number(ALPHA, "ours", "the paper's value was not found"),
            "GAMMA": Number(GAMMA, "ours", "the paper's value was not found"),
            "LAM": Number(LAM, "ours", "the paper's value was not found"),
            "BETA": Number(BETA, "ours", "the paper's value was not found"),
        },
        told="milestones",
        alone="a group of one, and one that agrees, gets what the critic did not expect",
        needs=("outcome", "progress"),
        critic=Critic(GAMMA, 1.0),
        baseline=ppo.RECIPE,
    ),
    "MiRA with its progress shuffled over the steps of the group",
    credit(progress=shuffled(PROGRESS)),
)
