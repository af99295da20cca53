"""Graders, items and verdicts as bytes: what goes to a worker, and what comes back.

A grader of a module is sent by name. One that no worker could import by name (a function of a
script without a guard, of a notebook, a lambda) is sent by value: its code and what it refers to.
Nothing is ever run twice to find it. Verdicts come back as JSON, since a worker is not believed.
"""

from __future__ import annotations

import dis
import hashlib
import importlib
import importlib.util
import io
import json
import marshal
import os
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guerdon.errors import GuerdonError
from guerdon.records import Verdict

MOST = 16 << 20  # bytes of one verdict; more is a fault of the grader


@dataclass(frozen=True)
class Packed:
    """A grader as bytes.

    Attributes:
        key: equal for equal bytes; workers keep a grader under it.
        needs: modules, or `module:function` to call, that are wanted before its clock runs.
    """

    key: str
    blob: bytes
    needs: tuple[str, ...] = ()


def pack(grade: Callable[..., Verdict]) -> Packed:
    """A grader as bytes, by name where a worker can import it, else by value.

    A grader may have an attribute `needs`: names of modules, or `module:function` to be called, that are
    loaded before workers are forked, and in any case before the clock of an item runs. Modules of guerdon
    that it is made of are loaded so without being named. Modules named here must not start threads.

    Raises:
        GuerdonError: it refers to something that cannot be sent.

    Example:
        >>> double = unpack(pack(lambda said: Verdict.score(float(said) * 2, high=10)).blob)
        >>> double("2").value
        4.0
    """
    out = io.BytesIO()
    pickler = _Pickler(out, pickle.HIGHEST_PROTOCOL)
    try:
        pickler.dump(grade)
    except GuerdonError:
        raise
    except Exception as error:  # anything may be among what it refers to
        raise GuerdonError(
            f"Pool: the grader {_name(grade)} cannot be sent to a worker ({why(error)}); a grader is "
            "a function, or a frozen dataclass with __call__, and what it refers to must be picklable; open files, "
            "connections and locks inside it when it is called"
        ) from None
    needs = tuple(dict.fromkeys((*pickler.ours, *getattr(grade, "needs", ()))))
    blob = pickle.dumps((where(), pickler.files, needs, out.getvalue()), pickle.HIGHEST_PROTOCOL)
    return Packed(hashlib.sha256(blob).hexdigest(), blob, needs)


def unpack(blob: bytes) -> Callable[..., Verdict]:
    """The grader of a `Packed.blob`, with what it needs loaded; raises whatever its imports raise."""
    path, files, needs, inner = pickle.loads(blob)
    reach(path)
    prepare(needs)
    return _Unpickler(io.BytesIO(inner), files).load()


def where() -> list[str]:
    """Where this process finds modules, as full paths."""
    try:
        here = os.getcwd()
    except FileNotFoundError:  # the folder was removed under it
        here = None
    return [entry or here for entry in sys.path if entry or here]


def reach(path: list[str]) -> None:
    """Makes modules of another process's `sys.path` importable here."""
    sys.path += [entry for entry in path if entry not in sys.path]


def prepare(needs: tuple[str, ...] | list[str]) -> None:
    """Imports modules; `module:function` is called too."""
    for need in needs:
        module, _, function = need.partition(":")
        loaded = importlib.import_module(module)
        if function:
            getattr(loaded, function)()


def written(verdict: Verdict) -> str:
    """A verdict as JSON text; numpy numbers and arrays become plain ones.

    Raises:
        TypeError, ValueError: a fact or an item is not numbers, text or JSON values.

    Example:
        >>> read(json.loads(written(Verdict.score(0.5, why="close")))).facts
        {'why': 'close'}
    """
    value = None if verdict.value is None else float(verdict.value)
    body = [value, verdict.cause, float(verdict.low), float(verdict.high), verdict.facts, verdict.items]
    return json.dumps(body, default=_plain)


def read(body: list) -> Verdict:
    """The verdict of `json.loads(written(...))`; raises where it is none."""
    value, cause, low, high, facts, items = body
    return Verdict(value, cause, low, high, facts, tuple(items))


