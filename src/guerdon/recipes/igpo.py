"""IGPO: each turn is paid for what it added to the belief in the reference answer.

Paper       Information Gain-based Policy Optimization: A Simple and Effective Approach for
            Multi-Turn LLM Agents. 2025.
Idea        How likely the policy finds the reference after a turn says what the turn was
            worth; a group without a success still has something to compare.
Composes    to_go_of(centred(before_end(gain(belief)) + at_end(outcome), scale=Std(EPS)), GAMMA).

Symbols     P[t]    belief: exp of the mean log-likelihood of the reference's tokens after turn t
            r[t]  = P[t] - P[t-1] before the last turn,   the outcome at the last turn T
            z[t]  = (r[t] - mean) / (std + EPS), over all turns of the group's plays
            A[t]  = sum over k >= t of GAMMA^(k-t) z[k]

The gains add up to P[T-1] - P[0], so as published the last belief is an extra reward and the best
policy can be another. `closed()` also takes P[T-1] off at the last turn: every play then has
its outcome less P[0], and the order of policies stays. Scaled to z-scores first, T times the
mean goes off a play of T turns: a price (or a prize) on length, in either form.

Departures  The turn form of the paper. The released code centres each token position, without
            a spread, and resets the return at tokens that it does not train. The format penalty
            belongs to the outcome. No KL. A group of one gets zero.

Example (a search that finds the answer, and one that does not):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> belief = {"belief": [0.25, 0.75, 0.25, 0.25], "next_belief": [0.75, 1.0, 0.25, 0.25]}
    >>> batch = batch.with_columns(**{name: Column.of("step", values) for name, values in belief.items()})
    >>> RECIPE.reward(batch).values
    array([0.5, 1. , 0. , 0. ])
    >>> RECIPE.credit(batch).values.round(3)
    array([ 1.566,  1.305, -1.566, -0.783])
"""

from guerdon.credit import Credit, Std, before_end, centred, closed_gain, gain, shuffled, to_go_of
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

GAMMA = 1.0  # UNVERIFIED: the paper's discount
EPS = grpo.EPS  # code: as in grpo

OUTCOME = at_end(fact("outcome"))
GAIN = before_end(gain("belief"))


def published(gains: Term = GAIN) -> Term:
    """Turn rewards as published: gains before the last turn, the outcome at the last."""
    return gains + OUTCOME


def closed(gamma: float = GAMMA) -> Term:
    """Turn rewards in the invariant form: the belief before the last turn is taken off there."""
    return closed_gain("belief", gamma) + OUTCOME


REWARD = published()


def credit(rewards: Term = REWARD, gamma: float = GAMMA) -> Credit:
    """The advantage of other turn rewards, or with another discount."""
    return to_go_of(centred(rewards, scale=Std(EPS)), gamma)


RECIPE = with_control(
    Recipe(
        name="igpo",
        title="IGPO",
        paper="Information Gain-based Policy Optimization, 2025",
        idea="Pay each turn for what it added to the belief in the reference answer.",
        reward=REWARD,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "GAMMA": Number(GAMMA, "UNVERIFIED", "the paper's discount"),
            "EPS": Number(EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="reference likelihoods",
        needs=("outcome", "belief", "next_belief"),
        baseline=grpo.RECIPE,
    ),
    "IGPO with its gains shuffled over the steps of the group",
    credit(published(shuffled(GAIN))),
    reward=published(shuffled(GAIN)),
)
