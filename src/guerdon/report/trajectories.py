"""Chosen trajectories, turn by turn: observation, action, facts, reward parts, and advantage as colour.

`choose` picks which plays of a saved batch are worth reading; `plays` reads them off the columns;
`article` writes one as HTML. Every text is escaped: an observation is whatever an environment says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import GuerdonError
from guerdon.report.data import Method
from guerdon.store import read_batch

NOT_FACTS = {"observation", "action", "state", "next_state", "sequence", "terminated", "advantage", "worth"}
Number = float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a trajectory is shown, so that the page stays small."""

    per_method: int = 6
    turns: int = 60
    text: int = 700


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a play. A number is None where it is missing, which is not zero."""

    at: int
    observation: str
    action: str
    facts: tuple[tuple[str, str], ...]
    worth: Number
    parts: tuple[tuple[str, Number], ...]
    advantage: Number
    tokens: tuple[tuple[str, Number], ...] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """One trajectory: why it was chosen, how it ended, its turns."""

    label: str
    length: int
    turns: tuple[Turn, ...]
    worth: Number = None
    parts: tuple[tuple[str, Number], ...] = ()
    outcome: Number = None
    ending: str = ""
    prompt: str = ""


def plays(method: Method, limits: Limits) -> tuple[list[Play], str]:
    """The chosen plays of a method, from the last and the first saved batch of its first seed that has one.

    Returns:
        The plays, and a sentence: where they come from, or why there are none.
    """
    run = next((r for r in method.runs if r.batches), None)
    if run is None:
        return [], "No batch was saved for this method."
    files = [run.batches[-1]] if len(run.batches) == 1 else [run.batches[-1], run.batches[0]]
    read, lost = [], []
    for path in files:
        try:
            read.append((path, read_batch(path)))
        except (GuerdonError, OSError, ValueError, KeyError, pa.ArrowException):
            lost.append(f"{path.name} cannot be read, so its trajectories are not shown.")
    out, names = [], {"0": "last", "1": "first"} if len(files) > 1 else {"0": "only"}
    for at, wanted in shares([choose(batch) for _, batch in read], limits.per_method):
        path, batch = read[at]
        which = names[str(files.index(path))]
        for index, why in wanted:
            out.append(play(batch, index, f"{which} saved batch, {_iteration(path.stem)}: {why}", limits))
    seed = "" if run.seed is None else f"seed {run.seed}, "
    said = f"From {seed}{' and '.join(_iteration(path.stem) for path, _ in read)}." if read else ""
    return out, " ".join([said, *lost]).strip()


def choose(batch: Batch) -> list[tuple[int, str]]:
    """Which trajectories to show, most telling first: best and worst by worth, a failed one, the median.

    A trajectory is named once, with all its reasons. Those without a worth are not ranked.
    """
    worth = per_trajectory(batch, "worth")
    if np.isnan(worth).all():
        worth = per_trajectory(batch, "outcome")
    picked: dict[int, list[str]] = {}
    order = np.argsort(worth, kind="stable")[: int((~np.isnan(worth)).sum())]
    broken = np.flatnonzero(batch["failed"].filled(0.0)) if "failed" in batch else order[:0]
    wanted = (("best", order[::-1]), ("worst", order), ("failed", broken), ("median", order[(len(order) - 1) // 2 :]))
    for why, ranked in wanted:
        if len(ranked):
            picked.setdefault(int(ranked[0]), []).append(why)
    if not picked and batch.size("trajectory"):
        picked[0] = ["the first, as nothing ranks them"]
    return [(index, ", ".join(why)) for index, why in picked.items()]


def shares(choices: Sequence[list[tuple[int, str]]], most: int) -> list[tuple[int, list[tuple[int, str]]]]:
    """Cuts the choices of several batches to `most` in all; the first batch takes what the others do not
    need to show two each.

    Example:
        >>> shares([[(0, "best"), (1, "worst"), (2, "median")], [(5, "best"), (6, "worst")]], 3)
        [(0, [(0, 'best')]), (1, [(5, 'best'), (6, 'worst')])]
    """
    out = []
    for at, choice in enumerate(choices):
        reserved = sum(min(2, len(later)) for later in choices[at + 1 :])
        mine = choice[: max(most - reserved, min(most, 1))]
        most -= len(mine)
        if mine:
            out.append((at, mine))
    return out


def per_trajectory(batch: Batch, name: str) -> np.ndarray:
    """A column summed up over each trajectory; NaN where the column or any of the trajectory's values is missing."""
    n = batch.size("trajectory")
    if name not in batch or batch[name].level == "group":
        return np.full(n, np.nan)
    return _summed(batch, batch[name])


