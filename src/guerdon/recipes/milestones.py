"""Milestones: outcomes compared in the group, plus what each step itself did to the progress.

Paper       ours. The progress label is that of MiRA (A Subgoal-driven Framework for Improving
            Long-Horizon LLM Agents), without its critics and its regression loss.
Idea        A group without a success says nothing about outcomes, but its steps still
            differ in progress; that difference goes to the step itself.
Composes    centred(outcome) + ALPHA * step_term(GAMMA * psi' - psi).

Symbols     psi[t]   progress interpolated in time between milestones, after step t; 0 before
                     the first step, 1 at a success
            A[t]   = (R - mean of the group) + ALPHA * (GAMMA * psi[t] - psi[t-1])

The difference is credit, not reward: it acts on its own step and is not summed to go. So the
contract on potentials, that Phi is 0 at the end, does not apply: nothing telescopes here,
and a drop to 0 would only punish the last action of every play, most of all the action that
solves the task. psi stays where it is at the end, finished or truncated.
GAMMA is 1: below it, each step costs (1 - GAMMA) * psi, so a play that is stuck late pays more
than one that is stuck early, a price on progress. With 1 being stuck earns 0.
The policy that is best for this credit need not be best for the outcome: it is a bias,
bought for signal where the outcome is silent. The bias is bounded, as the differences of a play
sum to at most ALPHA.

Departures  from MiRA: no learned potential, no critics, no doubly robust mix, clipped
            surrogate in place of log-ratio regression.

Example (two failures: the first completes one of two milestones at its second step):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 5, trajectory=[0, 0, 0, 1, 1], reward=[0.0] * 5)
    >>> batch = batch.with_columns(progress=Column.of("step", [0.0, 0.5, 0.5, 0.0, 0.0]))
    >>> RECIPE.credit(batch).values
    array([1., 1., 0., 0., 0.])
"""

from guerdon.credit import Credit, centred, shuffled, step_term
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, delta, fact, interpolated

ALPHA = 4.0  # ours: of four milestones each weighs as much as an outcome; 1 and 10 were tried, see docs/log.md
GAMMA = 1.0  # ours: being stuck earns 0

OUTCOME = fact("outcome")


def shaping(gamma: float = GAMMA) -> Term:
    """gamma * psi' - psi, with psi left as it is at the end."""
    psi = interpolated(fact("progress"))
    rise = delta(psi)
    return (rise if gamma == 1.0 else rise - (1.0 - gamma) * psi).named("milestones")


def credit(alpha: float = ALPHA, gamma: float = GAMMA) -> Credit:
    """The advantage with other weights."""
    return centred(OUTCOME) + alpha * step_term(shaping(gamma))


RECIPE = with_control(
    Recipe(
        name="milestones",
        title="Milestones",
        paper="ours; progress label of MiRA",
        idea="Compare outcomes in the group, and give each step what it did to the progress.",
        reward=at_end(OUTCOME) + ALPHA * shaping(),
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "of four milestones each weighs as much as an outcome; 1 and 10 were tried"),
            "GAMMA": Number(GAMMA, "ours", "being stuck earns 0"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        alone="a group of one gets its own shaping, which is compared with nothing",
        told="milestones",
        needs=("outcome", "progress"),
        baseline=grpo.RECIPE,
    ),
    # At the baseline's size the control would be zero just where the method speaks, in groups
    # without a success; so the same values go to other steps of the group.
    "Milestones with the steps' progress shuffled over the steps of the group",
    centred(OUTCOME) + ALPHA * step_term(shuffled(shaping())),
    reward=at_end(OUTCOME) + ALPHA * shuffled(shaping()),
)
