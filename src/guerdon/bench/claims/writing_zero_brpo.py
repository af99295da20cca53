"""Writing-Zero's single reference: what a rule for ties does to the mean of the credit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.credit import against_one
from guerdon.recipes import writing_zero_brpo

PLAYS, GROUPS = 16, 1000
Array = np.ndarray


def tables(rng: Generator, groups: int) -> tuple[Batch, dict[str, Array]]:
    """Every ordered pair asked in both orders by a judge that leans to the first place; three ways to read the two."""
    quality = rng.normal(size=(groups, PLAYS))
    heard = quality[:, :, None] - quality[:, None, :] + rng.normal(size=(groups, PLAYS, PLAYS)) + 0.3
    here, there = heard > 0, heard.transpose(0, 2, 1) < 0  # i beats j when asked first, and when asked second
    both, none = here & there, ~here & ~there
    upper = np.triu(np.ones((PLAYS, PLAYS), bool), 1)
    once = np.where(upper, heard, -heard.transpose(0, 2, 1))  # one score pair per comparison
    return single_steps(np.repeat(np.arange(groups), PLAYS), quality.ravel()), {
        "antisymmetric": np.sign(once),
        "disagreement is 0": both.astype(float) - none,
        "a win must be in both orders": np.where(both, 1.0, -1.0),
    }


def credit_against(batch: Batch, verdict: Array, reference: Array) -> Array:
    """Each play against its group's reference, 0 for the reference itself."""
    value = np.take_along_axis(verdict, reference[:, None, None], 2)[:, :, 0]
    value[np.arange(len(value)), reference] = 0.0
    return value


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The mean credit under each rule for ties; the filter's share and its effect."""
    groups = effort.of(GROUPS, least=200)
    batch, verdicts = tables(rng, groups)
    reference, found = rng.integers(PLAYS, size=groups), {}
    for name, verdict in verdicts.items():
        found[f"mean credit, {name}"] = float(credit_against(batch, verdict, reference).sum(1).mean() / (PLAYS - 1))
    i, j = np.triu_indices(PLAYS, 1)
    at = np.arange(groups)[:, None] * PLAYS
    pairs = pa.table({"first": (at + i).ravel(), "second": (at + j).ravel(),
                      "preference": verdicts["antisymmetric"][:, i, j].ravel()})  # fmt: skip
    judged = batch.with_relations(pairs=pairs)
    whole, kept = against_one()(judged), writing_zero_brpo.credit()(judged)
    found["mean credit, the recipe"] = float(kept.values[kept.valid].mean())
    found["share of groups that the skew filter drops"] = float(1 - kept.valid.mean())
    quality = batch["outcome"].values
    found["credit per quality, filtered over whole"] = float(
        (kept.values * quality)[kept.valid].mean() / (whole.values * quality).mean()
    )
    return found


def run(seed: int, effort: Effort) -> Result:
    """The winner-only rule against the antisymmetric one."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("mean credit, a win must be in both orders"), found.pop("mean credit, antisymmetric")
    fair = not (control.above(0.0) or control.below(0.0))
    return Result(
        figure, control, fair and figure.below(0.0), tuple(found.values()),
        "Groups of 16, one reference drawn; the judge leans to the first place. The figure counts a win only if "
        "it is won in both orders, the control takes one score pair per comparison. Holds if the control's mean "
        "is 0 within its interval and the winner-only mean is below 0.",
    )  # fmt: skip


CLAIM = Claim(
    "writing-zero-brpo", "one random reference needs a fair judge",
    "Writing-Zero: Bridge the Gap Between Non-verifiable Problems and Verifiable Rewards, arXiv:2506.00103",
    "Comparing with one random play of the group needs no baseline, for the credit has mean zero over the draw: "
    "true where the verdict on (i, j) is that on (j, i) turned round, lost where ties count as losses.",
    run,
)  # fmt: skip
