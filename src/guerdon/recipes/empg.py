"""EMPG: sure steps learn more than unsure ones, and a step is paid for leading to a clear one.

Paper       Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents. 2025.
Idea        The gradient of a softmax grows with its entropy, so unsure steps learn most where they
            should learn least; a factor turns this round.
Composes    centred(modulate(grpo, calibrated(entropy, K)) + ZETA * step_term(clarity(entropy, K_NEXT)),
            by=Everything()).

Symbols     H[t]   mean entropy of the step's sampled tokens, then from 0 to 1 over the batch
            g[t] = exp(-K * H[t]) / mean over the batch of exp(-K * H)
            f[t] = exp(-K_NEXT * H[t+1]), 0 at a play's last step
            A[t] = (A_grpo * g[t] + ZETA * f[t]) - mean over the steps of the batch

Where every play of a group is worth the same only the bonus is left, which makes the policy surer
whatever it does. ZETA is the number to watch.

Departures  The constants are of a reimplementation; another has ZETA = 0.1. Steps are steps of the play,
            so each has one entropy; that reimplementation takes one mean for a whole response. No 1e-8
            in the mean of g. What is subtracted at the end is the mean over steps, not over tokens.

Example (the second step of each play is surer than the first; without its centring, 1.5 A and 0.5 A):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0, 1, 0, 0.0], tokens_per_step=1)
    >>> batch = batch.with_columns(entropy=Column.of("token", [2.0, 0.0, 2.0, 0.0]))
    >>> credit(k=np.log(3.0), zeta=0.0)(batch).values.round(3)
    array([ 0.354,  1.061, -0.354, -1.061])
"""

from guerdon.credit import Credit, Everything, calibrated, centred, clarity, modulate, shuffled, step_term, token_mean
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

K = 1.0  # code: ARLArena compute_EMPG_advantage, k
K_NEXT = 1.0  # code: ARLArena compute_EMPG_advantage, k_f
ZETA = 0.05  # code: ARLArena compute_EMPG_advantage, zeta

ENTROPY = token_mean(fact("entropy"))


def credit(k: float = K, k_next: float = K_NEXT, zeta: float = ZETA, entropy: Term = ENTROPY) -> Credit:
    """The advantage with other constants, or another entropy of steps."""
    scaled = modulate(grpo.CREDIT, by=calibrated(entropy, k))
    return centred(scaled + zeta * step_term(clarity(entropy, k_next)), by=Everything())


RECIPE = with_control(
    Recipe(
        name="empg",
        title="EMPG",
        paper="Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents, 2025",
        idea="Sure steps learn more, and a step that leads to a clear one is paid for it.",
        reward=fact("outcome"),
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "K": Number(K, "code", "ARLArena, a reimplementation"),
            "K_NEXT": Number(K_NEXT, "code", "ARLArena, a reimplementation"),
            "ZETA": Number(ZETA, "code", "ARLArena, a reimplementation; that of AEPO has 0.1"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="token signals",
        alone="a group of one, and one that agrees, gets the bonus for clarity, less the mean of the batch",
        needs=("outcome", "entropy"),
        baseline=grpo.RECIPE,
    ),
    "EMPG with its entropies shuffled over the steps of the group",
    credit(entropy=shuffled(ENTROPY)),
)
