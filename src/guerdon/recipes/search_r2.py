"""Search-R2: a right answer is paid more the more of its searches were of use; a wrong one nothing.

Paper       Search-R2: Enhancing Search-Integrated Reasoning via Actor-Refiner Collaboration. 2026.
            arXiv:2602.03647.
Idea        A factor on the outcome tells good searching from lucky searching and cannot be had without an answer.
Composes    centred(outcome * (1 + mean_where(useful, searched)), scale=Std(EPS)).

Symbols     u[i]   1 where the judge finds what search i brought useful for the answer and new
            R = outcome * (1 + mean of u over the searches);   the mean of no search is 0

A mean favours one safe search over several. A group without a success has no signal, however well it searched.

Departures  The paper's refiner (accept, or cut and write anew) is sampling: its repaired plays come in the batch as
            any other. What the tokens of its decisions get is the play's advantage, as in the paper.

Example (a right answer with one useful search of two, one without a search, and a wrong one):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 2], reward=[0.0, 1.0, 1.0, 0.0])
    >>> searches = {"searched": [1.0, 1.0, 0.0, 1.0], "useful": [1.0, 0.0, None, None]}
    >>> RECIPE.reward(batch.with_columns(**{k: Column.of("step", v) for k, v in searches.items()})).values
    array([1.5, 1. , 0. ])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact
from guerdon.rewards.actions import mean_where
from guerdon.rewards.shaping import product

BONUS = 1.0  # UNVERIFIED: public reading notes, R = r_out (1 + r_proc)

OUTCOME, USEFUL, SEARCHED = fact("outcome"), fact("useful"), fact("searched")


def reward(bonus: float = BONUS, useful: Term = USEFUL) -> Term:
    """The worth of a play under another weight of its searches, or another judge."""
    return product(OUTCOME, affine(mean_where(useful, SEARCHED), scale=bonus, offset=1.0))


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth, scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="search-r2",
        title="Search-R2",
        paper="Search-R2: Search-Integrated Reasoning via Actor-Refiner Collaboration, 2026, arXiv:2602.03647",
        idea="Multiply the outcome by how useful the searches were.",
        reward=reward(),
        credit=credit(reward()),
        objective=grpo.OBJECTIVE,
        numbers={
            "BONUS": Number(BONUS, "UNVERIFIED", "public reading notes"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="judge votes",
        needs=("outcome", "searched", "useful"),
        baseline=grpo.RECIPE,
    ),
    "Search-R2 with the judge's verdicts shuffled over the searches of the group",
    credit(reward(useful=shuffled(USEFUL))),
    reward=reward(useful=shuffled(USEFUL)),
)
