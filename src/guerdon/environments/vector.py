"""Many plays at once, where a broken environment is a value and never an exception.

A `Vector` has slots. `reset(tasks)` begins a play of `tasks[i]` in slot i; `step` and
`expert` then speak to the slots that are named. What a slot says is a `Seen`, or an
`EnvironmentFault` whose message is the cause. A slot that faulted stays at fault, and
repeats it when asked, until the next reset.

`InProcess` calls the environments directly: for code that is trusted to return.
`Isolated` gives each slot a process of its own that is killed when it misses its deadline,
so an endless loop, a crash or a native call that never returns costs one play and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from guerdon.environments import child
from guerdon.environments.base import Environment, Family, Seen
from guerdon.errors import EnvironmentFault, ShapeError
from guerdon.records import Task

LONGEST_ANSWER = 16 * 2**20  # bytes; an observation is text for a model, so more than this is nonsense
GRACE = 2.0  # seconds that a child has to close its environment before it is killed


@runtime_checkable
class Vector(Protocol):
    """Several plays at once; see the module for what a fault is."""

    def reset(self, tasks: Sequence[Task]) -> list[Seen | EnvironmentFault]:
        """Begins a play of `tasks[i]` in slot i, with as many slots as there are tasks."""
        ...

    def step(self, actions: Mapping[int, str]) -> dict[int, Seen | EnvironmentFault]:
        """Acts in the slots that are named; the others wait."""
        ...

    def expert(self, slots: Sequence[int]) -> dict[int, str | EnvironmentFault]:
        """A good action for each of these slots; a fault here counts as one of the play, and `step` repeats it."""
        ...

    def close(self) -> None:
        """Frees the environments; the vector is not used after it."""
        ...


def of(family: Family, *, deadline: float = 30.0, workers: int | None = None) -> Vector:
    """The vector that fits a family: in this process if its class says `trusted = True`, else isolated.

    Args:
        family: whose environments are played.
        deadline: seconds that one call may take; in-process calls have none.
        workers: how many slots work at the same time; None for all.

    Returns:
        An `InProcess` or an `Isolated`.

    Example:
        >>> from guerdon.environments import get
        >>> type(of(get("keydoor"))).__name__
        'InProcess'
    """
    return InProcess(family) if getattr(family, "trusted", False) else Isolated(family, workers, deadline)


def _known(slots: Iterable[int], count: int, caller: str) -> None:
    if missing := [slot for slot in slots if not 0 <= slot < count]:
        raise ShapeError(
            f"{caller}: slot {missing[0]}, where the last reset began {count} plays; "
            "name slots of that reset; to play more at once, reset with more tasks"
        )


class InProcess:
    """Environments called directly, one after the other. An exception of theirs is a fault; a hang is a hang."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._environments: dict[int, Environment] = {}
        self._faults: dict[int, EnvironmentFault] = {}
        self._count = 0

    def reset(self, tasks: Sequence[Task]) -> list[Seen | EnvironmentFault]:
        """Begins a play of `tasks[i]` in slot i; environments of earlier plays are used again."""
        self._faults.clear()
        self._count = len(tasks)
        return [self._call(slot, "reset", task) for slot, task in enumerate(tasks)]

    def step(self, actions: Mapping[int, str]) -> dict[int, Seen | EnvironmentFault]:
        """Acts in the slots that are named."""
        _known(actions, self._count, "step")
        return {slot: self._call(slot, "step", text) for slot, text in actions.items()}

    def expert(self, slots: Sequence[int]) -> dict[int, str | EnvironmentFault]:
        """A good action for each of these slots."""
        _known(slots, self._count, "expert")
        return {slot: self._call(slot, "expert", None) for slot in slots}

    def close(self) -> None:
        """Closes every environment; one that raises on it is dropped all the same."""
        while self._environments:
            _drop(self._environments.popitem()[1])

    def _call(self, slot: int, what: str, argument: Any) -> Any:
        if slot in self._faults:
            return self._faults[slot]
        try:
            if slot not in self._environments:
                self._environments[slot] = self._family.make()
            return child.answer(self._environments[slot], what, argument)
        except (Exception, SystemExit) as error:  # the boundary: whatever environments raise becomes a fault
            self._faults[slot] = EnvironmentFault(child.cause(error))
            if (broken := self._environments.pop(slot, None)) is not None:
                _drop(broken)
            return self._faults[slot]


