"""P3O: the policy gradient of pairs, which no reward common to a prompt can move.

Paper       Wu et al., Pairwise Proximal Policy Optimization: Harnessing Relative Feedback for LLM
            Alignment. 2023. arXiv:2310.00212.
Idea        A reward model is trained on comparisons and says nothing of the level of a prompt, so train on
            differences of rewards and learn no critic.
Composes    centred(outcome); PairClipped(LOW, HIGH, Separate()) over every two plays of a prompt.

Symbols     A = (R[i] - R[j]) / 2,   r[i] = the ratio of play i to the policy that sampled
            loss = -mean over pairs of clipped(r[i], A) + clipped(r[j], -A)

At ratio 1 it is RLOO on whole plays, whatever the size of a group; with two plays it is so for any ratio.

Departures  The paper's clips were not read: `Separate` is its version with a clip for each play, `Joint` that with
            one for the pair, both by derivation; the bounds are PPO's. Its KL in the reward is a term of the reward,
            or `+ KL(beta)`; here there is none. The paper has two plays a prompt, here every pair counts.

Example (the difference of credits is that of rewards):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[3.0, 1.0])
    >>> RECIPE.credit(batch).values
    array([ 1., -1.])
"""

from guerdon.credit import centred, shuffled
from guerdon.objectives import Joint, Objective, PairClipped, Separate
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

LOW = 0.2  # ours: PPO's; the paper's were not read
HIGH = 0.2  # ours: PPO's; the paper's were not read

OUTCOME = fact("outcome")


def objective(low: float = LOW, high: float = HIGH, bound: Separate | Joint | None = None) -> Objective:
    """The loss with other bounds, or with one clip for the pair."""
    return PairClipped(low, high, bound or Separate())


RECIPE = with_control(
    Recipe(
        name="p3o",
        title="P3O",
        paper="Wu et al., Pairwise Proximal Policy Optimization, 2023, arXiv:2310.00212",
        idea="The policy gradient of differences of rewards, with a clip and without a critic.",
        reward=OUTCOME,
        credit=centred(OUTCOME),
        objective=objective(),
        numbers={
            "LOW": Number(LOW, "ours", "PPO's; the paper's were not read"),
            "HIGH": Number(HIGH, "ours", "PPO's; the paper's were not read"),
        },
        baseline=rloo.RECIPE,
    ),
    "P3O with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
