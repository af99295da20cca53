"""RAPO's forward KL: what is kept, what is found, and what the estimator pulls at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, Said, cosine, downhill, draw, pulls, single_steps
from guerdon.environments import tabular
from guerdon.objectives import K2, K3, KL, Entropy, Forward, Objective
from guerdon.recipes import grpo, rapo

ANSWERS, EASY, WORTH, LEVEL, MANY = 64, 8, 0.5, 0.45, 256
RARE = (-14.0, -7.0)  # log of the start's chance of the one right answer
PLAYS, UPDATES, RATE = 64, 60, 3.0
SWEPT = (0.1, 0.4, 1.0, 2.0)
COEFFICIENTS = np.geomspace(1e-4, 1e4, 600)
Array = np.ndarray


def problem(rng: Generator) -> tuple[Array, Array]:
    """The start's chances and the rewards: 1 for one rare answer, WORTH for a few usual ones, 0 for the others."""
    logits = 1.5 * rng.normal(size=ANSWERS)
    reward = np.zeros(ANSWERS)
    reward[0], reward[1 : 1 + EASY] = 1.0, WORTH
    rest = tabular.softmax(logits[None, 1:])[0]
    rare = np.exp(rng.uniform(*RARE))
    return np.append(rare, (1 - rare) * rest), reward


def covering(weight: Array, reward: Array) -> Array:
    """For each coefficient c, what has most of E[r] + c * sum of weight * log pi: pi = c * weight / (l - r)."""
    c = COEFFICIENTS[:, None]
    low, high = np.full_like(c, reward.max()), reward.max() + c * weight.sum()
    for _ in range(60):
        middle = (low + high) / 2
        much = (c * weight / np.maximum(middle - reward, 1e-300)).sum(1, keepdims=True) > 1
        low, high = np.where(much, middle, low), np.where(much, high, middle)
    policy = c * weight / np.maximum(high - reward, 1e-300)
    return policy / policy.sum(1, keepdims=True)


OPTIMA: dict[str, Callable[[Array, Array], Array]] = {
    "forward KL": covering,
    "reverse KL": lambda start, reward: tabular.softmax(np.log(start) + reward / COEFFICIENTS[:, None]),
    "forward KL, tempered": lambda start, reward: covering(start ** (rapo.LOW + (1 - rapo.LOW) * reward), reward),
    "entropy alone": lambda start, reward: tabular.softmax(reward / COEFFICIENTS[:, None]),
}


def at_equal_reward(policy: Array, reward: Array) -> Array:
    """The policy of the family whose mean reward is nearest to LEVEL."""
    return policy[np.abs(policy @ reward - LEVEL).argmin()]


OBJECTIVES: dict[str, Callable[[float], Objective]] = {
    "reverse KL": lambda c: grpo.OBJECTIVE + KL(c, K2()),
    "forward KL, its own gradient": lambda c: grpo.OBJECTIVE + KL(c, K3()),
    "forward KL": lambda c: grpo.OBJECTIVE + KL(c, Forward(rapo.MOST)),
    "rapo": lambda c: rapo.objective(c, c),
    "entropy alone": lambda c: grpo.OBJECTIVE + Entropy(c),
}


def trained(objective: Objective, start: Array, reward: Array, seed: int, updates: int) -> Array:
    """The policy after training on drawn answers."""
    rng, logits, stepper, key = np.random.default_rng(seed), np.log(start)[None], Plain(RATE), np.zeros(PLAYS, int)
    for _ in range(updates):
        word, old = draw(logits, key, rng)
        advantage = grpo.CREDIT(single_steps(key, reward[word])).filled(0.0)
        said = Said(key, word, old, advantage, np.arange(PLAYS), key, reward[word], np.log(start[word]))
        logits = logits + stepper(downhill(objective, logits, said))
    return tabular.softmax(logits)[0]


def estimated(estimator: K3 | Forward, policy: Array, start: Array) -> Array:
    """The expected pull of an estimator in the loss, over answers of the policy."""
    ids, logits = np.arange(ANSWERS), np.log(policy)[None]
    said = Said(0 * ids, ids, logits[0], np.zeros(ANSWERS), ids, 0 * ids, None, np.log(start))
    weight = policy * ANSWERS * pulls(KL(1.0, estimator), logits, said)  # the loss is a mean over tokens
    return weight - policy * weight.sum()


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Exact optima of many problems, training on a few, and the pull of the estimator on one."""
    found: dict[str, list[float]] = {}
    for i in range(effort.of(12, least=2)):
        start, reward = problem(rng)
        got = {}
        for name, optima in OPTIMA.items():
            policy = at_equal_reward(optima(start, reward), reward)
            got[f"pass@{MANY} at equal reward, {name}"] = 1 - (1 - policy[0]) ** MANY
            got[f"answers kept at a tenth of their chance, {name}"] = float((policy >= 0.1 * start).mean())
        if i < 1:
            seed = int(rng.integers(2**32))
            for name, objective in OBJECTIVES.items():
                swept = np.array(
                    [trained(objective(c), start, reward, seed, effort.of(UPDATES, least=5)) for c in SWEPT]
                )
                policy = at_equal_reward(swept, reward)
                got[f"pass@{MANY} after training, {name}"] = 1 - (1 - policy[0]) ** MANY
                got[f"reward after training, {name}"] = float(policy @ reward)
                got[f"answers kept after training, {name}"] = float((policy >= 0.1 * start).mean())
        if i == 0:
            for drift in (0.1, 2.0):
                policy = tabular.softmax(np.log(start)[None] + drift * rng.normal(size=(1, ANSWERS)))[0]
                exact = start - policy  # minus the gradient of KL(start, policy) by the logits
                for name, estimator in (("w log w - w + 1", Forward()), ("r - 1 - log r", K3())):
                    pull = cosine(estimated(estimator, policy, start), exact)
                    got[f"cosine of the pull to that of the forward KL, {name}, drift {drift:g}"] = pull
        for name, value in got.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """pass@k of the exact optima at one mean reward, and whether training finds what they promise."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    name = f"pass@{MANY} at equal reward, "
    figure, control = found.pop(name + "forward KL"), found.pop(name + "reverse KL")
    learned = f"pass@{MANY} after training, "
    return Result(
        figure, control, figure.above(control) and found[learned + "rapo"].above(found[learned + "reverse KL"]),
        tuple(found.values()),
        f"{ANSWERS} answers; the right one has a chance of e^{RARE[0]:g} to e^{RARE[1]:g} at the start, {EASY} usual "
        f"ones pay {WORTH:g}. Exact optima whose mean reward is {LEVEL:g}, since coefficients of different KLs compare "
        "with nothing; then training on drawn answers with the losses as published, at that of four coefficients "
        "which ends nearest to that reward. The published estimator is differentiated as it stands; `K3` has the "
        "gradient of the forward KL, `K2` that of the reverse. Holds if pass@k is above that of the reverse in both.",
    )  # fmt: skip


CLAIM = Claim(
    "rapo", "the forward KL and the support",
    "Unlocking Reasoning Capabilities in LLMs via Reinforcement Learning Exploration, arXiv:2510.03865",
    "A forward KL, to a reference that lets go of bad answers, covers what the start can do and finds what it hardly "
    "can; a reverse KL stays inside.",
    run,
)  # fmt: skip
