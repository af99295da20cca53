"""UniDoc-RL: a score for each kind of action (search, select, crop, answer), behind a gate of form.

Paper       UniDoc-RL: Coarse-to-Fine Visual RAG with Hierarchical Actions and Dense Rewards.
Idea        Each stage of the search has a gold label, so each can be scored; one answer alone says too little.
Composes    centred(gate(gate(ANSWER * outcome, when=format, above=1/2) + PART * (retrieval + selection + crop + form),
            when=format), scale=Std(EPS)).

Symbols     form   1 in full form, 1/2 without an answer, 0 else: then R = 0
            R = ANSWER * answer (only in full form) + PART * (ndcg of the retrieved + share of selections that hit
                + mean overlap of crops + form)
            crop: the mean overlap where a crop is needed; 1 for none and 0 for any where it is not

Every part is paid to the whole play, so what a selection earns falls to the crop too. One part can be had alone,
at PART.

Departures  As released, the retrieval score is always 0 (names are split into letters before comparison); we follow
            the paper. The overlap of a crop is one number a crop, the paper's one a page.

Example (a full answer with one selection of two right; the same out of form):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 1.0])
    >>> steps = {"selected": [1.0] * 4, "hit": [1.0, 0.0] * 2, "cropped": [0.0] * 4, "overlap": [0.0] * 4}
    >>> batch = batch.with_columns(**{k: Column.of("step", v) for k, v in steps.items()})
    >>> plays = {"retrieval_score": [1.0, 1.0], "format_score": [1.0, 0.0]}
    >>> batch = batch.with_columns(**{k: Column.of("trajectory", v) for k, v in plays.items()})
    >>> RECIPE.reward(batch.with_columns(needs_tool=Column.of("group", [0.0]))).values.round(6)
    array([0.95, 0.  ])
"""

from guerdon.credit import Credit, Std, at_size_of, centred
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, gate, otherwise, tiers
from guerdon.rewards.actions import mean_where

ANSWER = 0.6  # code: UniDoc-RL RLTrain/verl/workers/reward_manager/rm.py
PART = 0.1  # code: UniDoc-RL rm.py, of each of the four others

CROPPED = fact("cropped")
FORM = tiers(fact("format_score"), at=(0.5, 1.0), values=(0.0, 0.5, 1.0)).named("form")
SELECTION = mean_where(fact("hit"), fact("selected")).named("selection")
CROP = otherwise(
    mean_where(fact("overlap"), CROPPED), mean_where(0.0 * CROPPED, CROPPED, nothing=1.0), when=fact("needs_tool")
).named("crop")


def reward(answer: float = ANSWER, part: float = PART) -> Term:
    """The worth of a play under other weights."""
    stages = fact("retrieval_score") + SELECTION + CROP + FORM
    return gate(gate(answer * fact("outcome"), when=FORM, above=0.5) + part * stages, when=FORM)


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth, scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="unidoc-rl",
        title="UniDoc-RL",
        paper="UniDoc-RL: Coarse-to-Fine Visual RAG with Hierarchical Actions and Dense Rewards",
        idea="Score each kind of action against its gold label, behind a gate of form.",
        reward=reward(),
        credit=credit(reward()),
        objective=grpo.OBJECTIVE,
        numbers={
            "ANSWER": Number(ANSWER, "code", "UniDoc-RL reward_manager/rm.py"),
            "PART": Number(PART, "code", "UniDoc-RL reward_manager/rm.py"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="step scores",
        needs=("outcome", "format_score", "retrieval_score", "selected", "hit", "cropped", "overlap", "needs_tool"),
        baseline=grpo.RECIPE,
    ),
    "UniDoc-RL's direction at GRPO's size",
    at_size_of(credit(reward()), grpo.CREDIT),
)
