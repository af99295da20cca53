"""TGDPO: DPO in which tokens weigh by what a model trained on preferences says of them.

Paper       Zhu et al., TGDPO: Harnessing Token-Level Reward Guidance for Enhancing Direct
            Preference Optimization. 2025. arXiv:2506.14574.
Idea        A model that was trained by DPO is a reward of tokens. In the preferred play its good tokens should move
            more, in the other its bad ones.
Composes    centred(outcome); Preference(BETA, tokens=Guided(ALPHA * BETA, FromTeacher())).

Symbols     r[t] = teacher_logprob - ref_logprob,   the teacher is the model trained by DPO
            f[t] = 1 + ALPHA * BETA * r[t] in the preferred play, 1 - ALPHA * BETA * r[t] in the other
            loss = -log sigmoid(BETA * (sum of f * (logprob - ref_logprob) in the one - the same in the other))

With ALPHA = 0, or a teacher that is the reference, it is DPO.

Departures  A weight below 0 counts as 0, so that no token changes sides. Pairs are the best and the worst
            of a prompt's own plays, as in the recipe dpo.

Example (what is preferred is the outcome's to say):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> RECIPE.credit(batch).values, sorted(RECIPE.objective.needs)
    (array([ 0.5, -0.5]), ['group', 'ref_logprob', 'teacher_logprob'])
"""

from guerdon.credit import centred, shuffled
from guerdon.objectives import FromTeacher, Guided, Objective, Preference
from guerdon.recipes import dpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

ALPHA = 0.5  # code: dvlab-research/TGDPO examples/llama3_8b_instruct_tgdpo.yaml
BETA = 0.1  # code: dvlab-research/TGDPO examples/llama3_8b_instruct_tgdpo.yaml

OUTCOME = fact("outcome")


def objective(alpha: float = ALPHA, beta: float = BETA) -> Objective:
    """The loss with another weight of the guidance; alpha = 0 is DPO."""
    return Preference(beta, tokens=Guided(alpha * beta, FromTeacher()))


RECIPE = with_control(
    Recipe(
        name="tgdpo",
        title="TGDPO",
        paper="Zhu et al., TGDPO, 2025, arXiv:2506.14574",
        idea="Weigh the tokens of DPO by the reward that a model trained by it gives them.",
        reward=OUTCOME,
        credit=dpo.CREDIT,
        objective=objective(),
        numbers={
            "ALPHA": Number(ALPHA, "code", "examples/llama3_8b_instruct_tgdpo.yaml"),
            "BETA": Number(BETA, "code", "examples/llama3_8b_instruct_tgdpo.yaml; notes on the paper have 0.01"),
        },
        told="token signals",
        needs=("outcome", "teacher_logprob"),
        baseline=dpo.RECIPE,
    ),
    "TGDPO with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
