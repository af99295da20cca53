"""SuperHF: fine-tuning on the best play of each prompt, held near the first policy.

Paper       Mukobi et al., SuperHF: Supervised Iterative Learning from Human Feedback. 2023.
            arXiv:2310.16763.
Idea        Sample many, keep the best, imitate it; a KL prior does what PPO's machinery is there for.
Composes    centred(outcome); ImitateBest() + KL(C, K3()).

Symbols     loss = -(mean over groups of the mean logprob of its best play) + C * KL(first policy, policy)

With C = 0 it is supervised fine-tuning on the best play. For one winner the pull ends where its
probability is (1 + C * p0) / (1 + C), p0 that under the first policy.

Departures  The KL of the code is over the whole vocabulary, on the tokens of the winner, and held at 0 from below;
            here it is K3 on the tokens of all plays, whose expected gradient is that of the same direction
            (first against current, which covers). A group that agrees has no best play. The paper keeps 1 of 32.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> RECIPE.credit(batch).values, RECIPE.objective.parts
    (array([ 0.5, -0.5]), ('best_imitation', 'kl_ref_loss'))
"""

from guerdon.credit import centred, shuffled
from guerdon.objectives import K3, KL, ImitateBest, Objective
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

C = 0.23  # code: openfeedback/superhf, its LLaMA run; the default of the code is 0

OUTCOME = fact("outcome")


def objective(c: float = C) -> Objective:
    """The loss with another pull to the first policy."""
    return ImitateBest() + KL(c, K3())


RECIPE = with_control(
    Recipe(
        name="superhf",
        title="SuperHF",
        paper="Mukobi et al., SuperHF, 2023, arXiv:2310.16763",
        idea="Imitate the best of many plays, held near the first policy.",
        reward=OUTCOME,
        credit=centred(OUTCOME),
        objective=objective(),
        numbers={"C": Number(C, "code", "openfeedback/superhf, its LLaMA run; the default of the code is 0")},
        baseline=rloo.RECIPE,
    ),
    "SuperHF with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
