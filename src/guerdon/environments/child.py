"""What runs in the process of an isolated environment, and the form of what it answers.

A request comes as a length and a pickle, from a parent that is trusted. An answer goes back
as one line of JSON, since the parent does not trust the child.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import math
import numbers
import os
import pickle
import signal
import socket
import stat
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from guerdon.environments.base import Environment, Seen
from guerdon.errors import EnvironmentFault

PR_SET_PDEATHSIG = 1


def cause(error: BaseException) -> str:
    """An exception as the cause of a fault: its type and what it says.

    Example:
        >>> cause(KeyError("door")), cause(EnvironmentFault("returned int, not Seen"))
        ("KeyError: 'door'", 'returned int, not Seen')
    """
    if isinstance(error, EnvironmentFault):
        return str(error)
    try:
        said = str(error)
    except Exception:  # an exception of somebody else's may fail even at this
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def checked(answer: Any) -> Seen:
    """What an environment returned, made of plain Python values, if it is what a `Seen` has to be.

    Args:
        answer: what `reset` or `step` returned.

    Returns:
        The same, with numpy scalars made plain.

    Raises:
        EnvironmentFault: it is not a `Seen`, or a field of it has the wrong type or is not finite.

    Example:
        >>> checked(Seen("a room", reward=np.float32(0.5))).reward
        0.5
        >>> checked(3)
        Traceback (most recent call last):
        guerdon.errors.EnvironmentFault: returned int, not Seen
    """
    if not isinstance(answer, Seen):
        raise EnvironmentFault(f"returned {type(answer).__name__}, not Seen")
    if not isinstance(answer.observation, str):
        raise EnvironmentFault(f"returned an observation that is {type(answer.observation).__name__}, not text")
    if not isinstance(answer.state, str | None):
        raise EnvironmentFault(f"returned a state key that is {type(answer.state).__name__}, not text")
    if not isinstance(answer.facts, Mapping):
        raise EnvironmentFault(f"returned facts that are {type(answer.facts).__name__}, not a mapping")
    for name in ("terminated", "truncated"):
        if not isinstance(getattr(answer, name), bool | np.bool_):
            raise EnvironmentFault(f"returned {name} that is {getattr(answer, name)!r}, not True or False")
    return replace(
        answer,
        reward=_number("reward", answer.reward),
        outcome=_number("outcome", answer.outcome),
        terminated=bool(answer.terminated),
        truncated=bool(answer.truncated),
        facts={
            str(name): fact if isinstance(fact, str) else _number(f"fact {name!r}", fact)
            for name, fact in answer.facts.items()
        },
    )


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Real | np.bool_):
        raise EnvironmentFault(f"returned {name} that is {type(value).__name__}, not a number")
    if not math.isfinite(value):
        raise EnvironmentFault(f"returned {name} that is {float(value)}, not a finite number")
    return float(value)


def checked_text(answer: Any) -> str:
    """The action that `expert` returned, if it is text."""
    if not isinstance(answer, str):
        raise EnvironmentFault(f"expert returned {type(answer).__name__}, not text")
    return answer


def written(answer: Seen | str | EnvironmentFault) -> bytes:
    """An answer as one line of JSON.

    Example:
        >>> written("go east")
        b'["answer", "go east"]\\n'
    """
    if isinstance(answer, EnvironmentFault):
        return json.dumps(["fault", str(answer)]).encode() + b"\n"
    return json.dumps(["answer", answer if isinstance(answer, str) else asdict(answer)]).encode() + b"\n"


def read(line: bytes) -> Seen | str:
    """The answer in a line that `written` made, checked again: the child may have been made to lie.

    Args:
        line: what the child sent, up to the end of the line.

    Returns:
        A `Seen`, or the text of an action.

    Raises:
        EnvironmentFault: the line holds a fault, or anything else that is not an answer.

    Example:
        >>> read(written(Seen("a room"))).observation
        'a room'
    """
    try:
        kind, value = json.loads(line)
        if kind == "answer":
            return value if isinstance(value, str) else checked(Seen(**value))
    except (ValueError, TypeError, RecursionError) as error:
        raise EnvironmentFault(f"its process answered out of form ({cause(error)})") from error
    raise EnvironmentFault(str(value))


def serve(line: socket.socket, module: str, path: str | None, family: bytes) -> None:
    """Makes an environment and answers requests about it until the line closes. Runs in the child.

    Args:
        line: this end of the line to the parent.
        module: the name of the module that defines the family.
        path: its file, for a module that cannot be imported by name.
        family: the family, pickled.
    """
    _die_with_parent()
    _let_go_of_all_but(line.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, which then closes the line
    environment: Environment | None = None
    with line, line.makefile("rb") as requests:
        while len(head := requests.read(8)) == 8:
            body = requests.read(struct.unpack("!Q", head)[0])
            try:
                if environment is None:
                    _reachable(module, path)
                    environment = pickle.loads(family).make()
                said = answer(environment, *pickle.loads(body))
            except BaseException as error:  # the boundary: nothing that is raised here may end the child silently
                said = EnvironmentFault(cause(error))
            line.sendall(written(said))
    if environment is not None:
        environment.close()


def answer(environment: Environment, what: str, argument: Any) -> Seen | str:
    """Asks an environment to "reset", to "step" or for its "expert", and checks what it says.

    Args:
        environment: any.
        what: the name of the method.
        argument: the task or the action; not used for "expert".

    Returns:
        A `Seen`, or the text of an action.

    Raises:
        EnvironmentFault: what it says is neither. What it raises itself comes through.
    """
    if what == "expert":
        return checked_text(environment.expert())
    return checked(environment.reset(argument) if what == "reset" else environment.step(argument))


def _die_with_parent() -> None:
    """A group of its own lets it be killed whole; the kernel kills it when the process it was forked from ends."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _let_go_of_all_but(line: int) -> None:
    """Closes the other pipes and sockets that came with the fork.

    Among them is the pipe by which the fork server learns that the parent is gone: while any child
    holds it the server lives on, and with it every child that does not read its own line.
    """
    for name in os.listdir("/dev/fd"):
        number = int(name)
        try:
            kind = os.fstat(number).st_mode
            if number > 2 and number != line and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
                os.close(number)
        except OSError:  # the one that listed the folder is closed by now
            continue


def _reachable(name: str, path: str | None) -> None:
    """Makes sure that unpickling finds the family's module, also when it was loaded from a file of the user's."""
    if name in sys.modules:
        return
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        if path is None:
            raise
        load(name, Path(path))


def load(name: str, path: Path) -> ModuleType:
    """Runs a file as the module of that name.

    Args:
        name: under which it stands in `sys.modules`.
        path: the Python file.

    Returns:
        The module.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # half a module must not be found by the next import
        raise
    return module
