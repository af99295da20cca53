"""The likelihoods of papers by name: each is `ref_likelihood`, `beliefs` or a neighbour with its parts filled in.

Those that a recipe of the same name reads leave the columns that it reads: `rlpr`, `verifree`, `igpo`, `grpo_vps`
(`belief`, `next_belief`), `p2s` (`path_score`), `sar` (`logprob_alone`). The other ones leave a column of their name.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from guerdon.evidence.likelihoods.aggregate import (
    Geometric,
    LeaveOneOut,
    LogMeanExp,
    MeanLog,
    MeanProb,
    Prod,
    SpreadWeighted,
    SumLog,
)
from guerdon.evidence.likelihoods.entropy import OwnLogprobs, logprobs_alone
from guerdon.evidence.likelihoods.path import PathScores, path_scores
from guerdon.evidence.likelihoods.reference import Beliefs, Likelihood, beliefs, ref_likelihood
from guerdon.evidence.likelihoods.slots import AT_END, NEXT_TURN, Slot
from guerdon.evidence.likelihoods.texts import (
    MASKED,
    REFERENCE,
    RESTS,
    BesideOwn,
    FollowUps,
    MaskedChain,
    NoChain,
    Reference,
    Rests,
    Text,
)


def rlpr(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, **kw: Any) -> Beliefs:
    """RLPR's f, for the recipe `rlpr`: mean_j p(y*_j | x, z, y*_<j) after the chain z, and before it.

        belief = f(y* | x),   next_belief = f(y* | x, z)

    Both under one policy; `rlpr_gain` takes the first from the initial one, as the paper does. arXiv 2506.18254.

    Example:
        >>> from guerdon.policies import small
        >>> rlpr(small(["a"], width=8, heads=2)).name
        'belief'
    """
    return beliefs(policy, slot=slot, text=text, aggregate=MeanProb(), **kw)


def rlpr_gain(
    policy: Any, initial: Any = None, slot: Slot = AT_END, text: Text = REFERENCE, name: str = "rlpr", **kw: Any
) -> Likelihood:
    """RLPR's reward before the clip: f(y* | x, z) - f_0(y* | x), the second without the chain, by `initial`.

    The paper's reward is clip(fact, 0, 1), nine parts in ten beside one of format. arXiv 2506.18254.

    Example:
        >>> from guerdon.policies import small
        >>> rlpr_gain(small(["a"], width=8, heads=2)).low
        -1.0
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=MeanProb(), baseline=NoChain(initial), **kw)


def verifree(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, **kw: Any) -> Beliefs:
    """VeriFree's reward, for the recipe `verifree`: next_belief = prod_j p(y*_j | x, z, y*_<j) after the chain z.

    Its mean over chains is that of 1[answer = y*], with less noise. The second term of its gradient is the
    objective's. Vanishes for long answers. arXiv 2505.21493.

    Example:
        >>> from guerdon.policies import small
        >>> verifree(small(["a"], width=8, heads=2)).high
        1.0
    """
    return beliefs(policy, slot=slot, text=text, aggregate=Prod(), **kw)


def log_prob(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, name: str = "log_prob", **kw: Any) -> Likelihood:
    """log p(y* | x, z) = sum_j log p_j: the reward that arXiv 2602.03979 found good for short and for long answers.

    With `aggregate=MeanLog()` in `ref_likelihood` it is divided by the number of tokens. Chains shrink under it.

    Example:
        >>> from guerdon.policies import small
        >>> log_prob(small(["a"], width=8, heads=2)).high
        0.0
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=SumLog(), **kw)


def jepo(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, name: str = "jepo", **kw: Any) -> Likelihood:
    """JEPO's credit of a chain: J of its group less J of the others, J = log (1/G) sum_i p(y* | x, z_i).

    It is centred already: compare it with nothing more. `jepo_group` is J itself. The paper's second term, maximum
    likelihood of y* with weights p_i / sum p, is the objective's. A group of one is unscored. As in arXiv 2602.03979.

    Example:
        >>> from guerdon.policies import small
        >>> jepo(small(["a"], width=8, heads=2)).high
        inf
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=LeaveOneOut(), **kw)


def jepo_group(
    policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, name: str = "jepo_group", **kw: Any
) -> Likelihood:
    """J = log (1/G) sum_i p(y* | x, z_i): one number for all chains of a group, at least their mean log-probability.

    Example:
        >>> from guerdon.policies import small
        >>> jepo_group(small(["a"], width=8, heads=2)).high
        0.0
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=LogMeanExp(), **kw)


def dro_r3(
    policy: Any,
    slot: Slot = AT_END,
    text: Text = REFERENCE,
    name: str = "dro_r3",
    cut: float = 0.0,
    mask: MaskedChain | None = MASKED,
    **kw: Any,
) -> Likelihood:
    """DRO's reasoning reflection reward: sum_j w_j (log p(y*_j | x, z_i) - log p(y*_j | x, masked z_i)).

    w_j rises with the spread of log p(y*_j | x, z_i) over the chains of the group, and is 0 up to `cut`. Here each
    chain is masked for itself, as long as it was; the paper has one masked chain a prompt, whose term is the same for
    the group and cancels where rewards are centred: take mask=None for that. The length term and the filter of
    prompts are the host's; `guerdon.evidence.likelihoods.spread` is what the filter ranks by. arXiv 2506.13351.

    Example:
        >>> from guerdon.policies import small
        >>> dro_r3(small(["a"], width=8, heads=2)).aggregate
        SpreadWeighted(cut=0.0)
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=SpreadWeighted(cut), baseline=mask, **kw)


