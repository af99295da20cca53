"""One world and one policy: how well every rule's estimate points along the true gradient, as the budget grows."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.bench import rules
from guerdon.bench.branch import branch
from guerdon.bench.moments import Moments, budget, mean_of, ratio, redraws
from guerdon.bench.rules import OBSERVED, Rule
from guerdon.bench.sample import GROUP, Player, Plays, to_batch
from guerdon.bench.signals import costs, supply
from guerdon.bench.source import Level, Source, levels
from guerdon.bench.stages import Stage
from guerdon.bench.truth import Truth
from guerdon.bench.world import World

Array = np.ndarray
TARGET = 0.9
BATCHES, MOST = 64, 2.0**20
SHOWN = 256  # steps of each batch whose advantages are compared with the exact ones, at each level
PILOT = 8  # groups
REDRAWS = 400
# When a rule leaves before it has reached the target.
NEAR = 0.01  # so near is it to what it can be expected to reach by the largest budget
ENOUGH = 2.0**16  # or it has been followed so far
FLAT, DOUBLINGS = 0.005, 4  # a rule that compares beyond its group: it rose by less than this over so many doublings

LEFT = {
    "reached": "the lower end of the interval of its cosine is at or above the target",
    "stalled": (
        f"the upper end is below the target, and either its mean and variance so far put the upper end at the "
        f"largest budget below the target too and it is within {NEAR} of what they promise or past {ENOUGH:,.0f} "
        f"steps, or, where it compares beyond its group, it rose by less than {FLAT} over {DOUBLINGS} doublings and "
        f"the mean of all batches is below the target as well"
    ),
    "most": "the largest budget was measured",
}


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        batches: independent batches at each budget, at least 64.
        most: the largest budget.
        seed: of everything random.
    """

    batches: int = BATCHES
    most: float = MOST
    seed: int = 0


@dataclass
class Row:
    """What is known of one rule with one view of the state; it grows level by level."""

    rule: Rule
    view: str
    local: bool
    cost: float
    taken: Array
    left: str = ""
    steps: list[float] = field(default_factory=list)
    cosines: list[Array] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    fresh: dict[str, Array] = field(default_factory=dict)

    def add(self, first: int, last: int, piece: Piece, advantage: Array) -> None:
        """Takes in the credit of some batches."""
        own = slice(first, last)
        self.taken[own] += piece.taken(advantage)
        for name, values in piece.quality(advantage).items():
            self.fresh.setdefault(name, np.full(len(self.taken), np.nan))[own] = values


class Piece:
    """Plays of some whole batches, with what every rule's credit is held against."""

    def __init__(self, truth: Truth, plays: Plays, batches: int, groups: int) -> None:
        world = truth.world
        self.batches, self.group = batches, plays.group
        batch = plays.group // groups
        self.cells = world.keys * world.actions
        self.bucket = batch * self.cells + np.asarray(world.key)[plays.state] * world.actions + plays.action
        self.groups = np.repeat(np.arange(batches), groups)
        exact = truth.advantage[plays.time, plays.state, plays.action]
        speaks = np.abs(exact) > 1e-9 * np.abs(truth.advantage).max()
        self.at = np.flatnonzero(speaks & (segments.position(batch) < SHOWN))
        self.batch, self.exact = batch[self.at], exact[self.at]
        self.exact_rank = self._ranks(self.exact)

    def taken(self, advantage: Array) -> Array:
        """The sum of advantages by batch, key and action."""
        sums = np.bincount(self.bucket, weights=advantage, minlength=self.batches * self.cells)
        return sums.reshape(self.batches, self.cells)

    def quality(self, advantage: Array) -> dict[str, Array]:
        """Of each batch: sign accuracy and rank correlation of its first steps, and the share of groups with signal.

        sign = mean of (1 + sign(A) sign(exact)) / 2,   rank = the correlation of ranks; 0 for a credit that is constant
        """
        own = advantage[self.at]
        size = segments.count(self.batch, self.batches)
        right = segments.total((1 + np.sign(own) * np.sign(self.exact)) / 2, self.batch, self.batches)
        rank = self._ranks(own)
        both = segments.total(rank * self.exact_rank, self.batch, self.batches)
        norm = np.sqrt(segments.total(rank**2, self.batch, self.batches))
        norm *= np.sqrt(segments.total(self.exact_rank**2, self.batch, self.batches))
        loud = np.bincount(self.group, weights=np.abs(advantage) > 1e-12, minlength=len(self.groups)) > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "sign": np.where(size > 0, right / size, np.nan),
                "rank": np.where(size > 0, np.where(norm > 0, both / norm, 0.0), np.nan),
                "signal": segments.mean(loud.astype(float), self.groups, self.batches),
            }

    def _ranks(self, values: Array) -> Array:
        rank = segments.rank(values, self.batch)
        return rank - segments.mean(rank, self.batch, self.batches)[self.batch]


