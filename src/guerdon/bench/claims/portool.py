"""PORTool's shared steps: each node once or once for every play through it, and which comparison points right."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import spearman
from guerdon.bench.sample import cosine
from guerdon.credit import Credit, Std, centred, node_mean, shuffled
from guerdon.environments import tabular
from guerdon.recipes import portool

DEPTH, TOOLS, PLAYS, GROUPS = 6, 5, 8, 400
DECISIVE = (1, 4)  # the depths at which the first tool is needed; elsewhere any will do
FORK = 0.35  # the chance that a play leaves another one's path at a depth
Array = np.ndarray


def trees(rng: Generator, policy: Array, groups: int) -> tuple[Array, Array, Array]:
    """Plays of groups that share their first steps with the play before, and then go on by themselves.

    Returns:
        Actions (groups, plays, depth), the node of each step, and whether the play won.
    """
    action = (rng.random((groups, PLAYS, DEPTH, 1)) > np.cumsum(policy, 1)[:, :-1]).sum(-1)
    leaves = 1 + (rng.random((groups, PLAYS, DEPTH)) < FORK).argmax(2)  # how many steps are shared
    node = np.arange(groups * PLAYS * DEPTH).reshape(groups, PLAYS, DEPTH)
    depth = np.arange(DEPTH)
    for play in range(1, PLAYS):
        shared = depth < leaves[:, play, None] * (play % 4 > 0)  # every fourth play begins anew
        action[:, play] = np.where(shared, action[:, play - 1], action[:, play])
        node[:, play] = np.where(shared, node[:, play - 1], node[:, play])
    return action, node, (action[:, :, DECISIVE] == 0).all(2)


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Cosine to the exact gradient of each rule, and the rank correlation with exact advantages."""
    policy = tabular.softmax(np.tile([0.5, 0.0, 0.0, 0.0, 0.0], (DEPTH, 1)))
    action, node, won = trees(rng, policy, effort.of(GROUPS, least=60))
    groups = len(action)
    play = np.repeat(np.arange(groups * PLAYS), DEPTH)
    depth, acts = np.tile(np.arange(DEPTH), groups * PLAYS), action.ravel()
    paid = np.where(depth == DEPTH - 1, np.repeat(won.ravel(), DEPTH), 0.0)
    batch = Batch.from_steps(group=play // PLAYS, trajectory=play, reward=paid).with_columns(
        node=Column.of("step", node.ravel()), action_valid=Column.of("step", np.ones(len(play)))
    )
    truth, slope = exact(policy, action)
    plays = centred(portool.OUTCOME, scale=Std(portool.EPS))
    first = np.unique(node.ravel(), return_index=True)[1]
    rules: dict[str, Credit] = {
        "blend": portool.credit(), "plays alone, each node once": portool.credit(fork=0.0),
        "forks alone": portool.credit(play=0.0, gamma=1.0), "plays alone, each play counted": node_mean(plays),
        "forks alone, outcomes shuffled": portool.credit(play=0.0, gamma=1.0, outcome=shuffled(portool.OUTCOME)),
    }  # fmt: skip
    found = {}
    for name, credit in rules.items():
        advantage = credit(batch).filled(0.0)
        taken = np.bincount(depth * TOOLS + acts, weights=advantage, minlength=DEPTH * TOOLS).reshape(DEPTH, TOOLS)
        found[f"cosine to the gradient, {name}"] = cosine(taken - policy * taken.sum(1, keepdims=True), slope)
        found[f"rank correlation, {name}"] = spearman(advantage[first], truth.ravel()[first])
    alone = np.abs(portool.credit(play=0.0)(batch).filled(0.0)[first]) < 1e-12
    found["share of nodes without a fork term"] = float(alone.mean())
    return found


def exact(policy: Array, action: Array) -> tuple[Array, Array]:
    """The advantage of each step, and the gradient of the chance to win by the logits."""
    right = (action == 0) | ~np.isin(np.arange(DEPTH), DECISIVE)
    chance = np.where(np.isin(np.arange(DEPTH), DECISIVE), policy[:, 0], 1.0)
    so_far = np.cumprod(np.concatenate([np.ones((*action.shape[:2], 1)), right[:, :, :-1]], 2), 2)
    after = np.append(np.cumprod(chance[::-1])[::-1][1:], 1.0)
    truth = so_far * after * (right - chance)
    decides = np.isin(np.arange(DEPTH), DECISIVE)[:, None]
    won = (np.arange(TOOLS) == 0).astype(float)
    return truth, decides * policy * (won - policy[:, :1]) * chance.prod() / policy[:, :1]


def run(seed: int, effort: Effort) -> Result:
    """Comparing forks against comparing plays with each node trained once."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("rank correlation, blend"), found.pop("rank correlation, plays alone, each node once")
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"Rank correlation of the credit of nodes with their exact advantages, tool calls of depth {DEPTH} with "
        f"{len(DECISIVE)} that decide, {PLAYS} leaves a tree. The control compares plays alone on the same trees. "
        "Holds if the blend of forks and plays ranks better; the rows have each part alone, what counting a "
        "shared node once for every play changes, and how many nodes have no sibling to be compared with.",
    )  # fmt: skip


CLAIM = Claim(
    "portool", "comparing calls at one place of a tree",
    "PORTool: Tool-Use LLM Training with Rewarded Tree, arXiv:2510.26020",
    "Steps compared with the other steps tried at the same fork, blended with the comparison of whole plays, tell "
    "better which call was right than whole plays do.",
    run,
)  # fmt: skip
