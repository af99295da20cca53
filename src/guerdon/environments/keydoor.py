"""Keydoor: a text world of rooms in a row, with ordered subgoals and an exact model.

Each room is `size` by `size` cells; `0 0` is the north-west one. The subgoals come in one
order: key and door of each room, then item and goal in the last. A door stands on the east
edge of its room and, once open, lets `go east` through to the west edge of the next room,
one way. Only the goal pays. Everything that a play can meet is worked out once per layout,
so a step is a look-up, and `Keydoor.model(task)` gives the same tables to dynamic programming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from guerdon.environments.base import Seen
from guerdon.environments.tabular import Tabular, shortest
from guerdon.errors import EnvironmentFault, RecordError, UnknownNameError
from guerdon.records import Task

MOVES = {"go north": (0, -1), "go south": (0, 1), "go east": (1, 0), "go west": (-1, 0)}
VERBS = {"key": "take key", "door": "open door", "item": "take item", "goal": "enter goal"}

MANY = 64  # tasks of a split; with 16 a small policy learns the layouts by heart, see docs/log.md

_IDLE = "KeydoorPlay.{}: no play is under way; it needs one that is not over; call reset or restore first"

Thing = tuple[str, int, int, int]  # an object: its name, room, x and y
State = tuple[int, int, int, int]  # room, x, y, and how many subgoals are done
Layout = tuple[int, tuple[Thing, ...]]  # the size of a room, and the objects in the order of the subgoals


@dataclass(frozen=True)
class Keydoor:
    """The keydoor family: tasks drawn from a seed, train and test with no layout in common.

    Args:
        size: cells along one side of a room; at least 2.
        subgoals: how many have to be done, in order; at least 1. 1 is the goal alone and 2 the
            item and the goal; beyond that come (key, door) pairs first: 4 is key, door, item, goal.
            An odd number has no item.
        horizon: how many actions a play may have; at least 1.
        train: how many training tasks; by default 64, or half of the layouts where there are fewer than 128.
        test: how many test tasks; likewise.
        seed: what the tasks are drawn from.

    Raises:
        ValueError: an option is out of range, or a room is too small for so many distinct layouts.

    Example:
        >>> keydoor = Keydoor(size=3, subgoals=2, train=1, test=1)
        >>> play = keydoor.make()
        >>> play.reset(keydoor.tasks("train")[0]).observation.split()[:2]
        ['room', '0']
        >>> play.step("sing").facts["action_valid"]
        0.0
    """

    name: ClassVar[str] = "keydoor"
    trusted: ClassVar[bool] = True

    size: int = 5
    subgoals: int = 4
    horizon: int = 40
    train: int | None = None
    test: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for option, low in {"size": 2, "subgoals": 1, "horizon": 1, "train": 0, "test": 0, "seed": 0}.items():
            value = getattr(self, option)
            if value is None and option in ("train", "test"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(
                    f"Keydoor: {option} is {value!r}; it must be a whole number of at least {low}; "
                    f"pass {option}={low} or more"
                )
        there_are = _layouts(self.size, self.subgoals)
        for split in ("train", "test"):
            if getattr(self, split) is None:
                object.__setattr__(self, split, min(MANY, there_are // 2))
        wanted = self.train + self.test
        if wanted > there_are:
            raise ValueError(
                f"Keydoor: {wanted} tasks were asked for; size={self.size} with subgoals={self.subgoals} has "
                f"{there_are} layouts, and no two tasks share one; make size larger, or train and test smaller"
            )

    @property
    def options(self) -> Mapping[str, int]:
        """What it was made with."""
        return asdict(self)

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of "train" or "test".

        Raises:
            UnknownNameError: there is no split of that name.
        """
        if split not in ("train", "test"):
            raise UnknownNameError(
                f"Keydoor.tasks: the split is {split!r}; it must be 'train' or 'test'; use one of these"
            )
        return _draw(self)[split]

    def make(self) -> KeydoorPlay:
        """A fresh environment."""
        return KeydoorPlay(self.horizon)

    def actions(self) -> Sequence[str]:
        """The actions, moves first; verbs that can never apply with so many subgoals are left out."""
        return _actions(_names(self.subgoals))

    def words(self) -> Sequence[str]:
        """Every word of an observation, an action or a prompt, split on spaces."""
        numbers = max(self.size, _rooms(self.subgoals))
        text = " ".join([*self.actions(), "room at holding nothing locked open done then", *map(str, range(numbers))])
        return tuple(dict.fromkeys(text.split()))

    def model(self, task: Task) -> Tabular:
        """The exact model of one task, with the environment's state keys and the actions of `actions()`.

        Example:
            >>> keydoor = Keydoor(size=2, subgoals=1, train=1, test=1)
            >>> model = keydoor.model(keydoor.tasks("train")[0])
            >>> len(model.states), model.terminal.sum(), model.reward.sum()
            (5, np.int64(1), np.float64(1.0))
        """
        layout, start = _read(task)
        board = _compile(layout)
        after = np.array(board.after)[:, :-1]  # without the column of strange texts
        terminal = np.array(board.over)
        first = np.zeros(len(terminal))
        first[board.index[start]] = 1.0
        reward = (terminal[after] & ~terminal[:, None]).astype(float)
        states = tuple(task.extra["id"] + key for key in board.key)
        return Tabular(after, reward, first, terminal, self.horizon, states, board.actions)


