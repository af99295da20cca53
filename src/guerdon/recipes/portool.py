"""PORTool: a tree of tool calls, each step compared with the other calls tried at the same place.

Paper       PORTool: Tool-Use LLM Training with Rewarded Tree. 2025. arXiv:2510.26020.
Idea        Branches that leave from one step tell which call was better there; the outcome of whole
            plays alone cannot.
Composes    (OMEGA_PLAY * node_mean(centred(outcome, scale=Std)) + OMEGA_FORK * among_siblings(R, Std)) * once.

Symbols     R(s) = mean over plays i through s of GAMMA^(T[i] - t) * outcome[i]  +  format(s)
            A(s) = OMEGA_PLAY * mean over plays through s of z-score of outcome in the group
                 + OMEGA_FORK * z-score of R(s) among the children of one parent; 0 with one child

A step shared by k plays stands k times in the batch, each with 1/k of its credit, so its node
is trained once. GAMMA below 1 is the only term that prefers short runs, needed calls or not.

Departures  The averaging over leaves and the mean over shared plays are the natural form; the paper
            was read second hand, and its two weights are not known. `action_valid` stands for
            format checks and successful calls. No KL term.

Example (three plays; the first two share their first step, then one of them wins):
    >>> from guerdon.batch import Batch, Column
    >>> steps = {"group": [0] * 5, "trajectory": [0, 0, 1, 1, 2], "reward": [0.0, 1.0, 0.0, 0.0, 0.0]}
    >>> batch = Batch.from_steps(**steps)
    >>> batch = batch.with_columns(node=Column.of("step", [7, 8, 7, 9, 6]), action_valid=Column.of("step", [1.0] * 5))
    >>> RECIPE.credit(batch).values.round(2)
    array([ 0.5 ,  1.86,  0.5 , -1.28, -1.28])
"""

from guerdon.credit import Credit, Std, among_siblings, backup, centred, modulate, node_mean, once, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact, unfailed

GAMMA = 0.95  # UNVERIFIED: reviews of the paper, best of those tried
OMEGA_PLAY = 1.0  # ours: not known
OMEGA_FORK = 1.0  # ours: not known
EPS = 1e-6  # ours: not known

OUTCOME = fact("outcome")
FORMAT = unfailed(fact("action_valid"))


def credit(play: float = OMEGA_PLAY, fork: float = OMEGA_FORK, gamma: float = GAMMA, outcome: Term = OUTCOME) -> Credit:
    """The advantage with other weights of its two levels; with `fork` 0 it is grpo, each node trained once."""
    plays = node_mean(centred(outcome, scale=Std(EPS)))
    worth = backup(outcome, gamma) + node_mean(FORMAT)
    return modulate(play * plays + fork * among_siblings(worth, Std(EPS)), by=once())


RECIPE = with_control(
    Recipe(
        name="portool",
        title="PORTool",
        paper="PORTool: Tool-Use LLM Training with Rewarded Tree, 2025, arXiv:2510.26020",
        idea="Compare a call with the other calls that were tried at the same place of a tree.",
        reward=at_end(OUTCOME) + FORMAT,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "GAMMA": Number(GAMMA, "UNVERIFIED", "reviews of the paper"),
            "OMEGA_PLAY": Number(OMEGA_PLAY, "ours", "both levels alike"),
            "OMEGA_FORK": Number(OMEGA_FORK, "ours", "both levels alike"),
            "EPS": Number(EPS, "ours", "against division by nothing"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="branches",
        needs=("outcome", "node", "action_valid"),
        baseline=grpo.RECIPE,
    ),
    "PORTool with outcomes shuffled over the plays of the group",
    credit(outcome=shuffled(OUTCOME)),
    reward=at_end(shuffled(OUTCOME)) + FORMAT,
)
