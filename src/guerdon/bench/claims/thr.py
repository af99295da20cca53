"""THR's influence against what training a token really does to the right answers."""

from __future__ import annotations

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import spearman
from guerdon.credit.tokens import influence, prediction_error
from guerdon.environments import tabular

PLAYS, TOKENS, WORDS, WIDTH, RIGHT, STEP = 6, 5, 12, 8, 2, 1e-4
Array = np.ndarray


def effects(layer: Array, hidden: Array, token: Array, right: Array, advantage: Array) -> Array:
    """The change of the mean log-probability of right plays, summed over them, by training each token alone."""
    error = prediction_error(tabular.softmax(hidden @ layer.T), token)

    def likelihood(weights: Array) -> float:
        logp = np.log(tabular.softmax(hidden @ weights.T))[np.arange(len(token)), token]
        return float(logp[right].sum() / TOKENS)

    before = likelihood(layer)
    moved = [likelihood(layer + STEP * a * np.outer(g, h)) for a, g, h in zip(advantage, error, hidden, strict=True)]
    return (np.array(moved) - before) / STEP


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Correlations over the tokens of groups with a third of right plays, whose advantages differ in size."""
    found: dict[str, list[float]] = {}
    for _ in range(effort.of(40, least=4)):
        layer = rng.normal(size=(WORDS, WIDTH))
        hidden = rng.normal(size=(PLAYS * TOKENS, WIDTH))
        policy = tabular.softmax(hidden @ layer.T)
        token = (rng.random((len(hidden), 1)) > np.cumsum(policy, 1)[:, :-1]).sum(1)
        play = np.repeat(np.arange(PLAYS), TOKENS)
        right = play < RIGHT
        reward = (np.arange(PLAYS) < RIGHT).astype(float)
        advantage = ((reward - reward.mean()) / reward.std(ddof=1))[play]
        truth = effects(layer, hidden, token, right, advantage)
        said = influence(prediction_error(policy, token), hidden, play, right)
        for name, guess in (
            ("|A| times influence", np.abs(advantage) * said), ("influence", said),
            ("influence shuffled", rng.permutation(said)),
            ("entropy", -(policy * np.log(policy)).sum(1)),
        ):  # fmt: skip
            found.setdefault(f"correlation, {name}", []).append(float(np.corrcoef(guess, truth)[0, 1]))
            found.setdefault(f"rank correlation, {name}", []).append(spearman(guess, truth))
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """Against finite differences of the real update."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("correlation, |A| times influence"), found.pop("correlation, influence shuffled")
    return Result(
        figure, control, figure.above(0.99) and figure.above(control), tuple(found.values()),
        f"A linear softmax over fixed states, {RIGHT} of {PLAYS} plays right; each token is trained alone by a "
        "small step. Holds if |A| times the influence correlates above 0.99 with what was measured; the influence "
        "alone, as the method takes it, is a row.",
    )  # fmt: skip


CLAIM = Claim(
    "thr", "influence told without an update",
    "Token Hidden Reward: Steering Exploration-Exploitation in Group Relative Deep Reinforcement Learning, "
    "arXiv:2510.03669",
    "What training a token does to the likelihood of the right answers can be told to first order from prediction "
    "errors and hidden states.",
    run,
)  # fmt: skip
