"""VGPO: returns of instant rewards compared at each step, and against an anchor that does not agree.

Paper       Anchoring Values in Temporal and Group Dimensions for Flow Matching Model Alignment. 2025.
            arXiv:2512.12387.
Idea        A reward at every denoising step says when quality is decided; an absolute anchor keeps the
            signal alive in groups whose plays are all alike.
Composes    modulate(centred(Q, by=(prompt, turn), scale=Std(EPS)) + KAPPA * (Q - anchor), by=phase_weight).

Symbols     r[t]     `probe`, the reward of the one-step estimate after step t, not negative
            Q[t]   = sum over k >= t of GAMMA^(k - t) r[k]
            b[t]     `value`, the anchor of Q at this step, from plays of earlier batches
            w[t]   = q[t] / mean of q over the play,   q = Q / sum over k >= t of GAMMA^(k - t)
            A[t]   = w[t] * ((Q - mean) / (std + EPS) + KAPPA * (Q - b))

With a constant reward w is 1, and in plays of one length A is 0 at every step once b has settled. The anchor
stands per step: one for all steps would leave the bare horizon in A. Plays of unlike lengths, which a
sampler of images does not have, are compared with their horizons.

Departures  The paper was read second hand: the exact form of the absolute part was not seen. Reviews say
            that its limit needs a factor that goes as the std, which fits this form. The paper's w
            is Q over its mean, a ramp in the steps left even for a constant reward; ours is divided by
            the horizon first. The anchor is a column; a critic or a running mean may fill it.

Example (one step each, anchored at 1/2):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> batch = batch.with_columns(probe=Column.of("step", [1.0, 0.5]), value=Column.of("step", [0.5, 0.5]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.957, -0.707])
"""

from guerdon.credit import Credit, Std, Turn, centred, less, modulate, phase_weight, shuffled, to_go_of
from guerdon.objectives import Clipped, StepMean, StepRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

GAMMA = 0.9  # ours: not known
KAPPA = 0.5  # ours: the paper's alpha is k * std(Q), k not known
EPS = 1e-6  # ours: not known
CLIP = 0.2  # ours: as in grpo; the paper's was not seen

REWARD = fact("probe")
ANCHOR = fact("value")


def credit(kappa: float = KAPPA, gamma: float = GAMMA, reward: Term = REWARD, anchor: Term = ANCHOR) -> Credit:
    """The advantage with another weight of the absolute part, or another anchor."""
    ahead = to_go_of(reward, gamma)
    dual = centred(ahead, by=("prompt", Turn()), scale=Std(EPS)) + kappa * less(ahead, anchor, compares=("history",))
    return modulate(dual, by=phase_weight(reward, gamma))


RECIPE = with_control(
    Recipe(
        name="vgpo",
        title="VGPO",
        paper="Anchoring Values in Temporal and Group Dimensions, 2025, arXiv:2512.12387",
        idea="Compare returns of instant rewards step by step, and with an absolute anchor.",
        reward=REWARD,
        credit=credit(),
        objective=Clipped(low=CLIP, high=CLIP, ratio=StepRatio(), reduce=StepMean()),
        numbers={
            "GAMMA": Number(GAMMA, "ours", "not known"),
            "KAPPA": Number(KAPPA, "ours", "the paper's is not known"),
            "EPS": Number(EPS, "ours", "against division by nothing"),
            "CLIP": Number(CLIP, "ours", "as in grpo"),
        },
        told="step scores",
        alone="a group of one, and one that agrees, get KAPPA times what their returns are above the anchor",
        needs=("probe", "value"),
        baseline=grpo.RECIPE,
    ),
    "VGPO with its instant rewards shuffled over the steps of the group",
    credit(reward=shuffled(REWARD)),
    reward=shuffled(REWARD),
)
