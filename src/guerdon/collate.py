"""The ways in and out of a Batch: records, step arrays, padded arrays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import RecordError, ShapeError
from guerdon.records import Step, Trajectory

Array = np.ndarray
# Names of columns that a fact may not take.
RESERVED = frozenset((
    "token_id", "sampled", "logprob", "ref_logprob", "entropy", "advantage", "observation", "action", "reward", "state",
    "next_state", "terminated", "sequence", "prompt", "outcome", "truncated", "failed", "ended_by",
))  # fmt: skip


def batch_of(trajectories: Sequence[Trajectory]) -> Batch:
    """A batch from records.

    Columns at step level: `observation`, `action`, `reward`, `state`, `next_state`,
    `terminated`, `sequence` and one per fact; at trajectory level: `prompt`, `outcome`,
    `truncated`, `failed`, `ended_by` and `task_KEY` for text, numbers and (as JSON text) lists and
    mappings under the task's extra keys; at token level: `token_id`, `sampled`, `logprob`. A column that no record
    fills is left out.

    A trajectory that ended as `failed` has no outcome, and its rewards and facts are
    invalid from the step at which it failed.
    """
    given = list(trajectories) if isinstance(trajectories, Iterable) else None
    if given is None or not all(isinstance(t, Trajectory) for t in given):
        other = trajectories if given is None else next(t for t in given if not isinstance(t, Trajectory))
        raise RecordError(
            f"Batch.of: {'it is' if given is None else 'an entry is'} of the type {type(other).__name__}; a list of "
            "Trajectory is needed; write Batch.of([play, ...]), and read JSON objects with guerdon.store.from_json"
        )
    trajectories = given
    steps: list[Step] = list(chain.from_iterable(map(attrgetter("steps"), trajectories)))
    lengths = np.fromiter((len(t.steps) for t in trajectories), np.int64, len(trajectories))
    trajectory = np.repeat(np.arange(len(trajectories)), lengths)
    groups: dict[Any, int] = {}
    group = np.fromiter((groups.setdefault(t.group, len(groups)) for t in trajectories), np.int64, len(trajectories))

    step_of_token, columns = _tokens(steps)
    columns |= _steps(steps, trajectory)
    columns |= _trajectories(trajectories)
    if "failed" in columns:
        columns = _void_after_failure(columns, trajectories, trajectory)
    return Batch(step_of_token, trajectory, group, columns)


def _tokens(steps: list[Step]) -> tuple[Array, dict[str, Column]]:
    tokens = list(map(attrgetter("tokens"), steps))
    if not any(t is not None for t in tokens):
        return np.zeros(0, np.int64), {}
    tokens = [() if t is None else t for t in tokens]
    count = np.fromiter(map(len, tokens), np.int64, len(tokens))
    size = int(count.sum())
    token_id = np.fromiter(chain.from_iterable(tokens), np.int64, size)
    logprobs = [s.logprobs for s in steps]
    known = np.fromiter((p is not None for p in logprobs), bool, len(steps))
    trained = np.fromiter((0 if p is None else len(p) for p in logprobs), np.int64, len(steps))
    if (trained > count).any():
        at = int(np.argmax(trained > count))
        raise RecordError(
            f"Batch.of: step {at} has {count[at]} tokens and {trained[at]} logprobs; "
            "there can be no more logprobs than tokens; give one per sampled token, the last ones"
        )
    step_of_token = np.repeat(np.arange(len(steps)), count)
    from_end = np.repeat(np.cumsum(count), count) - np.arange(size)  # 1 at a step's last token
    sampled = from_end <= np.where(known, trained, count)[step_of_token]
    logprob = np.full(size, np.nan)
    flat = np.fromiter(chain.from_iterable(p for p in logprobs if p is not None), np.float64, int(trained.sum()))
    has = sampled & known[step_of_token]
    logprob[has] = flat
    columns = {"token_id": Column.of("token", token_id), "sampled": Column.of("token", sampled)}
    if known.any():
        columns["logprob"] = Column("token", logprob, has)
    return step_of_token, columns


def _steps(steps: list[Step], trajectory: Array) -> dict[str, Column]:
    columns = {}
    for name in ("observation", "action"):
        text = list(map(attrgetter(name), steps))
        if any(text):
            columns[name] = Column.of("step", pa.array(text, pa.string()).dictionary_encode())
    reward = list(map(attrgetter("reward"), steps))
    if any(r is not None for r in reward):
        columns["reward"] = Column.of("step", np.array(reward, np.float64))
    columns["terminated"] = Column.of("step", np.fromiter(map(attrgetter("terminated"), steps), bool, len(steps)))
    columns |= _states(steps, trajectory)
    columns |= _facts(steps)
    own = list(map(attrgetter("sequence"), steps))
    if any(s is not None for s in own):
        inner = np.fromiter((0 if s is None else s for s in own), np.int64, len(own))
        columns["sequence"] = Column.of("step", segments.joint(trajectory, inner))
    else:
        columns["sequence"] = Column.of("step", trajectory)
    return columns


def _states(steps: list[Step], trajectory: Array) -> dict[str, Column]:
    state = list(map(attrgetter("state"), steps))
    if not any(s is not None for s in state):
        return {}
    known = np.fromiter((s is not None for s in state), bool, len(state))
    key = Batch.key(_texts(state))
    own = list(map(attrgetter("next_state"), steps))
    own_known = np.fromiter((s is not None for s in own), bool, len(own))
    own_key = Batch.key(_texts(own)) if own_known.any() else np.zeros(len(own), np.int64)
    after = np.append(key[1:], 0)
    after_known = np.append(known[1:], False) & ~segments.last(trajectory)
    return {
        "state": Column("step", key, known),
        "next_state": Column("step", np.where(own_known, own_key, after), own_known | after_known),
    }


def _texts(values: list) -> Any:
    if all(v is None or isinstance(v, int) for v in values):
        return np.fromiter((0 if v is None else v for v in values), np.int64, len(values))
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _facts(steps: list[Step]) -> dict[str, Column]:
    facts = list(map(attrgetter("facts"), steps))
    names = dict.fromkeys(chain.from_iterable(f for f in facts if f))
    if taken := RESERVED.intersection(names):
        raise RecordError(
            f"Batch.of: a fact is called {', '.join(map(repr, sorted(taken)))}; "
            "a name that no standard column has is needed; give the fact another name"
        )
    columns = {}
    for name in names:
        values = [f.get(name) for f in facts]
        if not any(isinstance(v, str | list | tuple | dict) for v in values):
            columns[name] = Column.of("step", np.array(values, np.float64))
        else:  # a fact that is text, or a list, in any step: kept to be read, not to be counted
            text = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
            columns[name] = Column.of("step", pa.array(text, pa.string()).dictionary_encode())
    return columns


def _trajectories(trajectories: list[Trajectory]) -> dict[str, Column]:
    ended = [t.ended for t in trajectories]
    columns = {
        "truncated": Column.of("trajectory", np.array([e.how == "truncated" for e in ended], bool)),
        "failed": Column.of("trajectory", np.array([e.how == "failed" for e in ended], bool)),
    }
    reasons = [e.cause if e.how == "failed" else e.by for e in ended]
    if any(reasons):
        columns["ended_by"] = Column.of("trajectory", pa.array(reasons, pa.string()))
    outcome = [None if t.ended.how == "failed" else t.outcome for t in trajectories]
    if any(o is not None for o in outcome):
        columns["outcome"] = Column.of("trajectory", np.array(outcome, np.float64))
    references = [t.task.reference for t in trajectories]
    if any(r is not None for r in references):
        text = [r if r is None or isinstance(r, str) else json.dumps(r) for r in references]
        columns["reference"] = Column.of("trajectory", pa.array(text, pa.string()))
    prompts = [t.task.prompt for t in trajectories]
    if any(prompts):
        columns["prompt"] = Column.of("trajectory", pa.array(prompts, pa.string()))
    for name in dict.fromkeys(chain.from_iterable(t.task.extra for t in trajectories)):
        values = [t.task.extra.get(name) for t in trajectories]
        if any(isinstance(v, list | tuple | dict) for v in values):  # tests, rubrics, tables: as JSON text
            text = [v if v is None or isinstance(v, str) else _json(v) for v in values]
            columns[f"task_{name}"] = Column.of("trajectory", pa.array(text, pa.string()))
        elif all(v is None or isinstance(v, str | int | float) for v in values):
            if any(isinstance(v, str) for v in values):  # a key that is text in one task is text in all
                values = [v if v is None else str(v) for v in values]
            columns[f"task_{name}"] = Column.of("trajectory", values)
    return columns


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):  # what has no JSON form is left out, like any other object under a task's keys
        return None


def _void_after_failure(columns: dict, trajectories: list[Trajectory], trajectory: Array) -> dict:
    """Marks what a step paid or showed as missing from the step at which its play failed."""
    at = np.array([t.ended.at or 0 if t.ended.how == "failed" else np.iinfo(np.int64).max for t in trajectories])
    if not columns["failed"].values.any():
        return columns
    lost = segments.position(trajectory) >= at[trajectory]
    kept = {"observation", "action", "state", "sequence", "terminated"}
    return {
        name: replace(c, valid=c.valid & ~lost) if c.level == "step" and name not in kept else c
        for name, c in columns.items()
    }


def batch_from_steps(
    *,
    group: Any,
    trajectory: Any,
    reward: Any,
    state: Any = None,
    action: Any = None,
    next_state: Any = None,
    terminated: Any = None,
    truncated: Any = None,
    tokens_per_step: int | Any = 1,
) -> Batch:
    """A batch from arrays with one entry a step.

    Args:
        group, trajectory: ids; the steps of a trajectory lie side by side, in time order.
        reward: NaN where there is none.
        terminated: True where the task ended of itself. Default: at each last step, unless
            `truncated` says that the trajectory was cut there.
        truncated: True where the trajectory was cut from outside.
        tokens_per_step: how many sampled tokens each step has, a number or one per step.

    Raises:
        ShapeError: an array of another length, a trajectory in two groups or in two places.

    Example:
        >>> b = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
        >>> b["outcome"].values
        array([1., 0.])
    """
    given = {k: v for k, v in locals().items() if v is not None and k != "tokens_per_step"}
    arrays = {name: np.asarray(v) for name, v in given.items()}
    n = len(arrays["reward"])
    for name, array in arrays.items():
        if len(array) != n:
            raise ShapeError(
                f"Batch.from_steps: {name} has {len(array)} entries and reward has {n}; one a step is needed"
            )
    first = segments.starts("Batch.from_steps", arrays["trajectory"])
    step_trajectory = np.cumsum(first) - 1
    group_of_step = segments.dense(arrays["group"])
    group_of_trajectory = group_of_step[first]
    if (group_of_trajectory[step_trajectory] != group_of_step).any():
        raise ShapeError(
            "Batch.from_steps: a trajectory has steps in two groups; a trajectory belongs to one group; "
            "give the two parts different trajectory ids"
        )
    last = segments.last(step_trajectory)
    cut = arrays["truncated"].astype(bool) if "truncated" in arrays else np.zeros(n, bool)
    done = arrays["terminated"].astype(bool) if "terminated" in arrays else last & ~cut
    reward_column = Column.of("step", arrays["reward"].astype(np.float64))
    outcome = segments.total(reward_column.filled(0.0), step_trajectory)
    scored = segments.total((~reward_column.valid).astype(float), step_trajectory) == 0
    columns = {
        "reward": reward_column,
        "terminated": Column.of("step", done),
        "sequence": Column.of("step", step_trajectory),
        "truncated": Column.of("trajectory", (cut & last)[last]),
        "outcome": Column("trajectory", outcome, scored),
    }
    if "state" in arrays:
        columns["state"] = anchor = _anchors(arrays["state"])
        after = Column("step", np.append(anchor.values[1:], 0), np.append(anchor.valid[1:], False) & ~last)
        columns["next_state"] = _anchors(arrays["next_state"]) if "next_state" in arrays else after
    if "action" in arrays:
        columns["action"] = Column.of(
            "step", given["action"] if arrays["action"].dtype.kind in "OU" else arrays["action"]
        )
    if np.ndim(tokens_per_step) and len(tokens_per_step) != n:
        raise ShapeError(
            f"Batch.from_steps: tokens_per_step has {len(tokens_per_step)} entries and reward has {n}; "
            "one a step is needed, or one number for all"
        )
    step_of_token = np.repeat(np.arange(n), tokens_per_step)
    columns["sampled"] = Column.of("token", np.ones(len(step_of_token), bool))
    return Batch(step_of_token, step_trajectory, group_of_trajectory, columns)


def _anchors(values: Array) -> Column:
    known = np.array([v is not None for v in values], bool) if values.dtype == object else np.ones(len(values), bool)
    return Column("step", Batch.key(values), known)


def batch_from_padded(*, group: Any, read: Any, sampled: Any, columns: dict[str, Any] | None = None) -> Batch:
    """A batch from the padded arrays of a trainer; a row is one trajectory.

    Args:
        group: (B,) ids of what a row is compared with.
        read: (B, T) true on real tokens, false on padding.
        sampled: (B, T) true on tokens that the model sampled. A new step begins where an
            observation follows sampled tokens.
        columns: token columns by name, each (B, T).

    Example:
        >>> b = Batch.from_padded(group=[0], read=[[1, 1, 1, 1, 0]], sampled=[[0, 1, 0, 1, 0]])
        >>> b.step_of_token
        array([0, 0, 1, 1])
    """
    read, sampled = np.asarray(read, bool), np.asarray(sampled, bool)
    if read.ndim != 2 or read.shape != sampled.shape or len(read) != len(np.asarray(group)):
        raise ShapeError(
            f"Batch.from_padded: read is {read.shape}, sampled is {sampled.shape}, group has {len(np.asarray(group))}; "
            "two (B, T) arrays and B groups are needed"
        )
    sampled = sampled & read
    row = np.nonzero(read)[0]
    flat = sampled[read]
    begins = segments.starts("Batch.from_padded", row)
    begins[1:] |= flat[:-1] & ~flat[1:]
    step_of_token = np.cumsum(begins) - 1
    out = {
        "sampled": Column.of("token", flat),
        "sequence": Column.of("step", segments.dense(row[begins])),
    }
    for name, values in (columns or {}).items():
        values = np.asarray(values)
        if values.shape[:2] != read.shape:
            raise ShapeError(f"Batch.from_padded: column {name!r} is {values.shape}; {read.shape} is needed")
        out[name] = Column.of("token", values[read])
    return Batch(step_of_token, row[begins], segments.dense(np.asarray(group)), out)


def pad(batch: Batch, names: Sequence[str]) -> dict[str, Array]:
    """Token columns as (B, T) arrays, right-padded with zeros, a row per `sequence`.

    Coarser columns are copied to their tokens. `mask` is added: true on real tokens. Going
    back, `padded[name][padded["mask"]]` is the flat column again, zero where it is not
    valid. A `sequence` without tokens has no row.
    """
    if "sequence" in batch:
        row = segments.dense(batch["sequence"].values)[batch.step_of_token]
    else:
        row = batch.index("trajectory", at="token")
    begins = segments.starts("to_padded", row)
    place = segments.position(row)
    shape = (int(begins.sum()), int(place.max(initial=-1)) + 1)
    row = np.cumsum(begins) - 1
    out = {"mask": np.zeros(shape, bool)}
    out["mask"][row, place] = True
    for name in names:
        column = batch.lift(batch[name], "token")
        values = np.asarray(column.values)
        out[name] = np.zeros((*shape, *values.shape[1:]), values.dtype)
        out[name][row[column.valid], place[column.valid]] = values[column.valid]
    return out


def select(batch: Batch, keep: Any) -> Batch:
    """The trajectories where `keep` is true, whole, in order; groups are renumbered."""
    keep = np.asarray(keep, bool)
    if len(keep) != batch.size("trajectory"):
        raise ShapeError(f"select: keep has {len(keep)} entries; the batch has {batch.size('trajectory')} trajectories")
    steps = keep[batch.trajectory_of_step]
    tokens = steps[batch.step_of_token]
    groups = np.unique(batch.group_of_trajectory[keep])
    where = {
        "token": np.flatnonzero(tokens),
        "step": np.flatnonzero(steps),
        "trajectory": np.flatnonzero(keep),
        "group": groups,
    }
    return Batch(
        (np.cumsum(steps) - 1)[batch.step_of_token[tokens]],
        (np.cumsum(keep) - 1)[batch.trajectory_of_step[steps]],
        np.searchsorted(groups, batch.group_of_trajectory[keep]),
        {name: c.take(where[c.level]) for name, c in batch.columns.items()},
        {name: _related(table, where) for name, table in batch.relations.items()},
    )


# Columns of a relation that hold the place of an item in the batch, and what it is an item of.
PLACES = {"token": "token", "step": "step", "trajectory": "trajectory", "first": "trajectory", "second": "trajectory"}


def _related(table: pa.Table, where: dict[str, Array]) -> pa.Table:
    """The rows of a relation whose items are all kept, under the items' new places."""
    for name in table.column_names:
        if name in PLACES and pa.types.is_integer(table.schema.field(name).type):
            kept, place = where[PLACES[name]], table[name].to_numpy()
            if not len(kept):
                return table.slice(0, 0)
            at = np.minimum(np.searchsorted(kept, place), len(kept) - 1)
            there = kept[at] == place
            index = table.schema.get_field_index(name)
            table = table.set_column(index, name, pa.array(at)).filter(pa.array(there))
    return table