def play(batch: Batch, index: int, label: str, limits: Limits) -> Play:
    """One trajectory of a batch as a record of texts and numbers."""
    steps = np.flatnonzero(batch.trajectory_of_step == index)
    kept = (
        steps
        if len(steps) <= limits.turns
        else np.append(steps[: limits.turns * 2 // 3], steps[-(limits.turns // 3) :])
    )
    parts = _parts(batch)
    worth = batch.columns.get("worth")
    at_steps = worth is not None and worth.level == "step"
    texts = {name: _texts(batch, name, kept, limits.text) for name in ("observation", "action")}
    facts = {name: _values(c, kept) for name, c in batch.columns.items() if _is_fact(name, c)}
    advantage, tokens = _advantage(batch, kept)
    step_parts = [(name, _values(c, kept)) for name, c in parts if c.level == "step"]
    worths = _values(worth, kept) if at_steps else [None] * len(kept)
    turns = tuple(
        Turn(
            int(step - steps[0]), texts["observation"][i], texts["action"][i],
            tuple((name, _clip(_say(v[i]), 200)) for name, v in facts.items() if v[i] is not None),
            worths[i], tuple((name, v[i]) for name, v in step_parts), advantage[i], tokens[i],
        )
        for i, step in enumerate(kept)
    )  # fmt: skip
    totals = tuple((name, _one(_summed(batch, c)[index])) for name, c in parts)
    return Play(
        label, len(steps), turns, _one(per_trajectory(batch, "worth")[index]), totals,
        _one(per_trajectory(batch, "outcome")[index]), _ending(batch, index),
        _text(batch, "prompt", index, limits.text),
    )  # fmt: skip


def article(play: Play, scale: float, identity: str) -> str:
    """A play as HTML; `scale` is the advantage that gets the full colour."""
    parts = "".join(f"<li>{escape(n)} <b>{_signed(v)}</b></li>" for n, v in play.parts)
    head = [
        f"outcome <b>{_plain(play.outcome)}</b>",
        f"worth <b>{_plain(play.worth)}</b>",
        f"<b>{play.length}</b> steps",
    ]
    if play.ending:
        head.append(escape(play.ending))
    prompt = f'<p class="prompt">{escape(play.prompt)}</p>' if play.prompt else ""
    strip = "".join(
        f'<a href="#{identity}-{t.at}" class="cell {_side(t.advantage)}" style="--a:{_share(t.advantage, scale)}" '
        f'title="step {t.at}, advantage {_signed(t.advantage)}"><span>{t.at}</span></a>'
        for t in play.turns
    )
    turns, before = [], -1
    for turn in play.turns:
        if turn.at != before + 1:
            turns.append(f'<li class="gap">{turn.at - before - 1} steps are left out here.</li>')
        turns.append(_turn(turn, scale, identity))
        before = turn.at
    return (
        f'<article class="play" id="{identity}" data-label="{escape(play.label)}"><h4>{escape(play.label)}</h4>'
        f'<p class="head">{" · ".join(head)}</p>{prompt}'
        + (f'<ul class="chips" aria-label="reward parts, summed">{parts}</ul>' if parts else "")
        + f'<nav class="strip" aria-label="advantage of each step">{strip}</nav>'
        f'<ol class="turns">{"".join(turns)}</ol></article>'
    )


def largest(chosen: Iterable[Play]) -> float:
    """The largest size of an advantage in these plays; 1 where there is none."""
    sizes = [abs(t.advantage) for p in chosen for t in p.turns if t.advantage is not None]
    sizes += [abs(a) for p in chosen for t in p.turns for _, a in t.tokens if a is not None]
    return max(sizes, default=0.0) or 1.0


def _turn(turn: Turn, scale: float, identity: str) -> str:
    facts = "".join(f"<li>{escape(n)} <b>{escape(v)}</b></li>" for n, v in turn.facts)
    parts = "".join(f'<li class="{_side(v)}">{escape(n)} <b>{_signed(v)}</b></li>' for n, v in turn.parts)
    whole = f'<li class="whole">worth <b>{_signed(turn.worth)}</b></li>' if turn.worth is not None or turn.parts else ""
    action = escape(turn.action) or "<i>(empty)</i>"
    if turn.tokens:
        action = "".join(
            f'<span class="token {_side(a)}" style="--a:{_share(a, scale)}" title="advantage {_signed(a)}">'
            f"{escape(text)}</span>"
            for text, a in turn.tokens
        )
    return (
        f'<li class="turn {_side(turn.advantage)}" id="{identity}-{turn.at}" '
        f'style="--a:{_share(turn.advantage, scale)}"><div class="no">{turn.at}</div>'
        f'<div class="said"><p class="observation">{escape(turn.observation) or "<i>(no text)</i>"}</p>'
        f'<p class="action"><span class="arrow" aria-label="action">&gt;</span> {action}</p>'
        + (f'<ul class="chips facts" aria-label="facts">{facts}</ul>' if facts else "")
        + (f'<ul class="chips parts" aria-label="reward parts">{parts}{whole}</ul>' if parts or whole else "")
        + f'</div><div class="advantage"><small>advantage</small><b>{_signed(turn.advantage)}</b></div></li>'
    )


def _parts(batch: Batch) -> list[tuple[str, Column]]:
    named = [(n.removeprefix("worth/"), c) for n, c in batch.columns.items() if n.startswith("worth/")]
    if not named and "worth" in batch:
        named = list(batch["worth"].parts)
    return [(n, c) for n, c in named if c.level != "group"]


def _summed(batch: Batch, column: Column) -> np.ndarray:
    values = column.filled(np.nan)
    if column.level == "trajectory":
        return values
    return segments.total(values, batch.index("trajectory", at=column.level), batch.size("trajectory"))


def _advantage(batch: Batch, steps: np.ndarray) -> tuple[list[Number], list[tuple]]:
    """Per step, and per sampled token where the texts of tokens are known."""
    column, none = batch.columns.get("advantage"), [()] * len(steps)
    if column is None or column.level not in ("token", "step"):
        return [None] * len(steps), none
    if column.level == "step":
        return _values(column, steps), none
    values = column.filled(np.nan)
    sampled = np.asarray(batch["sampled"].values, bool) if "sampled" in batch else np.ones(len(values), bool)
    texts = batch.columns.get("token_text")
    out, tokens = [], []
    for step in steps:
        low, high = np.searchsorted(batch.step_of_token, [step, step + 1])
        index = np.arange(low, high)[sampled[low:high]]
        known = values[index][~np.isnan(values[index])]
        out.append(float(known.mean()) if len(known) else None)
        words = [] if texts is None else [str(w or "") for w in texts.take(index).tolist()]
        tokens.append(tuple((w, _one(a)) for w, a in zip(words, values[index], strict=True)) if words else ())
    return out, tokens


def _is_fact(name: str, column: Column) -> bool:
    return column.level == "step" and name not in NOT_FACTS and not name.startswith("worth/")


def _values(column: Column, index: np.ndarray) -> list:
    return [_one(v) if isinstance(v, float) else v for v in column.take(index).tolist()]


def _texts(batch: Batch, name: str, steps: np.ndarray, most: int) -> list[str]:
    if name not in batch or batch[name].level != "step":
        return [""] * len(steps)
    return [_clip("" if v is None else str(v), most) for v in batch[name].take(steps).tolist()]


def _text(batch: Batch, name: str, index: int, most: int) -> str:
    if name not in batch or batch[name].level != "trajectory":
        return ""
    value = batch[name].take(np.array([index])).tolist()[0]
    return "" if value is None else _clip(str(value), most)


def _iteration(stem: str) -> str:
    return f"iteration {int(stem)}" if stem.isdecimal() else stem


def _ending(batch: Batch, index: int) -> str:
    by = _text(batch, "ended_by", index, 300)
    for how in ("failed", "truncated"):
        if how in batch and batch[how].filled(0.0)[index]:
            return f"{how}: {by}" if by else how
    return by and f"ended: {by}"


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most} more characters)"


def _say(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _one(value: Any) -> Number:
    return float(value) if math.isfinite(value) else None


def _plain(value: Number) -> str:
    return "unscored" if value is None else f"{value:.4g}"


def _signed(value: Number) -> str:
    if value is None:
        return "unscored"
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")


def _side(value: Number) -> str:
    if value is None:
        return "missing"
    return "pos" if value > 0 else "neg" if value < 0 else "nil"


def _share(value: Number, scale: float) -> float:
    return 0.0 if value is None else round(min(1.0, abs(value) / scale), 3)
