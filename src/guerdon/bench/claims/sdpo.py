"""SDPO with feedback on the first wrong word, and with the feedback of another play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Adam, Said, downhill, draw, spearman
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.objectives import Objective
from guerdon.recipes import grpo, sdpo

PROMPTS, LENGTH, WORDS, PLAYS, UPDATES, RATE = 8, 6, 8, 8, 120, 0.05
READS = 4.0  # how far, in logits, the teacher follows what it reads
HEAD_START = 1.0  # how much the start prefers right words
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Played:
    """Plays of words, (plays, LENGTH), and what the environment says of them.

    Attributes:
        key: the row of the table of each word.
        word: what was said.
        wrong: the place of the first wrong word; LENGTH where there is none.
    """

    key: Array
    word: Array
    wrong: Array

    @property
    def right(self) -> Array:
        """True for plays without a wrong word."""
        return self.wrong == LENGTH


Reads = Callable[[Played, Generator], Array]  # (plays, LENGTH, WORDS): what the context adds to the logits


def feedback(played: Played, wrong: Array) -> Array:
    """What can be read off the first wrong place: words before it are right, the word there is not."""
    place = np.arange(LENGTH)
    known = (place < wrong[:, None]).astype(float) - (place == wrong[:, None])
    return READS * known[..., None] * np.eye(WORDS)[played.word]


def own(played: Played, rng: Generator) -> Array:
    """Feedback on the play itself."""
    return feedback(played, played.wrong)


def of_another(played: Played, rng: Generator) -> Array:
    """The feedback that another play of the batch got."""
    return feedback(played, rng.permutation(played.wrong))


def sibling(played: Played, rng: Generator) -> Array:
    """A successful play of the same prompt, not itself; nothing where there is none."""
    tips = np.zeros((*played.word.shape, WORDS))
    prompt = np.arange(len(played.wrong)) // PLAYS
    for p in range(PROMPTS):
        members, good = np.nonzero(prompt == p)[0], np.nonzero((prompt == p) & played.right)[0]
        for i in members:
            others = good[good != i]
            if len(others):
                tips[i] = READS * np.eye(WORDS)[played.word[rng.choice(others)]]
    return tips


RULES: dict[str, tuple[Objective, Reads]] = {
    "feedback": (sdpo.logits(), own),
    "feedback of another play": (sdpo.logits(), of_another),
    "a sibling's success alone": (sdpo.logits(), sibling),
    "feedback, sampled words": (sdpo.RECIPE.objective, own),
}


def play(logits: Array, answer: Array, rng: Generator) -> tuple[Played, Array]:
    """PLAYS strings for each prompt, and the log-probabilities of their words."""
    prompt = np.repeat(np.arange(PROMPTS), PLAYS)
    key = prompt[:, None] * LENGTH + np.arange(LENGTH)
    word, old = draw(logits, key.ravel(), rng)
    word = word.reshape(key.shape)
    miss = np.hstack([word != answer[prompt], np.ones((len(prompt), 1), bool)])
    return Played(key, word, miss.argmax(1)), old


def said_of(played: Played, old: Array, advantage: Array, teacher: Array | None) -> Said:
    """The words as tokens of an objective."""
    plays = len(played.wrong)
    of_play, group = np.repeat(np.arange(plays), LENGTH), np.arange(plays) // PLAYS
    return Said(played.key.ravel(), played.word.ravel(), old, advantage, of_play, group, teacher=teacher)


def trained(objective: Objective, reads: Reads, logits: Array, answer: Array, seed: int, updates: int) -> dict:
    """Success over training, and whether the teacher points at the first wrong word at the start."""
    rng, stepper, success, points = np.random.default_rng(seed), Adam(RATE), [], []
    for _ in range(updates):
        played, old = play(logits, answer, rng)
        tips = reads(played, rng).reshape(-1, WORDS)
        teacher = np.log(tabular.softmax(logits[played.key.ravel()] + tips))
        gap = teacher[np.arange(len(teacher)), played.word.ravel()] - old
        if len(points) < 20:
            points.append(spearman(-gap, (np.arange(LENGTH) == played.wrong[:, None]).ravel()))
        logits = logits + stepper(downhill(objective, logits, said_of(played, old, gap, teacher)))
        success.append(solved(logits, answer))
    return {"success": success[-1], "mean success": float(np.mean(success)),
            "rank correlation of log p - log q with the first wrong word": float(np.mean(points))}  # fmt: skip


def by_outcome(credit: Credit, objective: Objective, logits: Array, answer: Array, seed: int, updates: int) -> dict:
    """The same from outcomes alone."""
    rng, stepper, success = np.random.default_rng(seed), Adam(RATE), []
    for _ in range(updates):
        played, old = play(logits, answer, rng)
        said = said_of(played, old, np.zeros(len(old)), None)
        ends = (np.arange(LENGTH) == LENGTH - 1) * played.right[:, None]
        batch = Batch.from_steps(group=said.group[said.play], trajectory=said.play, reward=ends.ravel().astype(float))
        said = said_of(played, old, credit(batch).filled(0.0), None)
        logits = logits + stepper(downhill(objective, logits, said))
        success.append(solved(logits, answer))
    return {"success": success[-1], "mean success": float(np.mean(success))}


def solved(logits: Array, answer: Array) -> float:
    """The exact chance to say the whole string, mean over prompts."""
    right = tabular.softmax(logits)[np.arange(PROMPTS * LENGTH), answer.ravel()]
    return float(right.reshape(PROMPTS, LENGTH).prod(1).mean())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Every teacher, and GRPO, from the same start."""
    answer = rng.integers(WORDS, size=(PROMPTS, LENGTH))
    logits = rng.normal(size=(PROMPTS * LENGTH, WORDS)) + HEAD_START * np.eye(WORDS)[answer.ravel()]
    seed, updates, found = int(rng.integers(2**32)), effort.of(UPDATES, least=3), {}
    for name, (objective, reads) in RULES.items():
        got = trained(objective, reads, logits, answer, seed, updates)
        found |= {f"{key}, {name}": value for key, value in got.items()}
    got = by_outcome(grpo.RECIPE.credit, grpo.RECIPE.objective, logits, answer, seed, updates)
    return found | {f"{key}, grpo": value for key, value in got.items()}


def run(seed: int, effort: Effort) -> Result:
    """Against the feedback that another play got, and against GRPO."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("success, feedback"), found.pop("success, feedback of another play")
    return Result(
        figure, control, figure.above(control) and figure.above(found["success, grpo"]), tuple(found.values()),
        f"Strings of {LENGTH} of {WORDS} words, all or nothing, {UPDATES} batches; feedback names the first wrong "
        f"place. The policy is a table, so that it reads its context is given, not learned: {READS:g} nats on what is "
        "said of a word. Holds if it ends above the same with another play's feedback, and above GRPO.",
    )  # fmt: skip


CLAIM = Claim(
    "sdpo", "a teacher that has read the feedback",
    "Reinforcement Learning via Self-Distillation",
    "Distilling the policy that has read feedback into the one that has not learns where outcomes alone are too rare "
    "to learn from; the feedback, not the pull to itself, is what teaches.",
    run,
)  # fmt: skip
