"""Credit cleaned up after it was compared: groups and items dropped, rescaled, clipped, recalibrated.

What is dropped has credit 0 and is not valid: it is in no loss and in no count. So dropping a dead
group changes the size of a mean over tokens, which leaving it at zero does not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.credit.base import Credit, Signal, at_one_level, needs_of, scored
from guerdon.credit.compare import of_plays
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards.term import Term, fact

Array = np.ndarray


def only_where(credit: Credit, where: Term) -> Credit:
    """The credit of the items where a term is above 0; the others are dropped.

    Args:
        where: at any level; the coarser of the two is lifted. Where it is missing, nothing is kept.

    Example:
        >>> from guerdon.credit import step_term
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> only_where(step_term(fact("reward")), where=fact("outcome"))(batch).valid
        array([ True, False])
    """

    def assign(batch: Batch) -> Column:
        column, keep = at_one_level(batch, [credit(batch), where(batch)])
        return _dropped(column, ~(keep.filled(0.0) > 0))

    return Credit(f"{credit.name} where {where.name}", assign, credit.compares, credit.needs)


def alive(credit: Credit) -> Credit:
    """The credit without its dead groups: those in which every item has credit 0 are dropped.

    A sampler that draws prompts until enough of them disagree has the same effect on the loss.

    Example:
        >>> from guerdon.credit import centred
        >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
        >>> alive(centred(fact("outcome")))(batch).valid
        array([ True,  True, False, False])

    References:
        Yu et al., DAPO, 2025, arXiv:2503.14476, section 3.2 (dynamic sampling).
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        _, speaking, home = _speaking(batch, column, "group")
        return _dropped(column, ~speaking[home])

    return Credit(f"{credit.name} of live groups", assign, credit.compares, credit.needs)


def balanced(credit: Credit, most: float) -> Credit:
    """The credit without the groups whose plays' credits do not balance: a skew filter.

        dropped where |sum over the group's plays of A| > most * (its scored plays)

    A play's A is the mean over its scored steps. A group that was centred always balances; one that
    was compared with a single play does not where that play is an outlier.

    Args:
        most: between 0 and 1 for credit in [-1, 1].

    Example:
        >>> from guerdon.credit import step_term
        >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 1.0, 1.0, -1.0])
        >>> balanced(step_term(fact("reward")), 0.6)(batch).valid
        array([False, False,  True,  True])

    References:
        Writing-Zero, 2025, arXiv:2506.00103 (its dynamic sampling, with 0.6).
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        play, plays = batch.index("trajectory", at=column.level), batch.size("trajectory")
        number = segments.total(column.valid.astype(np.float64), play, plays)
        mean = segments.total(column.filled(0.0), play, plays) / np.maximum(number, 1)
        group, groups = batch.group_of_trajectory, batch.size("group")
        skew = np.abs(segments.total(mean, group, groups))
        off = skew > most * segments.total((number > 0).astype(np.float64), group, groups)
        return _dropped(column, off[group[play]])

    return Credit(f"balanced({credit.name})", assign, credit.compares, credit.needs)


def rescaled(credit: Credit, over: Level = "group") -> Credit:
    """The credit made larger by the share of the batch that says something.

        A' = A * n / n_speaking

    n counts the groups (or the plays) with something scored, n_speaking those of them in groups that
    have a credit other than 0. With dead groups in the batch the mean over all then has
    the size that the mean over the live ones has; so it is a step size per batch.

    Args:
        over: what is counted: "group", or "trajectory". They differ where groups differ in size.

    Example (one of two groups says something):
        >>> from guerdon.credit import centred
        >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
        >>> rescaled(centred(fact("outcome")))(batch).values
        array([ 1., -1.,  0.,  0.])

    References:
        Fathom-DeepResearch (RAPO), 2025, arXiv:2509.24107: groups.
        Chu et al., GPG, 2025, arXiv:2504.02546: samples, B / (B - M).
    """
    if over not in ("group", "trajectory"):
        raise LevelError(f"rescaled: over is {over!r}; groups or trajectories are counted; give one of the two")

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        there, speaking, _ = _speaking(batch, column, over)
        some = int((there & speaking).sum())
        return Column(column.level, column.values * (int(there.sum()) / some if some else 1.0), column.valid)

    return Credit(f"rescaled({credit.name})", assign, credit.compares | {"batch"}, credit.needs)


def bounded(credit: Credit, most: float) -> Credit:
    """A credit cut off at `most` on both sides, against a few steps that outweigh all others.

    Example:
        >>> from guerdon.credit.base import step_term
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[7.0, -1.0])
        >>> bounded(step_term(fact("reward")), 5.0)(batch).values
        array([ 5., -1.])
    """
    if not most > 0:
        raise ShapeError(f"bounded: most is {most}; a bound above 0 is needed; multiply the credit by 0 to silence it")

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        return scored(Column(column.level, np.clip(column.values, -most, most), column.valid))

    return Credit(f"{credit.name} within {most:g}", assign, credit.compares, credit.needs)


def recalibrated(credit: Credit, signal: Signal, baseline: Term, replayed: Term) -> Credit:
    """The credit, with replayed plays judged anew: against what plays are worth now.

        A'[i] = max(x[i] - b, 0)    where replayed; dropped where x[i] < b
        A'[i] = A[i]                elsewhere

    An old success keeps the advantage of a time when successes were rare. Against a percentile of
    recent group means it fades as the policy gets better.

    Args:
        signal: what plays are worth, a trajectory term.
        baseline: at trajectory or group level, such as `group_percentile(signal, 0.5, among=fresh)` or
            `fact("history_mean")` of a `guerdon.credit.history.RecentQuantile`.
        replayed: a trajectory term, above 0 for plays that an older policy sampled.

    Returns:
        A credit that compares also with "batch". That replayed plays do not vote in `credit` is for
        its `weight=` to say.

    Example (the first play is replayed; the median of the fresh groups is 0.5):
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import group_percentile
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[1.0, 1.0, 0.0])
        >>> old = Term("old", lambda b: Column.of("trajectory", np.array([1.0, 0.0, 0.0])))
        >>> x, fresh = fact("outcome"), Term("fresh", lambda b: Column.of("trajectory", 1.0 - old(b).values))
        >>> recalibrated(centred(x, weight=fresh), x, group_percentile(x, 0.5, among=fresh), old)(batch).values
        array([ 0.5,  0.5, -0.5])

    References:
        SPEAR, 2025 (self-imitation with recalibrated advantages).
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        worth = of_plays(batch, signal(batch))
        x, b, old = (batch.lift(c, column.level) for c in (worth, baseline(batch), replayed(batch)))
        above = x.filled(0.0) - b.filled(0.0)
        again = old.filled(0.0) > 0
        good = np.asarray(x.valid & b.valid & (above >= 0), bool)
        valid = np.where(again, good, column.valid)
        return scored(Column(column.level, np.where(again, above, column.values), valid))

    needs = tuple(dict.fromkeys((*credit.needs, *needs_of(signal))))
    return Credit(f"recalibrated({credit.name})", assign, credit.compares | {"batch"}, needs)


