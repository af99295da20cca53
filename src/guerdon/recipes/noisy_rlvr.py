"""Noise-corrected RLVR: weights from the rate at which right answers are refused, which appeals estimate.

Paper       Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect Verifiers. 2025.
            arXiv:2510.00915.
Idea        A verifier that errs changes the update's size; with the rate of its false negatives known, weights
            of the log-probabilities point as the truth would.
Composes    step_term(broadcast(forward(outcome, fn=appealed(outcome, appeal)))); Clipped over tokens.

Symbols     fn   P(refused | right);   n passed plays, m refused ones found right, of a share f looked at again
            fn = (m / f) / (n + m / f)
            w = fn where it passed, fn - 1 where it was refused;   E[w | right] = 0, E[w | wrong] < 0

It stands in place of the advantage, after all comparison: before a comparison by means and spreads it would
cancel. With one rate throughout, w is the verdict less a constant: what it adds to plain REINFORCE is the baseline
1 - fn. It bends the update only where rates differ between prompts or plays (`forward` takes rates as terms).
False positives among the passed make fn too low.

Departures  The rate is that of the batch; without a refused play looked at again it is UNKNOWN. `backward`, which needs
            both rates, is in `guerdon.rewards.noise`. An appeal changes the rate, not the play's own verdict.

Example (the one refused play was right after all: a third of the right ones is missed):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[1.0, 1.0, 0.0])
    >>> batch = batch.with_columns(appeal=Column.of("trajectory", [None, None, 1.0]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.333,  0.333, -0.667])
"""

from dataclasses import replace

from guerdon.credit import Credit, at_size_of, step_term
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, broadcast, fact, unfailed
from guerdon.rewards.noise import Rate, appealed, forward

UNKNOWN = 0.0  # ours: the rate where nothing was looked at again

OUTCOME, APPEAL = fact("outcome"), fact("appeal")
MISSED = appealed(OUTCOME, APPEAL, UNKNOWN)


def reward(fn: Rate = MISSED) -> Term:
    """The weight of a play under another rate of false negatives."""
    return unfailed(forward(OUTCOME, fn))


def credit(fn: Rate = MISSED) -> Credit:
    """The advantage: the weight itself."""
    return replace(step_term(broadcast(reward(fn))), compares=frozenset({"batch"}))


RECIPE = with_control(
    Recipe(
        name="noisy-rlvr",
        title="Noise-corrected RLVR, forward",
        paper="RL with Verifiable yet Noisy Rewards under Imperfect Verifiers, 2025, arXiv:2510.00915",
        idea="Weigh plays by the rate at which the verifier refuses right ones.",
        reward=reward(),
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "UNKNOWN": Number(UNKNOWN, "ours", "the rate where nothing was looked at again"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="judge votes",
        alone="a group of one, and one that agrees, get the weight of their verdict",
        needs=("outcome", "appeal"),
        baseline=grpo.RECIPE,
    ),
    "The weights' direction at GRPO's size",
    at_size_of(credit(), grpo.CREDIT),
)