def _drop(environment: Environment) -> None:
    try:
        environment.close()
    except (Exception, SystemExit):  # it is thrown away, so how it objects does not matter
        return


@dataclass
class _Child:
    """A process that plays one slot, and this end of the line to it."""

    process: BaseProcess
    line: socket.socket
    heard: bytearray = field(default_factory=bytearray)

    def hear(self) -> bytes | None:
        """The answer once it is whole, None while it is not; never blocks."""
        try:
            heard = self.line.recv(2**16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if not heard:
            raise EOFError
        self.heard += heard
        if len(self.heard) > LONGEST_ANSWER:
            raise EnvironmentFault(f"returned an answer of more than {LONGEST_ANSWER} bytes")
        if not heard.endswith(b"\n"):
            return None
        answer = bytes(self.heard)
        self.heard.clear()
        return answer

    def end(self) -> int | None:
        """Kills it and all that it started, and frees what is held for it here; returns the exit code."""
        self.line.close()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it is gone, or has not made its group yet
            self.process.kill()
        self.process.join(GRACE)
        return self.process.exitcode


@contextmanager
def _without_main() -> Iterator[None]:
    """Hides the program's main module, which `multiprocessing` would otherwise run again in every child.

    A child needs nothing from it; running it costs its imports for each slot, and for a script
    without a guarded entry point it would start the whole program again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Isolated:
    """Environments in processes of their own, one for each slot, ended with SIGKILL at the deadline.

    A slot whose process was ended gets a new one at the next reset. The processes die with this
    one, however it dies. They come from the fork server of `multiprocessing`, which stays, idle,
    until the program ends. Only a family that is defined in the program's own main file needs its
    entry point guarded with `if __name__ == "__main__":`.

    Args:
        family: whose environments are played; it must be possible to pickle it.
        workers: how many slots work at the same time; None for all.
        deadline: seconds that one call may take, from when it was sent.

    Raises:
        EnvironmentFault: the family cannot be pickled.
    """

    def __init__(self, family: Family, workers: int | None = None, deadline: float = 30.0) -> None:
        try:
            self._family = pickle.dumps(family)
        except Exception as error:  # pickle raises whatever the object's own code raises
            raise EnvironmentFault(
                f"Isolated: the family cannot be pickled ({child.cause(error)}); it is sent to other processes; "
                "keep open handles out of it, or set `trusted = True` on its class to play in this process"
            ) from error
        module = sys.modules[type(family).__module__]
        self._module = (module.__name__, getattr(module, "__file__", None))
        self._workers = workers or sys.maxsize
        self._deadline = deadline
        self._children: dict[int, _Child] = {}
        self._faults: dict[int, EnvironmentFault] = {}
        self._count = 0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([name for name in (child.__name__, module.__name__) if name != "__main__"])

    def reset(self, tasks: Sequence[Task]) -> list[Seen | EnvironmentFault]:
        """Begins a play of `tasks[i]` in slot i; slots without a process get one."""
        self._faults.clear()
        self._count = len(tasks)
        for slot in range(len(tasks)):
            if slot not in self._children:
                self._spawn(slot)
        said = self._ask({slot: ("reset", task) for slot, task in enumerate(tasks)})
        return [said[slot] for slot in range(len(tasks))]

    def step(self, actions: Mapping[int, str]) -> dict[int, Seen | EnvironmentFault]:
        """Acts in the slots that are named, all at the same time."""
        _known(actions, self._count, "step")
        return self._ask({slot: ("step", text) for slot, text in actions.items()})

    def expert(self, slots: Sequence[int]) -> dict[int, str | EnvironmentFault]:
        """A good action for each of these slots."""
        _known(slots, self._count, "expert")
        return self._ask(dict.fromkeys(slots, ("expert", None)))

    def close(self) -> None:
        """Lets the environments close, then kills what is left."""
        for it in self._children.values():
            it.line.close()  # the child reads an end of file, closes its environment and leaves
        until = time.monotonic() + GRACE
        while self._children:
            it = self._children.popitem()[1]
            it.process.join(max(0.0, until - time.monotonic()))
            it.end()

    def _spawn(self, slot: int) -> None:
        here, there = socket.socketpair()
        process = self._context.Process(
            target=child.serve, args=(there, *self._module, self._family), name=f"slot-{slot}", daemon=True
        )
        try:
            with _without_main() if self._module[0] != "__main__" else nullcontext():
                process.start()
        except OSError as error:
            here.close()
            self._faults[slot] = EnvironmentFault(f"no process could be started: {child.cause(error)}")
        else:
            self._children[slot] = _Child(process, here)
        finally:
            there.close()

    def _fault(self, slot: int, cause: str) -> EnvironmentFault:
        """Ends the slot's process and remembers why; a cause may ask for the exit code with {code}."""
        code = self._children.pop(slot).end()
        self._faults[slot] = EnvironmentFault(cause.replace("{code}", str(code)))
        return self._faults[slot]

    def _ask(self, requests: Mapping[int, tuple[str, Any]]) -> dict[int, Any]:
        """Sends all requests, then gathers the answers as they come, each within its own deadline."""
        said: dict[int, Any] = {slot: self._faults[slot] for slot in requests if slot in self._faults}
        queue = deque(slot for slot in requests if slot not in said)
        due: dict[int, float] = {}
        while queue or due:
            while queue and len(due) < self._workers:
                slot = queue.popleft()
                due[slot] = time.monotonic() + self._deadline
                if (fault := self._send(slot, requests[slot])) is not None:
                    said[slot] = fault
                    del due[slot]
            lines = {self._children[slot].line: slot for slot in due}
            patience = max(0.0, min(due.values(), default=0.0) - time.monotonic())
            for line in wait(list(lines), patience) if lines else ():
                slot = lines[line]
                if (answer := self._hear(slot, requests[slot][0])) is not None:
                    said[slot] = answer
                    del due[slot]
            for slot in [slot for slot, when in due.items() if when <= time.monotonic()]:
                said[slot] = self._fault(slot, f"no answer within {self._deadline:g} s")
                del due[slot]
        return {slot: said[slot] for slot in requests}

    def _send(self, slot: int, request: tuple[str, Any]) -> EnvironmentFault | None:
        """Sends a request; a child that does not even read it in time is at fault as well."""
        body = pickle.dumps(request)
        line = self._children[slot].line
        line.settimeout(self._deadline)
        try:
            line.sendall(struct.pack("!Q", len(body)) + body)
        except TimeoutError:
            return self._fault(slot, f"no answer within {self._deadline:g} s")
        except OSError:
            return self._fault(slot, "its process ended (exit code {code})")
        return None

    def _hear(self, slot: int, what: str) -> Any:
        """The answer of a slot that has something to say; None while it is not whole."""
        try:
            heard = self._children[slot].hear()
            if heard is None:
                return None
            answer = child.read(heard)
            if isinstance(answer, str) != (what == "expert"):
                raise EnvironmentFault(f"its process answered out of form ({type(answer).__name__} to {what})")
            return answer
        except EnvironmentFault as fault:
            return self._fault(slot, str(fault))
        except (EOFError, OSError):
            return self._fault(slot, "its process ended (exit code {code})")