def measure(
    world: World, stage: Stage, wanted: list[Rule], options: Options, tell: Callable[[Level, int], None]
) -> dict[str, Any]:
    """Measures the rules in one world under one policy.

    Args:
        wanted: the rules; the reference among them is what the others are compared with.
        tell: called at each level with it and the number of rules that are still measured.

    Returns:
        "rows", one for each rule and view; "not_measured", why by rule; and what the policy is like.
    """
    truth = Truth(world, stage.logits, stage.better)
    player = Player(world, truth.policy)
    seed = (options.seed, zlib.crc32(f"{world.name}/{stage.name}".encode()))
    reasons: dict[str, str] = {}
    rows: list[Row] = []
    for tree, sample in ((False, player.play), (True, lambda n, rng: branch(player, n, rng))):
        mine = [one for one in wanted if one.tree == tree]
        pilot = sample(PILOT, np.random.default_rng([*seed, 0]))
        found = []
        for one in mine:
            why = rules.cannot(one, truth, pilot)
            if why:
                reasons[one.name] = why
                continue
            local = rules.within_groups(one, truth, pilot, np.random.default_rng([*seed, 1]))
            found += [_row(one, view, local, truth, options) for view in one.views]
        if found:
            per_group = truth.length * GROUP if not tree else _mean_steps(sample, np.random.default_rng([*seed, 2]))
            grid = levels(per_group, options.most)
            _climb(found, Source(sample, grid, options.batches, per_group, (*seed, 3 + tree)), truth, options, tell)
        rows += found
    draws = redraws(options.batches, REDRAWS, np.random.default_rng([*seed, 5]))
    reference = next(row for row in rows if row.rule.name == rules.REFERENCE)
    return {
        "rows": [_told(row, reference, draws) for row in rows],
        "not_measured": reasons,
        "steps_per_play": truth.length,
        "return": stage.value,
    }


def _row(one: Rule, view: str, local: bool, truth: Truth, options: Options) -> Row:
    cells = truth.world.keys * truth.world.actions
    return Row(one, view, local, costs(truth, one.needs), np.zeros((options.batches, cells)))


def _mean_steps(sample: Callable, rng: np.random.Generator) -> float:
    return sample(256, rng).steps / 256


def _climb(rows: list[Row], source: Source, truth: Truth, options: Options, tell: Callable[[Level, int], None]) -> None:
    """Goes up the grid until every rule has left."""
    played = 0.0
    for k, level in enumerate(source.grid):
        active = [row for row in rows if not row.left]
        if not active:
            return
        tell(level, len(active))
        within, beyond = [r for r in active if r.local], [r for r in active if not r.local]
        steps = 0
        if within:  # their sums over groups add up, so only the new plays are credited
            for first, last, plays in source.fresh(k):
                steps += plays.steps
                _credit(within, truth, plays, first, last, level.fresh)
            played += steps / options.batches
        for row in beyond:
            row.taken[:] = 0.0
        if beyond:
            whole = 0
            for batch in range(options.batches):
                plays = source.whole(k, batch)
                whole += plays.steps
                _credit(beyond, truth, plays, batch, batch + 1, level.groups)
            played = played if within else whole / options.batches
        for row in active:
            _close(row, level, played + row.cost * level.groups, truth, options)
    for row in rows:
        row.left = row.left or "most"


def _credit(rows: list[Row], truth: Truth, plays: Plays, first: int, last: int, groups: int) -> None:
    """Credits the same plays by several rules."""
    piece = Piece(truth, plays, last - first, groups)
    for observed in (False, True):
        mine = [row for row in rows if (row.view == OBSERVED) == observed]
        if mine:
            batch = supply(
                to_batch(truth.world, plays, observed), truth, plays, frozenset().union(*(r.rule.needs for r in mine))
            )
            for row in mine:
                row.add(first, last, piece, rules.credit_of(row.rule, batch))


def _close(row: Row, level: Level, steps: float, truth: Truth, options: Options) -> None:
    """Ends a level: what the estimates say, and whether the rule leaves."""
    shape = truth.gradient.shape
    taken = row.taken.reshape(-1, *shape)
    pi = np.zeros(shape)
    pi[np.asarray(truth.world.key)] = truth.policy
    estimates = (taken - pi * taken.sum(2, keepdims=True)) / (level.groups * GROUP)
    moments = Moments(estimates.reshape(len(taken), -1), truth.gradient.ravel())
    row.steps.append(steps)
    row.cosines.append(moments.cosines)
    point: dict[str, Any] = {"budget": level.budget, "groups": level.groups, "steps": steps}
    point |= _interval("cosine", mean_of(moments.cosines))
    for name, values in row.fresh.items():
        known = values[np.isfinite(values)]
        point |= _interval(name, mean_of(known) if len(known) else None)
    point |= _interval("bias", moments.bias) | {"variance": moments.variance}
    row.points.append(point)
    row.left = _leaves(row, moments, options)


def _leaves(row: Row, moments: Moments, options: Options) -> str:
    point = row.points[-1]
    if point["cosine_low"] >= TARGET:
        return "reached"
    if point["cosine_high"] >= TARGET:
        return ""
    hope = moments.at(options.most / point["budget"])
    low = hope is not None and hope[2] < TARGET
    if point["budget"] >= ENOUGH and (low or hope is None):
        return "stalled"
    if row.local:
        return "stalled" if low and point["cosine"] >= hope[0] - NEAR else ""
    limit = moments.limit
    before = [p["cosine"] for p in row.points if p["budget"] <= point["budget"] / 2**DOUBLINGS * 1.001]
    flat = bool(before) and point["cosine"] - before[-1] < FLAT
    return "stalled" if flat and limit is not None and limit[2] < TARGET else ""


def _interval(name: str, found: Iterable[float] | None) -> dict[str, float | None]:
    value, low, high = found or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _told(row: Row, reference: Row, draws: Array) -> dict[str, Any]:
    """A row of the results."""
    steps, cosines = np.array(row.steps), np.array(row.cosines)
    best = int(np.argmax(cosines.mean(1)))
    return {
        "recipe": row.rule.name, "view": row.view, "told": row.rule.told, "left": row.left,
        "compares_beyond_its_group": not row.local,
        "budget": budget(steps, cosines, TARGET, draws),
        "ratio": ratio((steps, cosines), (np.array(reference.steps), np.array(reference.cosines)), TARGET, draws),
        "best": {name: row.points[best][name] for name in ("steps", "cosine", "cosine_low", "cosine_high")},
        "last": row.points[-1],
        "curve": {name: [point.get(name) for point in row.points] for name in row.points[-1]},
    }  # fmt: skip
