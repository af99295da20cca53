"""Think-RM: signed preferences compared in pairs, where verdicts go round in circles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps, spearman
from guerdon.credit import Credit, PairStd, Std, as_given, centred, pairwise, preferred
from guerdon.rewards import fact

PLAYS, GROUPS = 8, 400
Array = np.ndarray


def judged(rng: Generator, groups: int, graded: bool) -> tuple[Batch, Array]:
    """Groups whose plays have a hidden quality, and a judge that is noisy more in some groups than in others.

    Returns:
        The batch with its relation, and of each group the share of its triples that go in a circle.
    """
    quality = rng.normal(size=(groups, PLAYS))
    noise = rng.uniform(0.0, 6.0, size=(groups, 1, 1)) * rng.normal(size=(groups, PLAYS, PLAYS))
    d = quality[:, :, None] - quality[:, None, :] + np.triu(noise, 1) - np.triu(noise, 1).transpose(0, 2, 1)
    d = np.clip(np.round(d), -3, 3) + 0.5 * np.sign(d) * (np.round(d) == 0) if graded else np.sign(d)
    one, other = np.triu_indices(PLAYS, 1)
    at = np.arange(groups)[:, None] * PLAYS
    table = pa.table({
        "first": (at + one).ravel(), "second": (at + other).ravel(), "preference": d[:, one, other].ravel(),
    })  # fmt: skip
    batch = single_steps(np.repeat(np.arange(groups), PLAYS), quality.ravel()).with_relations(pairs=table)
    wins = (d > 0).sum(2)
    triples = PLAYS * (PLAYS - 1) * (PLAYS - 2) / 6
    return batch, 1 - (wins * (wins - 1) / 2).sum(1) / triples


def size(batch: Batch, credit: Credit) -> Array:
    """The root mean square credit of each group."""
    return np.sqrt((credit(batch).filled(0.0).reshape(-1, PLAYS) ** 2).mean(1))


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """How the size of a group's credit hangs on circles; the identity with GRPO; agreement with quality."""
    groups = effort.of(GROUPS, least=100)
    signs, circles = judged(rng, groups, graded=False)
    pairs, scores = pairwise(PairStd()), centred(preferred(), scale=Std(1e-6))
    found = {}
    many, few = circles >= np.quantile(circles, 0.8), circles <= np.quantile(circles, 0.2)
    for name, credit in (("pairwise", pairs), ("z-score of win rates", scores)):
        found[f"size of the most circular fifth over the least, {name}"] = (
            size(signs, credit)[many].mean() / size(signs, credit)[few].mean()
        )
    graded, _ = judged(rng, groups, graded=True)
    quality = graded["outcome"].values
    for name, batch, read in (
        ("signs", signs, as_given),
        ("graded", graded, as_given),
        ("graded, signs", graded, np.sign),
    ):
        truth = batch["outcome"].values if name == "signs" else quality
        found[f"rank correlation with quality, {name}"] = spearman(pairwise(PairStd(), read)(batch).filled(0.0), truth)
    found["largest distance from GRPO, d = r - r"] = identity(rng, groups)
    return found


def identity(rng: Generator, groups: int) -> float:
    """The largest difference between the pairwise credit of score differences and GRPO's, both without eps."""
    reward = rng.normal(size=groups * PLAYS)
    one, other = np.triu_indices(PLAYS, 1)
    at = np.arange(groups)[:, None] * PLAYS
    first, second = (at + one).ravel(), (at + other).ravel()
    batch = single_steps(np.repeat(np.arange(groups), PLAYS), reward)
    table = pa.table({"first": first, "second": second, "preference": reward[first] - reward[second]})
    paired = pairwise(PairStd(0.0))(batch.with_relations(pairs=table)).values
    return float(np.abs(paired - centred(fact("outcome"), scale=Std(0.0))(batch).values).max())


def run(seed: int, effort: Effort) -> Result:
    """Pairwise against a z-score of win rates, from the same verdicts."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (
        found.pop(f"size of the most circular fifth over the least, {name}")
        for name in ("pairwise", "z-score of win rates")
    )
    exact = max(found["largest distance from GRPO, d = r - r"].values) < 1e-6
    return Result(
        figure, control, figure.below(control) and exact, tuple(found.values()),
        "Root mean square credit of the fifth of groups with the most circles among verdicts, over that of the "
        "fifth with the fewest; groups of 8, all pairs judged. Holds if it is below that of a z-score of win "
        "rates, and if on differences of scores the rule is GRPO to 1e-6.",
    )  # fmt: skip


CLAIM = Claim(
    "think-rm", "pairwise credit without a score in between",
    "Think-RM: Enabling Long-Horizon Reasoning in Generative Reward Models",
    "Preferences can be used as they are: on score differences the rule is the group-relative one, and an "
    "undecided group is not blown up as it is by scores made of win rates.",
    run,
)  # fmt: skip
