"""DISPO's two collapse shapes: what a tight bound on the weight of wrong answers does to length and repetition."""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Adam, Said, downhill
from guerdon.environments import tabular
from guerdon.objectives import Objective
from guerdon.recipes import cispo, dapo, dispo

WORDS, LONGEST = 8, 20
GOAL = np.array([0, 1, 0, 2])  # to be said in this order, with anything between; then the end
END = WORDS
GROUPS, PLAYS, BATCHES, STALE, RATE = 16, 8, 16, 12, 0.1
Array = np.ndarray

RULES: dict[str, Objective] = {
    "dispo": dispo.RECIPE.objective,
    "wrong and likelier bounded": dispo.objective(wrong_high=0.0),
    "wrong and unlikelier held up": dispo.objective(wrong_low=0.0),
    "right and likelier bounded": dispo.objective(right_high=0.0),
    "cispo": cispo.RECIPE.objective,
    "dapo": dapo.RECIPE.objective,
}


def speak(logits: Array, count: int, rng: Generator) -> tuple[Array, Array, Array, Array, Array]:
    """So many answers, side by side.

    Returns:
        Of each token its answer, the policy's key, the word and whether it repeats the one before; of each answer
        whether it is right.
    """
    bounds = np.cumsum(tabular.softmax(logits), 1)[:, :-1]
    done, last, alive, rows = np.zeros(count, int), np.full(count, END), np.arange(count), []
    right = np.zeros(count, bool)
    for _ in range(LONGEST):
        key = last[alive]  # the policy sees the last word, not how much of the goal is said
        word = (rng.random((len(alive), 1)) > bounds[key]).sum(1)
        rows.append((alive, key, word, word == last[alive]))
        right[alive] = (word == END) & (done[alive] == len(GOAL))
        done[alive] += word == np.append(GOAL, -1)[done[alive]]
        last[alive] = word
        alive = alive[word != END]
        if not len(alive):
            break
    play, key, word, again = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(play, kind="stable")
    return play[order], key[order], word[order], again[order], right


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Every bound from the same start."""
    start = 0.3 * rng.normal(size=(WORDS + 1, WORDS + 1))
    seed, found = int(rng.integers(2**32)), {}
    for name, objective in RULES.items():
        got = trained(objective, start, seed, effort.of(BATCHES, least=3))
        found |= {f"{key}, {name}": value for key, value in got.items()}
    return found


def trained(objective: Objective, logits: Array, seed: int, batches: int) -> dict[str, float]:
    """Success, length, repetition and entropy, over training and at the end."""
    rng, stepper, rows = np.random.default_rng(seed), Adam(RATE), []
    group = np.repeat(np.arange(GROUPS), PLAYS)
    for _ in range(batches):
        play, key, word, _, right = speak(logits, len(group), rng)
        batch = Batch.from_steps(group=group[play], trajectory=play, reward=segments.last(play) * right[play])
        advantage = dapo.credit()(batch).filled(0.0)
        old = np.log(tabular.softmax(logits)[key, word])
        said = Said(key, word, old, advantage, play, group)
        for _ in range(STALE):
            logits = logits + stepper(downhill(objective, logits, said))
        rows.append(measured(logits, rng))
    seen = np.array(rows)
    mean = dict(zip(("mean success", "mean length", "mean repetition", "mean entropy"), seen.mean(0), strict=True))
    return mean | {"success": seen[-1, 0], "length": seen[-1, 1], "repetition": seen[-1, 2]}


def measured(logits: Array, rng: Generator) -> Array:
    """Success, mean length, share of words that repeat the one before, mean entropy of a word."""
    play, key, _, again, right = speak(logits, 256, rng)
    policy = tabular.softmax(logits)[key]
    entropy = -(policy * np.log(np.maximum(policy, 1e-300))).sum(1)
    return np.array([right.mean(), len(play) / len(right), again.mean(), entropy.mean()])


def run(seed: int, effort: Effort) -> Result:
    """Each bound on wrong answers made as tight as it goes, against the published ones."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    repeats = found["mean repetition, wrong and likelier bounded"].above(found["mean repetition, dispo"])
    figure, control = found.pop("mean length, wrong and unlikelier held up"), found.pop("mean length, dispo")
    return Result(
        figure, control, repeats and figure.below(control), tuple(found.values()),
        f"Answers of at most {LONGEST} words that must say {len(GOAL)} words in order and end, by a "
        f"policy that sees its last word, so that no sure answer is there to be found; {STALE} Adam steps on each "
        "batch; one bound at a time is set to 0, so that the weight stays at 1 on that side. Holds if wrong answers "
        "bounded above lead to more repetition, and bounded below to shorter answers.",
    )  # fmt: skip


CLAIM = Claim(
    "dispo", "two ways to collapse",
    "DISPO: Enhancing Training Efficiency and Stability in Reinforcement Learning for Large Language Model "
    "Mathematical Reasoning, arXiv:2602.00983",
    "For wrong answers, a tight bound on weights above 1 ends in repetition, one on weights below 1 in ever shorter "
    "answers; with both wide and tight bounds only for right ones training is stable.",
    run,
)  # fmt: skip
