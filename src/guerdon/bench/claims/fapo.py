"""FAPO's sign change: guessing pays early and stands in the way late."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.recipes import fapo

PARTS, WAYS = 4, 4  # a chain of parts, each with one right way of doing it among several
GUESS = WAYS  # and at every part the rest may be guessed
LUCK = 0.1 + 0.15 * np.arange(PARTS + 1)  # the more is done, the likelier a guess is right
GROUPS, PLAYS, UPDATES, RATE, RUNS = 8, 8, 300, 1.0, 3
CLEAN_SHARE = np.array([0.1, 0.3, 0.45, 0.55, 0.7, 0.9])  # groups whose sign change is looked at
Array = np.ndarray
Rule = Callable[[float], Credit]  # from the share of training that is over


def fixed(penalty: float) -> Rule:
    """One penalty throughout."""
    credit = fapo.credit(fapo.reward(penalty))
    return lambda done: credit


def switched(done: float) -> Credit:
    """The outcome alone for the first half, then flawed answers as wrong ones."""
    return (OUTCOME if done < 0.5 else REJECT)(done)


OUTCOME, REJECT = fixed(0.0), fixed(2.0)
RULES: dict[str, Rule] = {
    "fapo": lambda done: fapo.RECIPE.credit, "outcome alone": OUTCOME, "flawed are wrong": REJECT,
    "penalty 0.5": fixed(0.5), "switched at half time": switched,
    "verdicts shuffled": lambda done: fapo.RECIPE.control.credit,
}  # fmt: skip


def verdicts(group: Array, right: Array, flawed: Array) -> Batch:
    """Whole answers as plays of one step; nobody judges the way of a wrong answer."""
    batch = Batch.from_steps(group=group, trajectory=np.arange(len(group)), reward=right.astype(float))
    judged = np.where(right, flawed.astype(float), np.nan)
    return batch.with_columns(flawed=Column.of("trajectory", [None if np.isnan(x) else x for x in judged]))


def chances(logits: Array) -> Array:
    """The exact chances to be right by a clean way, and right by a guess."""
    policy = tabular.softmax(logits)
    there = np.cumprod(np.append(1.0, policy[:, 0]))
    return np.array([there[-1], float((there[:-1] * policy[:, GUESS] * LUCK[:-1]).sum())])


def attempt(logits: Array, rng: Generator) -> tuple[Batch, Array, Array]:
    """Groups of answers, with what was done at each part and where an answer was still going on."""
    policy, n = tabular.softmax(logits), GROUPS * PLAYS
    action = (rng.random((n, PARTS, 1)) > np.cumsum(policy, 1)[None, :, :-1]).sum(2)
    on = np.cumprod(np.hstack([np.ones((n, 1), int), (action == 0)[:, :-1]]), 1) > 0
    guessed = (on & (action == GUESS)).any(1)
    clean = on[:, -1] & (action[:, -1] == 0)
    lucky = guessed & (rng.random(n) < LUCK[(on & (action == 0)).sum(1)])
    return verdicts(np.repeat(np.arange(GROUPS), PLAYS), clean | lucky, guessed), action, on


def trained(rule: Rule, start: int, updates: int) -> dict[str, float]:
    """Clean and flawed successes over training."""
    rng, logits, stepper, seen = np.random.default_rng(start), np.zeros((PARTS, WAYS + 1)), Plain(RATE), []
    for update in range(updates):
        batch, action, on = attempt(logits, rng)
        weight = rule(update / updates)(batch).filled(0.0)[:, None] * on
        taken = (weight[..., None] * np.eye(WAYS + 1)[action]).sum(0)
        logits = logits + stepper((taken - tabular.softmax(logits) * weight.sum(0)[:, None]) / len(weight))
        seen.append(chances(logits))
    rows = np.array(seen)
    return {"mean clean success": rows[:, 0].mean(), "clean success": rows[-1, 0], "flawed success": rows[-1, 1],
            "success early": rows[: max(1, updates // 4)].sum(1).mean()}  # fmt: skip


def turns(penalty: float) -> float:
    """Clean over wrong answers of the group where the credit of a flawed one turns, on a line between groups."""
    credit, size, flawed = fapo.credit(fapo.reward(penalty)), 120, 20
    ratio, said = [], []
    for share in CLEAN_SHARE:
        clean = round(share * (size - flawed))
        kind = np.repeat([0, 1, 2], [clean, flawed, size - flawed - clean])
        found = credit(verdicts(np.zeros(size, int), kind < 2, kind == 1)).filled(0.0)[kind == 1]
        ratio.append(np.log(clean / (size - flawed - clean)))
        said.append(float(found.mean()))
    up = [i for i in range(len(said) - 1) if said[i] > 0 >= said[i + 1]]
    if not up:
        return 0.0
    i = up[0]
    return float(np.exp(ratio[i] + said[i] / (said[i] - said[i + 1]) * (ratio[i + 1] - ratio[i])))


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Each rule from the same start."""
    found, starts = {}, rng.integers(2**32, size=effort.of(RUNS))
    for name, rule in RULES.items():
        runs = [trained(rule, int(start), effort.of(UPDATES, least=5)) for start in starts]
        found |= {f"{key}, {name}": float(np.mean([run[key] for run in runs])) for key in runs[0]}
    for name, penalty in (("fapo", fapo.PENALTY), ("penalty 0.5", 0.5), ("flawed are wrong", 2.0)):
        found[f"clean over wrong where flawed turn, {name}"] = turns(penalty)
    return found


def run(seed: int, effort: Effort) -> Result:
    """Clean success over training, against the outcome alone and against refusing flawed answers."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("mean clean success, fapo"), found.pop("mean clean success, flawed are wrong")
    alone = found["mean clean success, outcome alone"]
    turn = found["clean over wrong where flawed turn, fapo"].mean
    return Result(
        figure, control, figure.above(control) and figure.above(alone) and abs(turn - 1) < 0.05, tuple(found.values()),
        f"A chain of {PARTS} parts that must be worked out; at each the rest can be guessed, the better the more is "
        "done. Clean success over training. Holds if FAPO is above both the outcome alone and refusing flawed answers, "
        "and the credit of a flawed one turns where clean and wrong ones are as many (0: it never does).",
    )  # fmt: skip


CLAIM = Claim(
    "fapo", "flawed answers as a shortcut",
    "FAPO: Flawed-Aware Policy Optimization for Efficient and Reliable Reasoning",
    "Placed between right and wrong, flawed right answers are rewarded while wrong ones prevail and punished once "
    "clean ones do; keeping the shortcut early learns faster than refusing it, and cleaner than the outcome "
    "alone.",
    run,
)  # fmt: skip