def covariance_clip(
    credit: Credit, low: float, high: float, share: float, logprob: Term | None = None, seed: int = 0
) -> Credit:
    """The credit with a few tokens silenced, chosen at random among those that narrow the policy fastest.

        cov[t] = (logprob[t] - mean) * (A[t] - mean),   means over the scored tokens
        A'[t]  = 0   for a random share of all tokens, drawn from those with low < cov[t] < high

    A token of high probability and high credit (or low and low) takes entropy away; a very few of them
    do most of it. Beyond `high` a token is left alone as an outlier, as in the papers' code.

    Args:
        low, high: the bounds of the product.
        share: how many are silenced, as a share of all scored tokens; rounded down, at least 1.
        logprob: at token level; default the column `logprob`.
        seed: another seed, another draw. The same batch is always drawn from in the same way.

    Returns:
        A credit at token level. Silenced tokens stay valid: they are counted, and have no gradient.

    Example (means 0 and -1: the first and the last token have a product of 0.5):
        >>> from guerdon.credit import step_term
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.5, -0.5], tokens_per_step=1)
        >>> batch = batch.with_columns(logprob=Column.of("token", [0.0, -2.0]))
        >>> sorted(covariance_clip(step_term(fact("reward")), 0.4, 1.0, 0.5)(batch).values.tolist())
        [-0.5, 0.0]

    References:
        Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models,
        2025, arXiv:2505.22617 (Clip-Cov).
    """
    sure = fact("logprob") if logprob is None else logprob

    def assign(batch: Batch) -> Column:
        column, score = batch.lift(credit(batch), "token"), sure(batch)
        if score.level != "token":
            raise LevelError(
                f"covariance_clip: {sure.name!r} is at {score.level} level; one number per token is needed"
            )
        valid = np.asarray(column.valid & score.valid, bool)
        at = np.flatnonzero(valid)
        a, p = column.values[at], score.filled(0.0)[at]
        cov = (a - a.mean()) * (p - p.mean()) if len(at) else a
        found = at[(cov > low) & (cov < high)]
        many = min(max(int(share * len(at)), 1), len(found))
        silent = np.random.default_rng([seed, len(at)]).permutation(len(found))[:many]
        values = np.where(column.valid, column.values, 0.0)
        values[found[silent]] = 0.0
        return Column("token", values, column.valid)

    name = f"{credit.name} with tokens silenced at random"
    return Credit(name, assign, credit.compares | {"batch"}, credit.needs)


def _dropped(column: Column, out: Bool[Array, "n"]) -> Column:
    return scored(Column(column.level, column.values, np.asarray(column.valid & ~out, bool)))


def _speaking(batch: Batch, column: Column, over: Level) -> tuple[Array, Array, Array]:
    """For each item of `over`: has it anything scored, has its group a credit other than 0; and where items belong."""
    home, n = batch.index(over, at=column.level), batch.size(over)
    there = segments.total(column.valid.astype(np.float64), home, n) > 0
    group, groups = batch.index("group", at=column.level), batch.size("group")
    loud = segments.total((column.valid & (column.values != 0)).astype(np.float64), group, groups) > 0
    return there, loud[batch.index("group", at=over)], home
