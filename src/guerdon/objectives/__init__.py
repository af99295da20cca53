"""What to increase: an objective turns a stream of tokens with credit into a loss.

    Clipped(ratio=TokenRatio(), reduce=TokenMean()) + KL(0.04) + Entropy(0.001)

Objectives call tensor methods only, so importing them does not load torch; they never wait for
the device, and they divide by totals of the whole optimiser step, so that micro-batches add up.
"""

from guerdon.objectives.base import Objective, Operators, Scaled, Sum
from guerdon.objectives.imitate import Imitate
from guerdon.objectives.ratio import SequenceRatio, StepRatio, TokenGradient, TokenRatio
from guerdon.objectives.reduce import ConstantLength, SequenceMean, StepMean, TokenMean
from guerdon.objectives.regularise import K1, K2, K3, KL, Entropy
from guerdon.objectives.stream import Stream
from guerdon.objectives.surrogate import Clipped

__all__ = [
    "K1", "K2", "K3", "KL", "Clipped", "ConstantLength", "Entropy", "Imitate", "Objective", "Operators", "Scaled",
    "SequenceMean", "SequenceRatio", "StepMean", "StepRatio", "Stream", "Sum",
    "TokenGradient", "TokenMean", "TokenRatio",
]  # fmt: skip
