"""What to increase: an objective turns a stream of tokens with credit into a loss.

    Clipped(ratio=TokenRatio(), reduce=TokenMean()) + KL(0.04) + Entropy(0.001)

Objectives call tensor methods only, so importing them does not load torch; they never wait for
the device, and they divide by totals of the whole optimiser step, so that micro-batches add up.
"""

from guerdon.objectives.base import Measured, Objective, On, Operators, Scaled, Sum
from guerdon.objectives.bounds import BinaryKL, Bounded, BySign, Distance, Gamma, Same, TotalVariation, Weight, Within
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
from guerdon.objectives.schedule import After, Always, Cosine, Linear, Scheduled
from guerdon.objectives.soft import SoftClipped
from guerdon.objectives.stream import Pairs, Stream, Top
from guerdon.objectives.surrogate import Clipped, Reinforce

__all__ = [
    "K1", "K2", "K3", "KL", "Advantage", "AdvantageWeighted", "After", "Always", "BinaryKL", "Bounded", "BySign",
    "Clipped", "ConstantCount", "ConstantLength", "Cosine", "Distance", "Distil", "Entropy", "Fixed", "Forward",
    "ForwardKL", "Gamma", "GeometricRatio", "Given", "Imitate", "JensenShannon", "Likelihood", "Linear",
    "LogProbability", "MeanProbability", "Measured", "Mixture", "Objective", "On", "Operators", "Outcome", "Pairs",
    "Probability", "Ratio", "Reduce", "Regress", "Reinforce", "Renormalised", "ReverseKL", "Same", "Scaled",
    "Scheduled", "SequenceMean", "SequenceProduct", "SequenceRatio", "SoftClipped", "StepMean", "StepProduct",
    "StepRatio", "Stream", "Sum", "Tempered", "TokenGradient", "TokenMean", "TokenRatio", "Top", "TotalVariation",
    "Weight", "WithTail", "Within", "class_balance",
]  # fmt: skip
