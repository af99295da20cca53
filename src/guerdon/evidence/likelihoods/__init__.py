"""How likely a policy or a reference model finds a text: references after reasoning, beliefs, follow-ups, entropies."""

from __future__ import annotations

from guerdon.evidence.likelihoods.aggregate import (
    Aggregate,
    Geometric,
    LeaveOneOut,
    LogMeanExp,
    MeanLog,
    MeanProb,
    Prod,
    SpreadWeighted,
    SumLog,
    Tokens,
    diversity_bonus,
    spread,
    spread_weights,
)
from guerdon.evidence.likelihoods.entropy import entropies, logprobs_alone, own_logprobs
from guerdon.evidence.likelihoods.history import Retold, Sampled
from guerdon.evidence.likelihoods.path import path_scores
from guerdon.evidence.likelihoods.presets import (
    darl,
    dro_r3,
    flr,
    grpo_vps,
    igpo,
    jepo,
    jepo_group,
    log_prob,
    p2s,
    rlp,
    rlpr,
    rlpr_gain,
    sar,
    verifree,
)
from guerdon.evidence.likelihoods.reference import beliefs, ref_likelihood
from guerdon.evidence.likelihoods.slots import AfterMark, AtEnd, NextTurn
from guerdon.evidence.likelihoods.texts import (
    BesideOwn,
    FollowUps,
    MaskedChain,
    NoChain,
    NoPrompt,
    Own,
    Reference,
    Rests,
    Under,
)

__all__ = [
    "AfterMark", "Aggregate", "AtEnd", "BesideOwn", "FollowUps", "Geometric", "LeaveOneOut", "LogMeanExp",
    "MaskedChain", "MeanLog", "MeanProb", "NextTurn", "NoChain", "NoPrompt", "Own", "Prod", "Reference", "Rests",
    "Retold", "Sampled", "SpreadWeighted", "SumLog", "Tokens", "Under", "beliefs", "darl", "diversity_bonus", "dro_r3",
    "entropies", "flr", "grpo_vps", "igpo", "jepo", "jepo_group", "log_prob", "logprobs_alone", "own_logprobs", "p2s",
    "path_scores", "ref_likelihood", "rlp", "rlpr", "rlpr_gain", "sar", "spread", "spread_weights", "verifree",
]  # fmt: skip
