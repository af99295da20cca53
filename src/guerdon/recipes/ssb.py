"""SSB: the policy, told a right and a wrong solution, writes a better one; without them it learns the same words.

Paper       Semantic Soft Bootstrapping: Long Context Reasoning in LLMs without Reinforcement Learning. 2025.
Idea        A model with hints in its context is a teacher of itself without them: no larger model, no
            policy gradient, and a whole distribution to learn from at every token.
Composes    only_where(outcome, where=outcome); T^2 * Distil(ForwardKL(), buckets=Renormalised(T)).

Symbols     q[t]   the next-token distribution of the policy with both solutions in its context, softened by T
            p[t]   that of the policy with the question alone, softened by T
            loss = T^2 * mean over tokens of KL(q, p)
            A    = 1 for the tokens of solutions that verify; the others are dropped. Only who is kept
                   matters: no advantage enters the loss.

The plays are written by the teacher, one right and the most frequent wrong solution of a group in its context,
and carry `top`, the log-probabilities of the whole vocabulary under both: what a host stores.

Departures  None of the optional cross-entropy, whose weight is 0 in the released script.

Example (the second solution does not verify):
    >>> from guerdon.batch import Batch
    >>> RECIPE.credit(Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])).valid
    array([ True, False])
"""

from dataclasses import replace

from guerdon.credit import Credit, only_where, shuffled, step_term
from guerdon.objectives import Distil, ForwardKL, Imitate, Objective, Renormalised
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

T = 2.0  # code: ssb_train.py

OUTCOME = fact("outcome")


def credit(right: Term = OUTCOME) -> Credit:
    """1 for every step of a solution that verifies, by another word for right."""
    return only_where(step_term(right), where=right)


def objective(temperature: float = T) -> Objective:
    """The loss at another temperature; the factor keeps the size of the gradient."""
    return temperature**2 * Distil(ForwardKL(), buckets=Renormalised(temperature))


BASE = Recipe(
    name="ssb",
    title="Semantic soft bootstrapping",
    paper="Semantic Soft Bootstrapping: Long Context Reasoning in LLMs without Reinforcement Learning, 2025",
    idea="Learn, without hints, the distributions that the policy has with them.",
    reward=OUTCOME,
    credit=credit(),
    objective=objective(),
    numbers={"T": Number(T, "code", "ssb_train.py")},
    told="token signals",
    alone="every play that is right is learnt from, alone or in a group that agrees",
    needs=("outcome", "top"),
)
HARD = replace(
    BASE, name="ssb-baseline", title="Fine-tuning on the same solutions", objective=Imitate(), needs=("outcome",)
)
RECIPE = with_control(
    replace(BASE, baseline=HARD),
    "SSB on as many solutions whether they verify or not: outcomes shuffled over the batch",
    credit(shuffled(OUTCOME, across=True)),
)
