"""LongWriter-Zero's fusion of three scores after they are normalised."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.bench.sample import cosine
from guerdon.credit import Credit, Std, centred
from guerdon.recipes import longwriter_zero
from guerdon.rewards import fact

PLAYS, GROUPS, FACTOR = 32, 100, 100.0
NAMES = ("length_score", "writing_score", "format_score")
SCALES = (1.0, 10.0, 0.1)
Array = np.ndarray


def scores(rng: Generator, groups: int) -> Array:
    """Three scores of different scale that partly conflict, (plays, 3)."""
    quality = rng.normal(size=(groups * PLAYS, 3))
    quality[:, 1] -= 0.5 * quality[:, 0]
    return quality * np.array(SCALES)


def batch_of(values: Array) -> Batch:
    """Plays of one step with the three scores."""
    columns = dict(zip(NAMES, values.T, strict=True))
    return single_steps(np.repeat(np.arange(len(values) // PLAYS), PLAYS), np.zeros(len(values)), **columns)


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """How the credit turns when one score is multiplied, and how evenly the three are heard."""
    values, found = scores(rng, effort.of(GROUPS, least=10)), {}
    larger = values * np.array([FACTOR, 1.0, 1.0])
    rules: dict[str, Credit] = {
        "normalised, then averaged": longwriter_zero.credit(),
        "summed, then normalised": centred(sum((fact(n) for n in NAMES[1:]), fact(NAMES[0])), scale=Std(1e-6)),
    }
    for name, credit in rules.items():
        before, after = credit(batch_of(values)).values, credit(batch_of(larger)).values
        found[f"cosine before and after, {name}"] = cosine(before, after)
        heard = [abs(np.corrcoef(before, values[:, i])[0, 1]) for i in range(3)]
        found[f"least heard over most heard, {name}"] = float(min(heard) / max(heard))
    return found


def run(seed: int, effort: Effort) -> Result:
    """Cosine of the credit before and after one score is multiplied by a hundred."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure = found.pop("cosine before and after, normalised, then averaged")
    control = found.pop("cosine before and after, summed, then normalised")
    return Result(
        figure, control, figure.above(0.999) and figure.above(control), tuple(found.values()),
        f"One of three scores is multiplied by {FACTOR:g}. Holds if the credit keeps its direction (above 0.999), "
        "and more so than the normalised sum.",
    )  # fmt: skip


CLAIM = Claim(
    "longwriter-zero", "scores fused as advantages",
    "LongWriter-Zero: Mastering Ultra-Long Text Generation via Reinforcement Learning",
    "Averaging normalised advantages, and not normalising a sum of rewards, keeps a score of large scale from ruling.",
    run,
)  # fmt: skip
