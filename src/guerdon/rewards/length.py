"""What length costs, and what it says: penalties on long answers, and the information that a prompt gives about one."""

from __future__ import annotations

from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.shaping import slopes
from guerdon.rewards.term import Term, fact, failed, floats, need_level

Array = np.ndarray


def overlong(length: Term, limit: Real, buffer: Real, penalty: Real = 1.0) -> Term:
    """A penalty that grows through a buffer before the limit: nothing below it, all of it from the limit on.

        p = 0                                        length <= limit - buffer
            -penalty * (length - limit + buffer) / buffer   between
            -penalty                                 length >= limit

    Args:
        length: a term; tokens of the play, mostly `guerdon.credit.LENGTH`.
        limit: from which on the whole penalty is taken.
        buffer: how long before the limit it begins.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[6.0, 9.0, 20.0])
        >>> overlong(fact("outcome"), limit=10, buffer=4)(batch).values
        array([ 0.  , -0.75, -1.  ])

    References:
        DAPO: An Open-Source LLM Reinforcement Learning System at Scale, 2025, arXiv:2503.14476.
    """
    if not buffer > 0:
        raise ShapeError(f"overlong: buffer is {buffer}; a length above 0 is needed; for a hard limit use tiers")
    return slopes(length, at=(limit - buffer, limit), values=(0.0, -penalty)).named(f"overlong({length.name})")


def excess(length: Term, limit: Real, rate: Real) -> Term:
    """`rate` taken off for each unit above a limit, without end: -rate * max(length - limit, 0).

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[6.0, 12.0])
        >>> excess(fact("outcome"), limit=10, rate=0.5)(batch).values + 0.0
        array([ 0., -1.])
    """

    def over(batch: Batch) -> Column:
        column = length(batch)
        return floats(column, -rate * np.maximum(column.filled(float(limit)) - limit, 0.0), column.valid)

    return Term(f"excess({length.name})", over, length.observers)


def information_gain(given: str = "logprob", alone: str = "logprob_alone", low: Real = -1.0) -> Term:
    """How much better the prompt makes an answer expected, in parts of its perplexity without the prompt.

        R = max((ppl(a) - ppl(a|q)) / ppl(a), low) = max(1 - exp(-g), low),   g = mean of log p(a|q) - log p(a)

    A rising map of the information that prompt and answer share per token, below 1. Words that would be
    expected without the prompt lower it, so that padding costs; words taken from the prompt raise it, so that
    an echo of the question pays.

    Args:
        given: a token column, the log-probability of each sampled token behind the prompt.
        alone: the same without the prompt.
        low: the lower bound; -1 is reached at g = -log 2.

    Returns:
        A trajectory term over the sampled tokens, missing where one of them lacks either number, where
        nothing was sampled and where the play failed.

    Example (twice as likely behind the prompt):
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], tokens_per_step=2)
        >>> two = {"logprob": Column.of("token", [-1.0, -1.0]), "logprob_alone": np.log(0.5) - 1.0}
        >>> two["logprob_alone"] = Column.of("token", [two["logprob_alone"]] * 2)
        >>> information_gain()(batch.with_columns(**two)).values.round(6)
        array([0.5])

    References:
        Self-Aligned Reward: Towards Effective and Efficient Reasoners, 2025.
    """

    def gain(batch: Batch) -> Column:
        behind, bare = fact(given)(batch), fact(alone)(batch)
        need_level("information_gain", given, behind, "token")
        need_level("information_gain", alone, bare, "token")
        owner, n = batch.trajectory_of_step[batch.step_of_token], batch.size("trajectory")
        sampled = _sampled(batch)
        counts = segments.total(sampled.astype(np.float64), owner, n)
        lost = segments.total((sampled & ~(behind.valid & bare.valid)).astype(np.float64), owner, n) > 0
        apart = np.where(sampled, behind.filled(0.0) - bare.filled(0.0), 0.0)
        per_token = segments.total(apart, owner, n) / np.maximum(counts, 1.0)
        with np.errstate(over="ignore"):  # so bad that its perplexity is no number: it is at the bound
            values = np.maximum(-np.expm1(-per_token), low)
        return floats(behind, values, ~lost & (counts > 0) & ~failed(batch), "trajectory")

    return Term(f"information_gain({given})", gain)


def _sampled(batch: Batch) -> Array:
    if "sampled" not in batch:
        return np.ones(batch.size("token"), bool)
    return np.asarray(batch["sampled"].values, bool) & batch["sampled"].valid