def graded(grade: Callable[..., Verdict], item: tuple) -> Verdict:
    """What a grader says of an item; a fault of its own is a cause.

    Example:
        >>> graded(lambda said: 1, ("x",)).cause
        'the grader returned int, not a Verdict'
    """
    try:
        verdict = grade(*item)
    except MemoryError:
        raise
    except Exception as error:
        return Verdict.unscored(why(error))
    if not isinstance(verdict, Verdict):
        return Verdict.unscored(f"the grader returned {type(verdict).__name__}, not a Verdict")
    return verdict


def why(error: BaseException) -> str:
    """An exception as a cause: its sentence where it is one of ours, else its type and what it says."""
    try:
        said = str(error)
    except Exception:  # somebody else's exception may fail even at this
        said = ""
    if isinstance(error, GuerdonError) and said:
        return said[:2000]
    return f"{type(error).__name__}: {said}"[:2000] if said else type(error).__name__


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__module__ == "numpy":
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is neither number, text nor a JSON value")


def _name(grade: Any) -> str:
    return getattr(grade, "__qualname__", type(grade).__qualname__)


# By value, for what has no name that a worker could import.


class _Pickler(pickle.Pickler):
    """Sends functions without an importable name by value, and notes the files of the modules it names."""

    def __init__(self, file: io.BytesIO, protocol: int):
        super().__init__(file, protocol)
        self.files: dict[str, str] = {}
        self.ours: dict[str, None] = {}  # modules of guerdon: these may be loaded before workers are forked

    def reducer_override(self, found: Any) -> Any:
        if isinstance(found, types.ModuleType):
            return importlib.import_module, (found.__name__,)
        if isinstance(found, types.FunctionType):
            if not _has_name(found):
                return _by_value(found)
            self._note(found.__module__)
        elif isinstance(found, type):
            if found.__module__ == "__main__":
                raise GuerdonError(
                    f"Pool: the class {found.__qualname__} is defined in a script or notebook, where no worker can "
                    "import it; functions may be defined there, classes may not; move the class to a file beside it "
                    "and import it from there"
                )
            self._note(found.__module__)
        return NotImplemented

    def _note(self, module: str) -> None:
        file = getattr(sys.modules.get(module), "__file__", None)
        if module.startswith("guerdon."):
            self.ours[module] = None
        elif file:
            self.files[module] = os.path.abspath(file)


class _Unpickler(pickle.Unpickler):
    """Finds modules by name, and where the name leads nowhere, by the file they were read from there."""

    def __init__(self, file: io.BytesIO, files: dict[str, str]):
        super().__init__(file)
        self.files = files

    def find_class(self, module: str, name: str) -> Any:
        if module in sys.modules or module not in self.files:
            return super().find_class(module, name)
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            spec = importlib.util.spec_from_file_location(module, self.files[module])
            found = sys.modules[module] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(found)
            except BaseException:
                del sys.modules[module]
                raise
        for part in name.split("."):
            found = getattr(found, part)
        return found


def _has_name(function: types.FunctionType) -> bool:
    module = sys.modules.get(function.__module__ or "")
    if module is None or function.__module__ == "__main__":
        return False
    found: Any = module
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


def _by_value(function: types.FunctionType) -> tuple:
    code = function.__code__
    known = function.__globals__
    refers = {name: known[name] for name in _globals_of(code) if name in known}
    cells = [_content(cell) for cell in function.__closure__ or ()]
    state = (refers, cells, function.__defaults__, function.__kwdefaults__, function.__dict__)
    made = (marshal.dumps(code), function.__name__, function.__qualname__, len(cells))
    return _empty_function, made, state, None, None, _fill_function


def _globals_of(code: types.CodeType) -> dict[str, None]:
    names = {i.argval: None for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= _globals_of(inner)
    return names


def _content(cell: types.CellType) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:  # an empty cell stays empty
        return ()


def _empty_function(code: bytes, name: str, qualname: str, free: int) -> types.FunctionType:
    cells = tuple(types.CellType() for _ in range(free))
    function = types.FunctionType(marshal.loads(code), {"__builtins__": __builtins__}, name, None, cells)
    function.__qualname__, function.__module__ = qualname, "__main__"
    return function


def _fill_function(function: types.FunctionType, state: tuple) -> None:
    refers, cells, function.__defaults__, function.__kwdefaults__, attributes = state
    function.__globals__.update(refers)
    for cell, content in zip(function.__closure__ or (), cells, strict=True):
        if content:
            cell.cell_contents = content[0]
    function.__dict__.update(attributes)
