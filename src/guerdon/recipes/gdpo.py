"""GDPO: each reward is normalised in its group before they are added up.

Paper       Liu et al., GDPO: Group reward-Decoupled Normalization Policy Optimization. 2026.
            arXiv:2601.05242.
Idea        In a sum of rewards plays with different parts get one and the same total; normalised one by
            one, no reward drowns another.
Composes    whitened(sum over k of WEIGHT * centred(reward k, scale=Std(EPS)), WHITEN).

Symbols     A_k = (r_k - mean of the group) / (std of the group + EPS)
            A   = (sum of WEIGHT * A_k - mean) / sqrt(var + WHITEN) over the batch

Departures  The batch's mean and variance are over steps, verl's over tokens. The two rewards are
            the outcome and `format_score`. A group of one has 0 in every A_k; in verl it keeps its
            raw rewards.

Example (right and out of form against wrong and in form: the two parts cancel; the second group prefers one play):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 0.0])
    >>> batch = batch.with_columns(format_score=Column.of("trajectory", [0.0, 1.0, 1.0, 1.0]))
    >>> RECIPE.credit(batch).values.round(3) + 0.0
    array([ 0.   ,  0.   ,  1.225, -1.225])
"""

from dataclasses import replace

from guerdon.credit import Credit, Std, at_size_of, centred, whitened
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

EPS = 1e-6  # code: verl compute_gdpo_outcome_advantage
WHITEN = 1e-8  # code: verl masked_whiten
WEIGHT = 1.0  # code: verl, of each reward where gdpo_reward_weights is not given

REWARDS = (fact("outcome"), fact("format_score"))


def credit(rewards: tuple[Term, ...] = REWARDS, weight: float = WEIGHT) -> Credit:
    """The advantage of other rewards."""
    return whitened(sum(weight * centred(reward, scale=Std(EPS)) for reward in rewards), WHITEN)


def sum_first(rewards: tuple[Term, ...] = REWARDS) -> Credit:
    """What it is compared with: the rewards added up, then normalised, as GRPO does."""
    return whitened(centred(sum(rewards), scale=Std(EPS)), WHITEN)


METHOD = Recipe(
    name="gdpo",
    title="GDPO",
    paper="Liu et al., GDPO, 2026, arXiv:2601.05242",
    idea="Normalise each reward in its group before adding them up.",
    reward=sum(REWARDS),
    credit=credit(),
    objective=rloo.RECIPE.objective,
    numbers={
        "EPS": Number(EPS, "code", "verl compute_gdpo_outcome_advantage"),
        "WHITEN": Number(WHITEN, "code", "verl masked_whiten"),
        "WEIGHT": Number(WEIGHT, "code", "verl, without gdpo_reward_weights"),
        "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
    },
    told="several outcomes",
    alone="a group of one, and one that agrees, get the mean of the batch taken off",
    needs=("outcome", "format_score"),
)
SUM_FIRST = replace(METHOD, name="gdpo-baseline", title="GRPO on the sum of the rewards", credit=sum_first())
RECIPE = with_control(
    replace(METHOD, baseline=SUM_FIRST),
    "GDPO's direction at the size of GRPO on the sum",
    at_size_of(credit(), sum_first()),
)
