"""REAL's bounded gradients: how hard single wrong plays pull as the policy moves away from the one that sampled."""

from __future__ import annotations

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Adam, Said, downhill, draw, pulls, single_steps
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.objectives import Clipped, Objective, Singly
from guerdon.recipes import dapo, grpo, gspo, real

PROMPTS, WORDS, WIDTH, PLAYS, RIGHT = 16, 12, 6, 8, 2
GROUPS, LENGTH, VOCABULARY, DRIFTS = 128, 8, 64, (1.0, 2.0)
BATCHES, STALE, RATE = 8, 8, 0.03
Array = np.ndarray

RULES: dict[str, tuple[Credit, Objective]] = {
    "real": (real.RECIPE.credit, real.RECIPE.objective),
    "grpo": (grpo.RECIPE.credit, grpo.RECIPE.objective),
    "grpo with a dual clip": (grpo.RECIPE.credit, Clipped(dual=3.0)),
    "dapo": (dapo.RECIPE.credit, dapo.RECIPE.objective),
    "gspo": (gspo.RECIPE.credit, gspo.RECIPE.objective),
    "each play by itself": (real.RECIPE.credit, real.objective(form=Singly())),
}


def problems(rng: Generator) -> tuple[Array, Array]:
    """Features of prompts, which share their parameters, and what each answer to each is worth."""
    features = rng.normal(size=(PROMPTS, WIDTH)) / np.sqrt(WIDTH)
    liking = features @ rng.normal(size=(WIDTH, WORDS)) + rng.normal(size=(PROMPTS, WORDS))
    reward = np.zeros((PROMPTS, WORDS))
    np.put_along_axis(reward, np.argsort(liking, 1)[:, -RIGHT:], 1.0, 1)
    return features, reward


def played(credit: Credit, logits: Array, reward: Array, rng: Generator) -> Said:
    """A group of plays of one word for each prompt."""
    key = np.repeat(np.arange(PROMPTS), PLAYS)
    word, old = draw(logits, key, rng)
    advantage = credit(single_steps(key, reward[key, word])).filled(0.0)
    return Said(key, word, old, advantage, np.arange(len(key)), key)


def drifted(credit: Credit, objective: Objective, start: int, drift: float) -> float:
    """The hardest pull of a wrong play once all logits have moved at random, by as much for each rule."""
    rng = np.random.default_rng(start)
    logits, group = 2.0 * rng.normal(size=(GROUPS * LENGTH, VOCABULARY)), np.repeat(np.arange(GROUPS), PLAYS)
    key = (group[:, None] * LENGTH + np.arange(LENGTH)).ravel()
    play = np.repeat(np.arange(len(group)), LENGTH)
    word, old = draw(logits, key, rng)
    advantage = credit(single_steps(group, (rng.random(len(group)) < 0.5).astype(float))).filled(0.0)
    moved = logits + drift * rng.normal(size=logits.shape)
    pull = pulls(objective, moved, Said(key, word, old, advantage[play], play, group))
    of_play = np.bincount(play, np.abs(pull)) * GROUPS
    return float(of_play[advantage < 0].max(initial=0.0))


def trained(credit: Credit, objective: Objective, features: Array, reward: Array, start: int, batches: int) -> dict:
    """How well it learns from batches that are used many times."""
    rng, weights, stepper, success = np.random.default_rng(start), np.zeros((WIDTH, WORDS)), Adam(RATE), []
    for _ in range(batches):
        said = played(credit, features @ weights, reward, rng)
        for _ in range(STALE):
            weights = weights + stepper(features.T @ downhill(objective, features @ weights, said))
        success.append(float((tabular.softmax(features @ weights) * reward).sum(1).mean()))
    return {"success": success[-1], "mean success": float(np.mean(success))}


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The same prompts and the same moves for every rule."""
    (features, reward), start, found = problems(rng), int(rng.integers(2**32)), {}
    for name, (credit, objective) in RULES.items():
        got = trained(credit, objective, features, reward, start, effort.of(BATCHES, least=4))
        first = drifted(credit, objective, start, 0.0)
        for drift in DRIFTS:
            got[f"hardest pull over that on policy, drift {drift:g}"] = drifted(credit, objective, start, drift) / first
        got["hardest pull on policy"] = first
        found |= {f"{key}, {name}": value for key, value in got.items()}
    return found


def run(seed: int, effort: Effort) -> Result:
    """Against GRPO's clipped ratio, on the same prompts."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    far = f"hardest pull over that on policy, drift {DRIFTS[-1]:g}, "
    figure, control = found.pop(far + "real"), found.pop(far + "grpo")
    bound = 1 / real.TAU
    bounded = (figure.values, found["hardest pull on policy, real"].values)
    holds = all(a * b <= bound * (1 + 1e-9) for a, b in zip(*bounded, strict=True)) and figure.below(control)
    return Result(
        figure, control, holds, tuple(found.values()),
        f"Groups of {PLAYS} plays of {LENGTH} tokens, half of them right; then all logits move at random by the drift. "
        "The pull of a play is the gradient by the log-probabilities of its tokens, times the groups. Holds if no play "
        f"of REAL pulls harder than 1 / tau = {bound:g}, and the hardest grows by less than GRPO's. Success is that of "
        f"prompts that share parameters, after {BATCHES} batches of {STALE} Adam steps each.",
    )  # fmt: skip


CLAIM = Claim(
    "real", "bounded gradients under stale updates",
    "Rewards as Labels: Revisiting RLVR from a Classification Perspective",
    "Where a wrong play has become likelier since it was drawn, its gradient under a clipped ratio grows without bound "
    "and drowns the others; a classifier's is bounded.",
    run,
)  # fmt: skip
