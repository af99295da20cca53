"""PAV: outcomes compared in the group, plus each step's progress under another policy.

Paper       Setlur et al., Rewarding Progress: Scaling Automated Process Verifiers for LLM
            Reasoning. 2024. arXiv:2410.08146.
Idea        A step is good if it makes a prover, another policy, more likely to finish; that
            tells actions apart where one's own outcomes do not.
Composes    centred(outcome, baseline=Others()) + ALPHA * step_term(gain(prover_value)).

Symbols     V[t]   `prover_value`, the prover's chance of success before step t; `next_prover_value` after
            A[t] = (R - mean of the other plays) + ALPHA * (V[t+1] - V[t])

The bonus is the step's own. Summed to go (`to_go_form`) it telescopes to the prover's last
value less V[t]: the outcome counted ALPHA times more, less a number that the action does not
enter. So that form is a null control: its expected gradient is (1 + ALPHA) times the plain one.
As a bias the bonus can move the best policy where the prover is misaligned.

Departures  The paper's Q of the policy is here the outcome of the play less that of the others.
            ALPHA is second hand ("3 to 5"). The prover is whatever filled the column.

Example (the first play's second step is what made the prover sure):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> value = {"prover_value": [0.5, 0.5, 0.5, 0.25], "next_prover_value": [0.5, 1.0, 0.25, 0.0]}
    >>> batch = batch.with_columns(**{name: Column.of("step", values) for name, values in value.items()})
    >>> RECIPE.credit(batch).values
    array([ 1.  ,  2.5 , -1.75, -1.75])
"""

from guerdon.credit import Credit, Others, centred, gain, shuffled, step_term, to_go_of
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

ALPHA = 3.0  # UNVERIFIED: 3 to 5 for training

OUTCOME = fact("outcome")
PROGRESS = gain("prover_value")


def credit(alpha: float = ALPHA, progress: Term = PROGRESS) -> Credit:
    """The advantage with another weight, or another prover's progress."""
    return centred(OUTCOME, baseline=Others()) + alpha * step_term(progress)


def to_go_form(alpha: float = ALPHA, progress: Term = PROGRESS) -> Credit:
    """The null control: the same progress summed to go, which says nothing new."""
    return centred(OUTCOME, baseline=Others()) + alpha * to_go_of(progress)


RECIPE = with_control(
    Recipe(
        name="pav",
        title="PAV",
        paper="Setlur et al., Rewarding Progress, 2024, arXiv:2410.08146",
        idea="Compare outcomes, and give each step its progress under another policy.",
        reward=at_end(OUTCOME) + ALPHA * PROGRESS,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "ALPHA": Number(ALPHA, "UNVERIFIED", "3 to 5 for training"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        alone="a group of one gets its own progress, which is compared with nothing",
        told="values",
        needs=("outcome", "prover_value", "next_prover_value"),
        baseline=rloo.RECIPE,
    ),
    "PAV with the prover's progress shuffled over the steps of the group",
    credit(progress=shuffled(PROGRESS)),
    reward=at_end(OUTCOME) + ALPHA * shuffled(PROGRESS),
)