class KeydoorPlay:
    """One play of keydoor at a time.

    Args:
        horizon: how many actions until the play is cut.
    """

    __slots__ = ("_board", "_horizon", "_id", "_state", "_time")

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._board: _Board | None = None
        self._id = ""
        self._state = 0
        self._time = 0

    def reset(self, task: Task) -> Seen:
        """Begins a play of this task.

        Raises:
            RecordError: the task is not one of keydoor's.
        """
        layout, start = _read(task)
        self._board = _compile(layout)
        self._id = task.extra["id"]
        self._state = self._board.index[start]
        self._time = 0
        return Seen(self._board.text[self._state], self._id + self._board.key[self._state])

    def step(self, action: str) -> Seen:
        """Does what the text says; text that means nothing here is a no-op, counted in the fact `action_valid`.

        Raises:
            EnvironmentFault: there is no play, or it is over.
        """
        board, before = self._board, self._state
        if board is None or board.over[before] or self._time >= self._horizon:
            raise EnvironmentFault(_IDLE.format("step"))
        code = board.code.get(action, -1)  # the last column is every text that means nothing
        now = self._state = board.after[before][code]
        self._time += 1
        solved = board.over[now]
        cut = not solved and self._time >= self._horizon
        done, nearer = board.stage[now], board.distance[before] - board.distance[now]
        facts = {
            "action_valid": float(now != before),  # whatever applies changes the state
            "milestone": float(done - board.stage[before]),
            "milestones": float(done),
            "progress": done / len(board.layout[1]),
            "closer": float((nearer > 0) - (nearer < 0)),
        }
        outcome = 1.0 if solved else 0.0 if cut else None
        return Seen(board.text[now], self._id + board.key[now], float(solved), solved, cut, facts, outcome)

    def expert(self) -> str:
        """An action that lies on a shortest way to the solution.

        Raises:
            EnvironmentFault: there is no play, or it is solved.
        """
        if self._board is None or self._board.over[self._state]:
            raise EnvironmentFault(_IDLE.format("expert"))
        return self._board.best[self._state]

    def snapshot(self) -> tuple[Any, ...]:
        """The play as a plain tuple, which any environment of this horizon can restore.

        Raises:
            EnvironmentFault: there is no play.
        """
        if self._board is None:
            raise EnvironmentFault(_IDLE.format("snapshot"))
        return (self._id, self._board.layout, self._state, self._time)

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Goes back to a snapshot."""
        self._id, layout, self._state, self._time = snapshot
        self._board = _compile(layout)

    def close(self) -> None:
        """There is nothing to free."""


@dataclass(frozen=True)
class _Board:
    """A layout worked out: one entry a state; where actions follow, the last column is text that means nothing."""

    layout: Layout
    actions: tuple[str, ...]
    code: Mapping[str, int]
    index: Mapping[State, int]
    after: Sequence[Sequence[int]]
    text: Sequence[str]
    key: Sequence[str]
    stage: Sequence[int]
    over: Sequence[bool]
    distance: Sequence[int]
    best: Sequence[str]


@lru_cache(maxsize=4096)
def _compile(layout: Layout) -> _Board:
    size, things = layout
    actions = _actions(tuple(name for name, *_ in things))
    states = _states(size, things)
    index = {state: i for i, state in enumerate(states)}
    after = [[index[_after(state, action, size, things)] for action in actions] + [i] for i, state in enumerate(states)]
    distance = shortest(after, end=len(states) - 1)
    return _Board(
        layout,
        actions,
        code={action: i for i, action in enumerate(actions)},
        index=index,
        after=after,
        text=[_text(state, things) for state in states],
        key=["/{}.{}.{}/{}".format(*state) for state in states],
        stage=[stage for *_, stage in states],
        over=[stage == len(things) for *_, stage in states],
        distance=distance,
        best=[actions[int(np.argmin([distance[j] for j in row[:-1]]))] for row in after],
    )


def _states(size: int, things: tuple[Thing, ...]) -> list[State]:
    """Every state that can be met, the end last: at each stage the next object's room, and the one before a door."""
    found: list[State] = []
    for stage, (_, room, _, _) in enumerate(things):
        rooms = {room} if stage == 0 else {things[stage - 1][1], room}
        found += [(r, x, y, stage) for r in sorted(rooms) for y in range(size) for x in range(size)]
    _, room, x, y = things[-1]
    return [*found, (room, x, y, len(things))]