def darl(
    policy: Any,
    slot: Slot = AT_END,
    text: Reference = REFERENCE,
    name: str = "darl",
    alpha: Real = 1.0,
    beta: Real = 0.01,
    gamma: Real = 8.0,
    **kw: Any,
) -> Likelihood:
    """DARL's reward: alpha r* + beta d 1[d <= r*/gamma], d = max(r* - r, 0), of two mean probabilities.

        r* = mean_j p(y*_j | x, z),   r = mean_j p(y_j | x, z) of the play's own answer y

    Both are in the relation NAME/items: text 0 is the reference, text 1 the own answer. The own answer is what the slot
    says it is, so a slot such as `AfterMark("<answer>", "</answer>")` is needed for chains: with `AtEnd()` it is the
    whole action. arXiv 2601.14700; beta and gamma from one note only.

    Example:
        >>> from guerdon.policies import small
        >>> darl(small(["a"], width=8, heads=2)).high
        1.00125
    """
    return ref_likelihood(policy, name, slot=slot, text=BesideOwn(text, alpha, beta, gamma), aggregate=MeanProb(), **kw)


def grpo_vps(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, **kw: Any) -> Beliefs:
    """GRPO-VPS's belief in the reference where segments end, for the recipe `grpo-vps`: exp of a mean.

        b_k = exp(mean_j log p(a*_j | x, y_<=k, a*_<j))
        belief[k] = b_(k-1),   next_belief[k] = b_k,   belief/gain = b_k - b_(k-1)

    The paper has the probability of the whole answer or this mean form of it, which does not fall with its length;
    `beliefs(policy, aggregate=Prod())` is the other. A segment is a step; the paper cuts inside an answer, at tokens of
    high entropy, which needs other steps, made by the host. Give the slot a probe that asks for the answer.
    arXiv 2604.20659.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.evidence.likelihoods import AtEnd
        >>> grpo_vps(small(["a"], width=8, heads=2), AtEnd("a")).slot
        AtEnd(probe='a')
    """
    return beliefs(policy, slot=slot, text=text, aggregate=Geometric(), **kw)


def igpo(policy: Any, slot: Slot = AT_END, text: Text = REFERENCE, **kw: Any) -> Beliefs:
    """IGPO's belief after each turn, for the recipe `igpo`: P_t = exp(mean_j log p(a*_j | q, h_t, a*_<j)).

    Gains P_t - P_(t-1) are the fact `belief/gain`; they add up to the last belief less the first one. The same numbers
    as `grpo_vps`; what differs is the recipe.

    Example:
        >>> from guerdon.policies import small
        >>> igpo(small(["a"], width=8, heads=2)).aggregate
        Geometric()
    """
    return beliefs(policy, slot=slot, text=text, aggregate=Geometric(), **kw)


def p2s(policy: Any, slot: Slot = AT_END, rests: Rests = RESTS, **kw: Any) -> PathScores:
    """P2S's path scores, for the recipe `p2s`: see `path_scores`. A reference solution is needed, made by the host.

    The steps are those of the batch; the paper's, equal pieces of one answer, need other steps. arXiv 2601.20649.

    Example:
        >>> from guerdon.policies import small
        >>> p2s(small(["a"], width=8, heads=2)).name
        'path_score'
    """
    return path_scores(policy, slot=slot, rests=rests, **kw)


def sar(policy: Any, **kw: Any) -> OwnLogprobs:
    """SAR's second pass, for the recipe `sar`: log p(a_j | a_<j) of what was said, without the question.

    The recipe's Term makes of it and of `logprob` max(1 - exp(-mean_j (log p(a_j | q, a_<j) - log p(a_j | a_<j))), -1).

    Example:
        >>> from guerdon.policies import small
        >>> sar(small(["a"], width=8, heads=2)).name
        'logprob_alone'
    """
    return logprobs_alone(policy, **kw)


def flr(
    policy: Any,
    good: tuple[str, ...],
    bad: tuple[str, ...],
    name: str = "flr",
    slot: Slot = NEXT_TURN,
    lead: str = "",
    **kw: Any,
) -> Likelihood:
    """FLR: mean over good follow-ups less mean over bad ones of (1/n) sum_j log p(f_j | dialogue, reply, f_<j).

    The follow-ups are read where the other side's words begin. A baseline that does not see the reply cancels where
    replies to one prompt are ranked; `baseline=NoPrompt()` keeps tone and length. arXiv 2409.13948 (from its abstract).

    Example:
        >>> from guerdon.policies import small
        >>> flr(small(["thanks", "wrong"], width=8, heads=2), ("thanks",), ("wrong",)).text.bad
        ('wrong',)
    """
    return ref_likelihood(
        policy, name, slot=slot, text=FollowUps(tuple(good), tuple(bad), lead), aggregate=MeanLog(), **kw
    )


def rlp(
    policy: Any, average: Any, slot: Slot = AT_END, text: Text = REFERENCE, name: str = "rlp", **kw: Any
) -> Likelihood:
    """RLP's information gain: log p(x_t | x_<t, thought) - log p_avg(x_t | x_<t).

    A play is a thought, its first observation the text x_<t, its reference what the text says next. `average` is the
    moving average of the policy, kept by the host (0.999 of itself and 0.001 of the policy, after each step of the
    optimiser). The second term is one number for all thoughts of a place, so it cancels where they are centred.

    Example:
        >>> from guerdon.policies import small
        >>> policy = small(["a"], width=8, heads=2)
        >>> rlp(policy, average=policy).baseline.policy is policy
        True
    """
    return ref_likelihood(policy, name, slot=slot, text=text, aggregate=SumLog(), baseline=NoChain(average), **kw)
