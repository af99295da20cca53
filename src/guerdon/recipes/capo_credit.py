"""CAPO: judges list the wrong steps of a solution, and each costs less than the outcome pays.

Paper       CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment. 2025.
            arXiv:2508.02298.
Idea        One reading of a whole solution by a judge tells its wrong steps; several readings vote,
            and the outcome outweighs what they say.
Composes    centred(W_WHOLE * outcome - W_PROCESS * verdict(wrong_votes, Majority()), scale=Std(EPS),
            weight=token_share).

Symbols     R[t] = W_WHOLE * outcome - W_PROCESS * 1[step t is wrong]: 2, 1, 0 or -1
            A[t] = (R[t] - mean of the group) / (std of the group + EPS)

`credit(vote=...)` takes Intersection (precise; the paper: for small policies), Majority, Union or
Share. With W_PROCESS above W_WHOLE a clean failure would be worth more than a success with a slip.

Departures  The paper normalises over the tokens of the group, so that a long play has more say about the
            mean; here each play votes once, its tokens equally. A step on which no judge spoke is
            unscored, not right. No code was released when this was written.

Example (a success with one wrong step of two and a clean failure: 1, 2 against 0, 0; mean 0.75):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> votes = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]])
    >>> (RECIPE.credit(batch.with_columns(wrong_votes=Column.of("step", votes))).values * np.sqrt(11 / 12)).round(2)
    array([ 0.25,  1.25, -0.75, -0.75])
"""

from guerdon.credit import Credit, Std, centred, shuffled, token_share
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Majority, Term, Vote, broadcast, fact, verdict

W_WHOLE = 2.0  # UNVERIFIED: notes on the paper
W_PROCESS = 1.0  # UNVERIFIED: notes on the paper

VOTE = Majority()
WRONG = verdict("wrong_votes", VOTE)


def reward(wrong: Term = WRONG, process: float = W_PROCESS) -> Term:
    """What each token of a step is worth."""
    return W_WHOLE * broadcast(fact("outcome")) - process * wrong


def credit(vote: Vote = VOTE, process: float = W_PROCESS) -> Credit:
    """The advantage with another vote, or another price of a wrong step."""
    return of(reward(verdict("wrong_votes", vote), process))


def of(worth: Term) -> Credit:
    """Steps compared with the steps of the group, each play voting once."""
    return centred(worth, scale=Std(grpo.EPS), weight=token_share)


RECIPE = with_control(
    Recipe(
        name="capo-credit",
        title="CAPO",
        paper="CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment, 2025",
        idea="Judges vote on which steps are wrong; each costs less than the outcome pays.",
        reward=reward(),
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "W_WHOLE": Number(W_WHOLE, "UNVERIFIED", "notes on the paper"),
            "W_PROCESS": Number(W_PROCESS, "UNVERIFIED", "notes on the paper"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="judge votes",
        needs=("outcome", "wrong_votes"),
        baseline=grpo.RECIPE,
    ),
    "CAPO with its verdicts shuffled over the steps of the group",
    of(reward(shuffled(WRONG))),
    reward=reward(shuffled(WRONG)),
)