def _after(state: State, action: str, size: int, things: tuple[Thing, ...]) -> State:
    """The state after an action; the same one where the action does not apply, and at the end."""
    room, x, y, stage = state
    if stage == len(things):
        return state
    if action not in MOVES:
        name, *place = things[stage]
        return (room, x, y, stage + 1) if action == VERBS[name] and place == [room, x, y] else state
    if action == "go east" and ("door", room, x, y) in things[:stage]:
        return (room + 1, 0, y, stage)
    x, y = x + MOVES[action][0], y + MOVES[action][1]
    return (room, x, y, stage) if 0 <= x < size and 0 <= y < size else state


def _text(state: State, things: tuple[Thing, ...]) -> str:
    """What the policy reads. The next object comes first, so its offset always stands in the same place."""
    room, x, y, stage = state
    last = things[stage - 1][0] if stage else ""
    held = {"key": "key", "item": "item", "goal": "item"}.get(last, "nothing")
    if last == "goal" and len(things) % 2:
        held = "nothing"
    words = [f"room {room} at {x} {y} holding {held}"]
    for i, (name, where, tx, ty) in enumerate(things):
        opened = name == "door" and i == stage - 1
        if where == room and (i >= stage or opened):
            across = f"{abs(tx - x)} {'west' if tx < x else 'east'}"
            along = f"{abs(ty - y)} {'south' if ty > y else 'north'}"
            words.append(f"{name} {across} {along}" + (f" {'open' if opened else 'locked'}" if name == "door" else ""))
    if stage == len(things):
        words.append("done")
    return " ".join(words)


def _names(subgoals: int) -> tuple[str, ...]:
    """The objects in the order of the subgoals."""
    tail = ("item", "goal") if subgoals % 2 == 0 else ("goal",)
    return ("key", "door") * ((subgoals - len(tail)) // 2) + tail


def _actions(names: Sequence[str]) -> tuple[str, ...]:
    """The moves, and the verbs of the objects that there are."""
    return (*MOVES, *(verb for name, verb in VERBS.items() if name in names))


def _rooms(subgoals: int) -> int:
    return (subgoals + 1) // 2


def _layouts(size: int, subgoals: int) -> int:
    """How many distinct layouts there are."""
    cells = size * size
    last = cells * (cells - 1) if subgoals % 2 == 0 else cells
    return (size * (cells - 1)) ** (_rooms(subgoals) - 1) * last


@lru_cache(maxsize=64)
def _draw(family: Keydoor) -> Mapping[str, tuple[Task, ...]]:
    """Both splits, train first: an id is the place in the drawing, so it means one task however they are split."""
    rng = np.random.default_rng(family.seed)
    names = _names(family.subgoals)
    met: set[tuple[Thing, ...]] = set()
    tasks: dict[str, tuple[Task, ...]] = {}
    for split, count in (("train", family.train), ("test", family.test)):
        drawn: list[Task] = []
        while len(drawn) < count:
            things = _things(rng, family.size, names)
            if things in met:
                continue
            met.add(things)
            start = [0, *(int(v) for v in rng.integers(family.size, size=2))]
            drawn.append(
                Task(
                    prompt=" then ".join(VERBS[name] for name in names),
                    extra={
                        "environment": "keydoor",
                        "id": f"keydoor-{family.size}-{family.subgoals}-{family.seed}/{len(met)}",
                        "split": split,
                        "size": family.size,
                        "start": start,
                        "objects": [list(thing) for thing in things],
                    },
                )
            )
        tasks[split] = tuple(drawn)
    return tasks


def _things(rng: np.random.Generator, size: int, names: Sequence[str]) -> tuple[Thing, ...]:
    """Cells for the objects, distinct inside a room; doors on the east edge."""
    things: list[Thing] = []
    for room in range(_rooms(len(names))):
        here = names[2 * room : 2 * room + 2]
        places = {"door": (size - 1, int(rng.integers(size)))} if "door" in here else {}
        for name in here:
            while name not in places:
                place = (int(rng.integers(size)), int(rng.integers(size)))
                if place not in places.values():
                    places[name] = place
        things += [(name, room, *places[name]) for name in here]
    return tuple(things)


def _read(task: Task) -> tuple[Layout, State]:
    """The layout and the first state that a task's record holds."""
    missing = [key for key in ("id", "size", "start", "objects") if key not in task.extra]
    if missing:
        raise RecordError(
            f"keydoor: the task has no {', '.join(missing)}; a keydoor task holds its layout in `extra`; "
            "take tasks from Keydoor.tasks, or keep `extra` when a record is read back"
        )
    things = tuple((str(name), int(room), int(x), int(y)) for name, room, x, y in task.extra["objects"])
    room, x, y = (int(v) for v in task.extra["start"])
    return (int(task.extra["size"]), things), (room, x, y, 0)
