"""From the log-probabilities of a text's tokens to one number a text. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from guerdon import segments
from guerdon.errors import ShapeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Tokens:
    """The scored tokens of some texts, one text after the other.

    Attributes:
        logprob: of each token, in its place.
        text: which text each token is of, from 0; the tokens of a text lie side by side and none has none.
        group: per text, an equal number where the same text was read after other reasoning to one prompt.

    Example:
        >>> tokens = Tokens.of([[-1.0, -2.0], [-3.0]])
        >>> tokens.text, tokens.group
        (array([0, 0, 1]), array([0, 1]))
    """

    logprob: Float[Array, "n"]
    text: Int[Array, "n"]
    group: Int[Array, "texts"]

    def __post_init__(self) -> None:
        if len(self.logprob) != len(self.text) or (segments.count(self.text, len(self.group)) == 0).any():
            raise ShapeError(
                f"Tokens: {len(self.logprob)} log-probabilities, {len(self.text)} text numbers and {len(self.group)} "
                "texts; each token needs one of each and each text a token; leave texts without tokens out"
            )

    @classmethod
    def of(cls, logprobs: Sequence, group: Sequence[int] | Array | None = None) -> Tokens:
        """From one list of log-probabilities a text; without `group` no two texts are compared."""
        lengths = np.array([len(one) for one in logprobs], np.int64)
        flat = np.concatenate([np.asarray(one, float) for one in logprobs]) if len(logprobs) else np.zeros(0)
        group = np.arange(len(logprobs)) if group is None else np.asarray(group, np.int64)
        return cls(flat, np.repeat(np.arange(len(logprobs)), lengths), group)

    @property
    def place(self) -> Int[Array, "n"]:
        """Each token's place in its text, from 0."""
        return segments.position(self.text)


@runtime_checkable
class Aggregate(Protocol):
    """One number a text.

    Attributes:
        low, high: the range of the numbers.
    """

    low: float
    high: float

    def __call__(self, logprob: Float[Array, "n"], tokens: Tokens) -> Float[Array, "texts"]:
        """Of `logprob`, laid out as `tokens` are: those of `tokens`, or a baseline's for the same tokens."""
        ...


@dataclass(frozen=True)
class SumLog:
    """sum_j l_j, the log-probability of the whole text (log-prob of arXiv 2602.03979; RLP).

    Example:
        >>> tokens = Tokens.of([np.log([0.5, 0.25])])
        >>> np.exp(SumLog()(tokens.logprob, tokens))
        array([0.125])
    """

    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = 0.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """Falls with the length of the text."""
        return segments.total(logprob, tokens.text, len(tokens.group))


@dataclass(frozen=True)
class Prod:
    """prod_j p_j = exp(sum_j l_j), the probability of the whole text (VeriFree, arXiv 2505.21493).

    Goes to 0 with the length of the text; below about 1e-308 it is 0.

    Example:
        >>> tokens = Tokens.of([np.log([0.5, 0.25])])
        >>> Prod()(tokens.logprob, tokens).round(6)
        array([0.125])
    """

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """In [0, 1]."""
        return np.exp(SumLog()(logprob, tokens))


@dataclass(frozen=True)
class MeanLog:
    """(1/n) sum_j l_j, the mean log-probability of a token.

    Example:
        >>> tokens = Tokens.of([[-1.0, -3.0]])
        >>> MeanLog()(tokens.logprob, tokens)
        array([-2.])
    """

    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = 0.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """At most 0."""
        return segments.mean(logprob, tokens.text, len(tokens.group))


@dataclass(frozen=True)
class Geometric:
    """exp((1/n) sum_j l_j) = (prod_j p_j)^(1/n), one over the perplexity (IGPO's belief).

    Example:
        >>> tokens = Tokens.of([np.log([0.5, 0.125])])
        >>> Geometric()(tokens.logprob, tokens).round(6)
        array([0.25])
    """

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """In [0, 1]."""
        return np.exp(MeanLog()(logprob, tokens))


@dataclass(frozen=True)
class MeanProb:
    """(1/n) sum_j p_j, the mean probability of a token (RLPR, arXiv 2506.18254): one bad token costs at most 1/n.

    At least `Geometric`, by the inequality of the means.

    Example:
        >>> tokens = Tokens.of([np.log([0.5, 0.25])])
        >>> MeanProb()(tokens.logprob, tokens)
        array([0.375])
    """

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """In [0, 1]."""
        return segments.mean(np.exp(logprob), tokens.text, len(tokens.group))


@dataclass(frozen=True)
class LogMeanExp:
    """log (1/G) sum_i p_i over the G texts of a group, p_i = prod_j p_ij (JEPO): one number for all of them.

    Between the mean and the largest of the log-probabilities. Of a group of one it is `SumLog`.

    Example:
        >>> tokens = Tokens.of([np.log([0.5]), np.log([0.25])], group=[0, 0])
        >>> np.exp(LogMeanExp()(tokens.logprob, tokens))
        array([0.375, 0.375])
    """

    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = 0.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """Equal in a group."""
        whole, group = SumLog()(logprob, tokens), segments.dense(tokens.group)
        top = segments.maximum(whole, group)
        return np.log(segments.mean(np.exp(whole - top[group]), group))[group] + top[group]


