"""What to increase: an objective turns a stream of tokens with credit into a loss.

    Clipped(ratio=TokenRatio(), reduce=TokenMean()) + KL(0.04) + Entropy(0.001)

Objectives call tensor methods only, so importing them does not load torch; they never wait for
the device, and they divide by totals of the whole optimiser step, so that micro-batches add up.
"""

from guerdon.objectives.base import Measured, Objective, On, Operators, Scaled, Sum
from guerdon.objectives.bounds import BinaryKL, Bounded, BySign, Distance, Gamma, Same, TotalVariation, Weight, Within
from guerdon.objectives.classify import Anchored, Circle, Classified, ImitateBest, ImplicitCritic, Singly
from guerdon.objectives.distill import (
    Distil,
    ForwardKL,
    JensenShannon,
    Mixture,
    Renormalised,
    ReverseKL,
    WithTail,
)
from guerdon.objectives.imitate import Imitate, Likelihood, LogProbability, MeanProbability, Probability
from guerdon.objectives.pairwise import Joint, PairClipped, Separate
from guerdon.objectives.plays import BestAgainstWorst, Chosen, FromTeacher, Listed, PlayMean, PlayTotal
from guerdon.objectives.preference import Alike, Guided, Preference, SoftLabel, TokenRegularised, Winner
from guerdon.objectives.ratio import (
    GeometricRatio,
    Ratio,
    SequenceProduct,
    SequenceRatio,
    StepRatio,
    TokenGradient,
    TokenRatio,
)
from guerdon.objectives.reduce import ConstantCount, ConstantLength, Reduce, SequenceMean, StepMean, TokenMean
from guerdon.objectives.regress import Advantage, AdvantageWeighted, Outcome, Regress, StepProduct, class_balance
from guerdon.objectives.regularise import K1, K2, K3, KL, Entropy, Fixed, Forward, Given, Tempered
from guerdon.objectives.schedule import Scheduled
from guerdon.objectives.selection import Absolute, BandCovariance, Only, Selection, TopCovariance
from guerdon.objectives.soft import SoftClipped
from guerdon.objectives.stream import Pairs, Stream, Top
from guerdon.objectives.surrogate import Clipped, PlayClipped, Reinforce
from guerdon.schedule import After, Always, Cosine, Linear

__all__ = [
    "K1", "K2", "K3", "KL", "Absolute", "Advantage", "AdvantageWeighted", "After", "Alike", "Always", "Anchored",
    "BandCovariance", "BestAgainstWorst", "BinaryKL", "Bounded", "BySign", "Chosen", "Circle", "Classified", "Clipped",
    "ConstantCount", "ConstantLength", "Cosine", "Distance", "Distil", "Entropy", "Fixed", "Forward", "ForwardKL",
    "FromTeacher", "Gamma", "GeometricRatio", "Given", "Guided", "Imitate", "ImitateBest", "ImplicitCritic",
    "JensenShannon", "Joint", "Likelihood", "Linear", "Listed", "LogProbability", "MeanProbability", "Measured",
    "Mixture", "Objective", "On", "Only", "Operators", "Outcome", "PairClipped", "Pairs", "PlayClipped", "PlayMean",
    "PlayTotal",
    "Preference", "Probability", "Ratio", "Reduce", "Regress", "Reinforce", "Renormalised", "ReverseKL", "Same",
    "Scaled", "Scheduled", "Selection", "Separate", "SequenceMean", "SequenceProduct", "SequenceRatio", "Singly",
    "SoftClipped", "SoftLabel", "StepMean", "StepProduct", "StepRatio", "Stream", "Sum", "Tempered", "TokenGradient",
    "TokenMean", "TokenRatio", "TokenRegularised", "Top", "TopCovariance", "TotalVariation", "Weight", "Winner",
    "WithTail", "Within", "class_balance",
]  # fmt: skip
