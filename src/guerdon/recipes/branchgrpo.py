"""BranchGRPO: a tree of samples, each node worth the mean of its leaves, compared with nodes as deep.

Paper       Li et al., BranchGRPO: Stable and Efficient GRPO with Structured Branching in Diffusion
            Models. 2025.
Idea        Shared prefixes cost one rollout, and the leaves below a node say what the node is worth.
Composes    bounded(at_depth(backup(outcome), scale=Std)) * once, and masks for pruning.

Symbols     V(leaf) = outcome;   V(node) = mean of its leaves, or the mean of its children weighted by the
            softmax of their log-probabilities (`PROBABLE`)
            A(step) = (V - mean) / std over all nodes at this depth of the tree, within +-BOUND

Pruning cuts gradients only: `without_depths(...)`, `keep_best(backup(outcome))` (the better child of
each last parent) and `keep_extremes(outcome)` (best and worst quarter of the leaves) are masks for
`credit(mask=)`. With two nodes at a depth the z-scores are +-0.707, whatever the values.

Departures  A trajectory is one path of denoising steps. The objective's clip of 1e-3 is the code's, with
            the mean over steps. The released width mode 1 groups each chain by itself, so it prunes
            half of its steps and no leaf; we keep the better child. A depth that agrees gets zero;
            the code's bound is a std below 1e-6.

Example (the first two plays share their first step, then one of them wins):
    >>> from guerdon.batch import Batch, Column
    >>> steps = {"group": [0] * 5, "trajectory": [0, 0, 1, 1, 2], "reward": [0.0, 1.0, 0.0, 0.0, 0.0]}
    >>> batch = Batch.from_steps(**steps).with_columns(node=Column.of("step", [7, 8, 7, 9, 6]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.354,  0.707,  0.354, -0.707, -0.707])
"""

from guerdon.credit import Credit, PathProbability, Std, at_depth, backup, bounded, modulate, once, shuffled, token_mean
from guerdon.credit.tree import LEAVES, Fusion
from guerdon.objectives import Clipped, StepMean, StepRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

BOUND = 5.0  # code: train_branchgrpo_flux.py, advantage clip
EPS = 1e-6  # code: train_branchgrpo_flux.py
CLIP = 1e-3  # code: train_branchgrpo_flux.py, per-edge ratio
TEMPERATURE = 1.0  # code: train_branchgrpo_flux.py, path probability

OUTCOME = fact("outcome")
PROBABLE = PathProbability(token_mean(fact("logprob")), TEMPERATURE)


def credit(outcome: Term = OUTCOME, fusion: Fusion = LEAVES, mask: Term | None = None) -> Credit:
    """The advantage with another fusion of leaves (`PROBABLE`), or with some branches kept from the gradient."""
    compared = modulate(bounded(at_depth(backup(outcome, fusion=fusion), Std(EPS)), BOUND), by=once())
    return compared if mask is None else modulate(compared, by=mask)


RECIPE = with_control(
    Recipe(
        name="branchgrpo",
        title="BranchGRPO",
        paper="Li et al., BranchGRPO: Stable and Efficient GRPO with Structured Branching, 2025",
        idea="A node of a tree of samples is worth its leaves, compared with nodes as deep.",
        reward=OUTCOME,
        credit=credit(),
        objective=Clipped(low=CLIP, high=CLIP, ratio=StepRatio(), reduce=StepMean()),
        numbers={
            "BOUND": Number(BOUND, "code", "train_branchgrpo_flux.py"),
            "EPS": Number(EPS, "code", "train_branchgrpo_flux.py"),
            "CLIP": Number(CLIP, "code", "train_branchgrpo_flux.py"),
            "TEMPERATURE": Number(TEMPERATURE, "code", "train_branchgrpo_flux.py"),
        },
        told="branches",
        needs=("outcome", "node"),
        baseline=grpo.RECIPE,
    ),
    "BranchGRPO with outcomes shuffled over the leaves of the tree",
    credit(shuffled(OUTCOME)),
    reward=shuffled(OUTCOME),
)
