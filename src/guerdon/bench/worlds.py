"""The built-in worlds: six small ones, each with one trap of long-horizon credit, and their exact tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from types import MappingProxyType

import numpy as np

from guerdon.bench.world import World
from guerdon.environments import from_file
from guerdon.environments import get as family_of
from guerdon.errors import UnknownNameError

Array = np.ndarray


def keydoor() -> World:
    """Two rooms of nine cells: take the key, open the door, enter the goal; 1 at the end.

    The policy sees where it is in its room and what it holds; not which room it is in.
    """
    family = family_of("keydoor", size=3, subgoals=3, horizon=60, train=1, test=1)
    model = family.model(family.tasks("train")[0])
    states = [tuple(name.split("/")[-2:]) for name in model.states]
    seen = [(place.split(".", 1)[1], stage == "1", stage == "3") for place, stage in states]
    progress = np.array([int(stage) for _, stage in states]) / 3
    return World(
        model.transition, model.reward, model.start, model.terminal, model.horizon, numbered(seen), "keydoor",
        {"progress": progress},
    )  # fmt: skip


def chain(length: int = 10) -> World:
    """A choice at the door that pays at the end of a corridor; on the way, two actions that do nothing but take time.

    Actions: left, right, look, wait. In the corridor only the first two walk on. The policy does not see in the
    corridor which door it took.
    """
    cells = [("door", 0), *product(("left", "right"), range(length)), ("end", 0)]
    index = {cell: i for i, cell in enumerate(cells)}
    after = np.zeros((len(cells), 4), int)
    reward = np.zeros((len(cells), 4))
    for (side, place), i in index.items():
        after[i] = i
        if side == "door":
            after[i, :2] = index["left", 0], index["right", 0]
        elif side != "end":
            after[i, :2] = index[side, place + 1] if place + 1 < length else index["end", 0]
            reward[i, :2] = float(side == "left" and place + 1 == length)
    seen = [("corridor", place) if side in ("left", "right") else (side, 0) for side, place in cells]
    return of_tables(after, reward, cells.index(("end", 0)), 40, seen, "chain")


def tools(count: int = 5) -> World:
    """Tools that need others first, some of no use, and a last call that hands in: 1 if the needed ones were done.

    Tool i needs tool i - 1, the last one is not needed for the answer. Calling one twice, or too early, changes
    nothing. The policy does not see whether the first tool was called.
    """
    done = list(product((0, 1), repeat=count))
    index = {mask: i for i, mask in enumerate(done)}
    end = len(done)
    after = np.full((end + 1, count + 1), end)
    reward = np.zeros((end + 1, count + 1))
    for mask, i in index.items():
        for tool in range(count):
            ready = tool == 0 or tool == count - 1 or mask[tool - 1]
            called = tuple(1 if j == tool and ready else bit for j, bit in enumerate(mask))
            after[i, tool] = index[called]
        reward[i, count] = float(all(mask[: count - 1]))
    return of_tables(after, reward, end, 24, [(m[1:], False) for m in done] + [((), True)], "tools")


def submit(levels: int = 5) -> World:
    """Work raises the quality half of the time, busy work changes nothing, and submitting pays the quality."""
    states = levels + 1
    table = np.zeros((states, 3, states))
    reward = np.zeros((states, 3))
    for quality in range(levels):
        better = min(quality + 1, levels - 1)
        table[quality, 0, better] += 0.5
        table[quality, 0, quality] += 0.5
        table[quality, 1, quality] = 1.0
        table[quality, 2, levels] = 1.0
        reward[quality, 2] = quality / (levels - 1)
    table[levels, :, levels] = 1.0
    key = np.array([*(np.arange(levels) // 2), (levels + 1) // 2])  # sees the quality roughly
    return World(table, reward, np.eye(states)[0], np.arange(states) == levels, 16, key, "submit")


def luck(rounds: int = 12) -> World:
    """Twelve rounds, each with good or bad luck that no action changes; three levels of effort earn a little.

    Good luck pays 1, effort pays 0, 0.05 or 0.1; so most of the return is luck. Effort of the highest level tires:
    the next round's effort pays nothing. The policy sees the round and whether it is tired, not the luck.
    """
    cells = [*product(range(rounds), (0, 1), (0, 1)), (rounds, 0, 0)]
    index = {cell: i for i, cell in enumerate(cells)}
    table = np.zeros((len(cells), 3, len(cells)))
    reward = np.zeros((len(cells), 3))
    for (at, lucky, tired), i in index.items():
        if at == rounds:
            table[i, :, i] = 1.0
            continue
        for effort in range(3):
            reward[i, effort] = lucky + (0.0 if tired else 0.05 * effort)
            for then in (0, 1):
                to = (at + 1, then, int(effort == 2)) if at + 1 < rounds else (rounds, 0, 0)
                table[i, effort, index[to]] += 0.5
    start = np.zeros(len(cells))
    start[index[0, 0, 0]] = start[index[0, 1, 0]] = 0.5
    seen = [(at, tired) for at, _, tired in cells]
    return World(table, reward, start, np.arange(len(cells)) == index[rounds, 0, 0], rounds, numbered(seen), "luck")


def patrol(cells: int = 12, horizon: int = 240) -> World:
    """Carries parcels from one end of a corridor to the other for 240 steps, 1 for each; the floor is slippery.

    A step goes the other way in a tenth of the cases. Picking up and putting down are actions of their own. The
    policy sees what it carries, and where it is up to a pair of cells.
    """
    states = list(product(range(cells), (0, 1)))
    index = {state: i for i, state in enumerate(states)}
    table = np.zeros((len(states), 4, len(states)))
    reward = np.zeros((len(states), 4))
    for (x, full), i in index.items():
        for action, way in ((0, -1), (1, 1)):
            for chance, step in ((0.9, way), (0.1, -way)):
                table[i, action, index[min(max(x + step, 0), cells - 1), full]] += chance
        table[i, 2, index[x, 1 if x == 0 else full]] = 1.0
        table[i, 3, index[x, 0 if x == cells - 1 else full]] = 1.0
        reward[i, 3] = float(full and x == cells - 1)
    seen = [(x // 2, full) for x, full in states]
    return World(table, reward, np.eye(len(states))[0], np.zeros(len(states), bool), horizon, numbered(seen), "patrol")


WORLDS: Mapping[str, Callable[[], World]] = MappingProxyType(
    {"keydoor": keydoor, "chain": chain, "tools": tools, "submit": submit, "luck": luck, "patrol": patrol}
)


def get(name: str) -> World:
    """A world by name: a built-in one, or `FILE.py:NAME`, a World of a file of one's own or a function that makes it.

    Raises:
        UnknownNameError: there is no such world.
        EnvironmentFault: the file cannot be read or run.

    Example:
        >>> get("luck").horizon
        12
    """
    if ".py:" in name:
        found = from_file(name, "world", lambda it: isinstance(it, World) or callable(it))
        found = found if isinstance(found, World) else found()
        if not isinstance(found, World):
            raise UnknownNameError(
                f"worlds.get: {name!r} is a {type(found).__name__}; a World, or a function that makes one, is needed; "
                "see guerdon.bench.World"
            )
        return replace(found, name=name.rpartition(":")[2]) if found.name == "world" else found
    if name not in WORLDS:
        raise UnknownNameError(
            f"worlds.get: no world is called {name!r}; the names are {', '.join(WORLDS)}; "
            "use one of these, or FILE.py:NAME for a world of your own"
        )
    return WORLDS[name]()


def numbered(seen: list) -> Array:
    """A number from 0 for each distinct thing seen, in order of first sight.

    Example:
        >>> numbered(["b", "a", "b"])
        array([0, 1, 0])
    """
    index: dict = {}
    return np.array([index.setdefault(what, len(index)) for what in seen])


def of_tables(after: Array, reward: Array, end: int, horizon: int, seen: list, name: str) -> World:
    """A world without chance that begins in its first state and has one end."""
    states = len(after)
    return World(after, reward, np.eye(states)[0], np.arange(states) == end, horizon, numbered(seen), name)
