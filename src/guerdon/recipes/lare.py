"""LaRe: a return redistributed by a linear function of a few features of each step.

Paper       Latent Reward: LLM-Empowered Credit Assignment in Episodic Reinforcement Learning.
Idea        A few factors that say what a step did are enough to tell, across plays, which steps the
            return came from.
Composes    centred(to_go_of(by_features(outcome)), by=(prompt, turn), baseline=Others()).

Symbols     phi[t]  the step's `features`, given
            w     = argmin over plays of (sum of phi[t] . w - R)^2 + RIDGE |w|^2,  once for the batch
            r[t]  = phi[t] . w;   A[t] = sum over k >= t of r[k] - mean of the others at the same turn

`credit(rows=RandomSubset(K))` is the randomised form: T/K times the sum over K steps drawn at random
stands for the whole sum, which also pulls shares towards equal ones. With a constant feature every step of
every play gets the same number and nothing of the play is left.

Departures  Features are given; the paper has a language model write their code. The decoder is linear
            (the paper also has a small network), fitted on this batch alone by ridge regression. Returns
            are compared with the other plays at the same turn; the paper trains an actor and a critic.

Example (the second feature marks what wins):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(features=Column.of("step", [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    >>> (credit(ridge=0.0)(batch).values.round(6) + 0.0)
    array([ 1.,  1., -1., -1.])
"""

from guerdon.credit import Credit, Others, Turn, by_features, centred, shuffled, to_go_of
from guerdon.credit.redistribute import WHOLE, Rows
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

RIDGE = 0.01  # ours: features that hardly differ get no large weights of opposite sign
GAMMA = 1.0  # ours: what was redistributed adds up undiscounted

OUTCOME = fact("outcome")
SHARES = by_features(OUTCOME, "features", ridge=RIDGE)
SHUFFLED = by_features(shuffled(OUTCOME, across=True), "features", ridge=RIDGE)


def credit(ridge: float = RIDGE, rows: Rows = WHOLE, outcome: Term = OUTCOME, column: str = "features") -> Credit:
    """The advantage with another fit, or other features."""
    shares = by_features(outcome, column, ridge=ridge, rows=rows)
    return centred(to_go_of(shares, GAMMA), by=("prompt", Turn()), baseline=Others())


RECIPE = with_control(
    Recipe(
        name="lare",
        title="LaRe (redistribution)",
        paper="Latent Reward: LLM-Empowered Credit Assignment in Episodic Reinforcement Learning",
        idea="Redistribute the return by a linear function of a few features.",
        reward=SHARES,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "RIDGE": Number(RIDGE, "ours", "no large weights of opposite sign"),
            "GAMMA": Number(GAMMA, "ours", "shares add up undiscounted"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="features",
        needs=("outcome", "features"),
        baseline=rloo.RECIPE,
    ),
    "LaRe fitted to outcomes shuffled over the plays of the batch",
    credit(outcome=shuffled(OUTCOME, across=True)),
    reward=SHUFFLED,
)