@dataclass(frozen=True)
class LeaveOneOut:
    """What a text's reasoning adds to `LogMeanExp`: J(all) - J(all but this one), JEPO's credit.

        R_i = log (1/G) sum_k p_k - log (1/(G-1)) sum_{k != i} p_k

    NaN in a group of one, which has no others. From log(1 - 1/G) up, without bound.

    Example:
        >>> tokens = Tokens.of([np.log([0.5]), np.log([0.25])], group=[0, 0])
        >>> np.exp(LeaveOneOut()(tokens.logprob, tokens))
        array([1.5 , 0.75])
    """

    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = np.inf

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """The others are added up anew for each: a difference of sums would lose a small rest beside a large one."""
        whole, out = SumLog()(logprob, tokens), np.full(len(tokens.group), np.nan)
        for group in np.unique(tokens.group):
            at = np.flatnonzero(tokens.group == group)
            if len(at) > 1:
                table = np.tile(whole[at], (len(at), 1))
                np.fill_diagonal(table, -np.inf)
                top = table.max(1)
                others = np.log(np.exp(table - top[:, None]).sum(1) / (len(at) - 1)) + top
                highest = whole[at].max()
                out[at] = np.log(np.exp(whole[at] - highest).mean()) + highest - others
        return out


def spread(tokens: Tokens) -> Float[Array, "n"]:
    """sigma_j: how much the log-probability of a token varies over the reasonings of its group.

    The standard deviation over the group's texts at this place, divided by their number; 0 in a group of one.
    Texts of one group have equal tokens, so places agree.

    Example:
        >>> spread(Tokens.of([[-1.0, -2.0], [-1.0, -4.0]], group=[0, 0]))
        array([0., 1., 0., 1.])
    """
    by = segments.joint(tokens.group[tokens.text], tokens.place)
    return segments.std(tokens.logprob, by, ddof=0)[by]


def spread_weights(tokens: Tokens, cut: float = 0.0) -> Float[Array, "n"]:
    """Weights of the tokens of each text, by their spread over the group; they add up to 1 in every text.

        w_j = sigma_j 1[sigma_j > cut] / sum_k sigma_k 1[sigma_k > cut]

    Where no token of a text varies that much, all weigh the same.

    Example:
        >>> spread_weights(Tokens.of([[-1.0, -2.0], [-1.0, -4.0]], group=[0, 0]))
        array([0., 1., 0., 1.])
    """
    sigma = spread(tokens)
    sigma = np.where(sigma > cut, sigma, 0.0)
    n = len(tokens.group)
    some = segments.total(sigma, tokens.text, n)[tokens.text]
    even = 1.0 / segments.count(tokens.text, n)[tokens.text]
    return np.where(some > 0, sigma / np.where(some > 0, some, 1.0), even)


@dataclass(frozen=True)
class SpreadWeighted:
    """sum_j w_j l_j, w from `spread_weights` (R3 of DRO, arXiv 2506.13351): tokens that reasoning moves count most.

    A baseline's log-probabilities are added up with the same weights.

    Attributes:
        cut: the least spread that counts, in nats. How the weight rises with the spread is ours: in proportion.

    Example:
        >>> tokens = Tokens.of([[-1.0, -2.0], [-1.0, -4.0]], group=[0, 0])
        >>> SpreadWeighted()(tokens.logprob, tokens)
        array([-2., -4.])
    """

    cut: float = 0.0
    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = 0.0

    def __call__(self, logprob: Array, tokens: Tokens) -> Array:
        """A weighted mean, so it does not fall with the length of the text."""
        return segments.total(spread_weights(tokens, self.cut) * logprob, tokens.text, len(tokens.group))


def diversity_bonus(
    reference: Float[Array, "n"], own: Float[Array, "n"], alpha: Real = 1.0, beta: Real = 0.01, gamma: Real = 8.0
) -> Float[Array, "n"]:
    """DARL's reward of two likelihoods: alpha r* + beta d 1[d <= r*/gamma], d = max(r* - r, 0).

    Pays a little where the play's own answer is less likely than the reference, while it is not far below it. The bonus
    is at most beta r*/gamma, and drops to 0 beyond the gate. arXiv 2601.14700.

    Example:
        >>> diversity_bonus(np.array([0.8, 0.8, 0.8]), np.array([0.9, 0.75, 0.5]), beta=1.0).round(3)
        array([0.8 , 0.85, 0.8 ])
    """
    apart = np.maximum(reference - own, 0.0)
    return alpha * reference + beta * np.where(apart <= reference / gamma, apart, 0.0)


MEAN_PROB = MeanProb()
GEOMETRIC = Geometric()
MEAN_LOG = MeanLog()
