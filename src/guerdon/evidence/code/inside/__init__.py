"""What runs inside the sandbox. Nothing here is imported by the library; it is sent as text.

    main.py                         runs a Python program that reads and writes
    calls.py, calls.js, calls.lua   load the program, make the calls asked for on stdin, answer on descriptor 3
    candidate.py                    serves the program to the unit tests over a pipe
    units.py                        runs a unit-test file in a process of its own, against that pipe, with
    references.py, pytest_like.py   objects of the program as the tests see them, and a little of pytest
    guerdon_values.py               what of the standard library goes over that pipe by value

None of these holds an expected value but units.py, which no other process of the sandbox can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from guerdon.evidence.sandbox import Job, Sandbox

UNITS = ("units.py", "references.py", "pytest_like.py", "candidate.py", "guerdon_values.py")


@cache
def text(name: str) -> bytes:
    """The bytes of one of these files.

    Example:
        >>> text("calls.py").startswith(b'\"\"\"')
        True
    """
    return (Path(__file__).parent / name).read_bytes()


COMPILE = """
import marshal
with open("/box/calls.py", "rb") as source, open("/box/calls.bin", "wb") as made:
    made.write(marshal.dumps(compile(source.read(), "calls.py", "exec", dont_inherit=True)))
"""
START = b"""import marshal
with open("/box/guerdon_calls.bin", "rb") as file:
    code = marshal.loads(file.read())
exec(code)
"""
_MADE: dict[tuple[str, str], bytes] = {}


def caller(name: str, python: str, sandbox: Sandbox) -> Mapping[str, bytes]:
    """The files that make calls in a language; Python's are compiled once for each sandbox, by its own interpreter.

    That run holds no program, so what it makes can be kept; it saves a fifth of the time of a small program.

    Raises:
        SandboxFault: the sandbox failed.
    """
    if name != "calls.py":
        return {f"guerdon_{name}": text(name)}
    key = (sandbox.name, python)
    if key not in _MADE:
        ran = sandbox.run(Job((python, "-I", "-S", "-c", COMPILE), files={"calls.py": text(name)}, keep=("calls.bin",)))
        if "calls.bin" not in ran.files:
            return {"guerdon_calls.py": text(name)}
        _MADE[key] = ran.files["calls.bin"]
    return {"guerdon_calls.py": START, "guerdon_calls.bin": _MADE[key]}
