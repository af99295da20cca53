"""PAR against its rivals: a proxy whose errors have heavy tails."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Adam, at_level, single_steps
from guerdon.credit import centred
from guerdon.environments import tabular
from guerdon.recipes import par
from guerdon.rewards import Term
from guerdon.rewards.bounded import Moments, rivals

ANSWERS, DRAWN, UPDATES, RATE, TAIL, NATS, TRAINED = 200, 64, 150, 0.05, 1.5, 2.0, 6
AFFINE = ("centred", "meanstd", "minmax")  # maps of the score that bend nothing
ALIKE = ("tanh", "poly", "sgfc")  # of PAR's own kind: bounded curves above the references
STRENGTHS = np.geomspace(1e-3, 1e3, 120)
Array = np.ndarray


def answers(rng: Generator) -> tuple[Array, Array, Array, Array]:
    """Gold worth, proxy, the start's chances, and the proxy of its reference answers."""
    gold = rng.normal(size=ANSWERS)
    proxy = gold + 0.5 * rng.standard_t(TAIL, size=ANSWERS)
    start = tabular.softmax(rng.normal(size=(1, ANSWERS)))[0]
    return gold, proxy, start, proxy[rng.choice(ANSWERS, size=par.REFERENCES, p=start)]


def scored(proxy: Array, references: Array) -> Batch:
    """Answers to one prompt, with what the model says of them and of the references."""
    batch = single_steps(np.zeros(len(proxy), int), np.zeros(len(proxy)))
    return batch.with_columns(
        proxy=Column.of("trajectory", proxy), reference_scores=Column.of("group", references[None, :])
    )


def shapings(references: Array, seen: Moments) -> dict[str, Term]:
    """PAR and its nine rivals; the ceiling is the mean score of the references."""
    return {"par": par.reward()} | rivals(par.PROXY, "reference_scores", seen, ceiling=float(references.mean()))


def at_equal_distance(reward: Array, gold: Array, start: Array) -> float:
    """Gold worth of the policy that has most of a reward among those so many nats from the start."""
    tilted = tabular.softmax(np.log(start) + STRENGTHS[:, None] * (reward - reward.mean()) / max(reward.std(), 1e-12))
    away = (tilted * (np.log(np.maximum(tilted, 1e-300)) - np.log(start))).sum(1)
    return at_level(NATS, away, tilted @ gold)


def trained(name: str, gold: Array, proxy: Array, start: Array, references: Array, draws: Array) -> tuple[float, float]:
    """Gold worth at the end of REINFORCE with the batch's mean as baseline, and the most on the way."""
    logits, stepper, seen, worth = np.log(start), Adam(RATE), Moments(), []
    for uniform in draws:
        policy = tabular.softmax(logits[None])[0]
        answer = np.minimum(np.searchsorted(np.cumsum(policy), uniform), ANSWERS - 1)
        batch, seen = scored(proxy[answer], references), seen.seen(proxy[answer])
        advantage = centred(shapings(references, seen)[name])(batch).filled(0.0)
        gradient = np.bincount(answer, advantage, ANSWERS) - policy * advantage.sum()
        logits = logits + stepper(gradient / DRAWN)
        worth.append(float(tabular.softmax(logits[None])[0] @ gold))
    return worth[-1], max(worth)


def under_a_std(proxy: Array, start: Array, references: Array, rng: Generator) -> dict[str, float]:
    """The largest change of a z-score in a group by the affine rivals, and by PAR."""
    drawn = proxy[rng.choice(ANSWERS, size=8, p=start)]
    batch, shaped = scored(drawn, references), shapings(references, Moments().seen(drawn))

    def z_score(reward: Array) -> Array:
        return (reward - reward.mean()) / reward.std()

    change = {name: np.abs(z_score(term(batch).filled(0.0)) - z_score(drawn)).max() for name, term in shaped.items()}
    return {
        "largest change of a z-score, affine rivals": max(change[name] for name in AFFINE),
        "largest change of a z-score, par": change["par"],
    }


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Every shaping on the same answers and the same draws."""
    updates, problems, found = effort.of(UPDATES, least=5), effort.of(100, least=4), {}
    for i in range(problems):
        gold, proxy, start, references = answers(rng)
        seen = Moments().seen(proxy[rng.choice(ANSWERS, size=1000, p=start)])
        batch = scored(proxy, references)
        got = {f"gold at {NATS:g} nats, {name}": at_equal_distance(term(batch).filled(0.0), gold, start)
               for name, term in shapings(references, seen).items()}  # fmt: skip
        got |= under_a_std(proxy, start, references, rng)
        if i < TRAINED:
            draws = rng.random((updates, DRAWN))
            for name in ("par", "meanstd"):
                end, most = trained(name, gold, proxy, start, references, draws)
                got |= {f"gold after training, {name}": end, f"gold lost from its peak, {name}": most - end}
        for name, value in got.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """Gold at an equal distance from the start, against the score in units of what was seen."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    at = f"gold at {NATS:g} nats, "
    figure, control = found.pop(at + "par"), found.pop(at + "meanstd")
    others = [found[at + name] for name in ("ceil", "centred", "clip", "minmax", "lsc")]
    return Result(
        figure, control, figure.above(control) and all(figure.above(other) for other in others),
        tuple(found.values()),
        f"{ANSWERS} answers, the proxy's error is Student's with {TAIL:g} degrees of freedom. Gold worth of the policy "
        f"that has most of the shaped reward at {NATS:g} nats from the start, exactly, so that no rival is held back "
        "by its scale: affine ones are one and the same. Holds if PAR keeps more than each rival that is not a bounded "
        f"curve of its own kind ({', '.join(ALIKE)}).",
    )  # fmt: skip


CLAIM = Claim(
    "par", "bounded rewards under a heavy-tailed proxy",
    "Reward Shaping to Mitigate Reward Hacking in RLHF",
    "The chance to beat reference answers, bounded and centred, keeps the true worth where other shapings of a reward "
    "model's score are hacked.",
    run,
)  # fmt: skip
