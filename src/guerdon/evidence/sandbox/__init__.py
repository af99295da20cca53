"""Where programs that nobody trusts are run: found on this machine by trying, and failing closed.

`find()` returns the best sandbox that works here: "zygote" (fresh namespaces for each run, forked from a server; the
fast one), then "bubblewrap" (a fresh bubblewrap for each run). `find("wasm")` runs Python alone, in WebAssembly, where
namespaces are forbidden; it is weaker and slower, so it is never taken unless it is asked for by name. There is no way
to run a program without a sandbox.
"""

from __future__ import annotations

from guerdon.evidence.sandbox.base import Job, Limits, Ran, Sandbox, SandboxFault
from guerdon.evidence.sandbox.bubblewrap import Bubblewrap
from guerdon.evidence.sandbox.wasm import TRIAL, Wasm
from guerdon.evidence.sandbox.zygote import Zygote

__all__ = ["Bubblewrap", "Job", "Limits", "Ran", "Sandbox", "SandboxFault", "Wasm", "Zygote", "find"]

MODES = {"zygote": Zygote, "bubblewrap": Bubblewrap, "wasm": Wasm}
AUTOMATIC = ("zygote", "bubblewrap")
ECHO = Job(("/bin/sh", "-c", "echo held"), limits=Limits(wall=10))
TRIALS = {"wasm": TRIAL}  # of a mode that has no shell
ELSE = "where namespaces are forbidden, Python alone runs in find('wasm'): pip install 'guerdon[wasm]'"
_found: dict[str | None, Sandbox] = {}


def find(name: str | None = None) -> Sandbox:
    """The best sandbox that works on this machine, or the one of that name; tried once per process.

    Args:
        name: "zygote", "bubblewrap" or "wasm"; None takes the first of "zygote" and "bubblewrap" that works.

    Raises:
        SandboxFault: none works, with what each one said and what to install. Nothing is ever run without a sandbox.

    Example:
        >>> from guerdon.evidence.sandbox import Job, find
        >>> find().run(Job(("/bin/echo", "held"))).stdout  # doctest: +SKIP
        b'held\\n'
    """
    if name not in _found:
        _found[name] = _first_that_works([name] if name else list(AUTOMATIC))
    return _found[name]


def _first_that_works(names: list[str]) -> Sandbox:
    said = []
    last: Exception | None = None
    for name in names:
        if name not in MODES:
            raise SandboxFault(f"find: the sandbox {name!r}; one of {', '.join(MODES)} is needed; leave it out")
        sandbox = MODES[name]()
        try:
            ran = sandbox.run(TRIALS.get(name, ECHO))
            if ran.stdout == b"held\n":
                return sandbox
            said.append(f"{name}: a trial ended as {ran.ended}, {ran.stderr[-200:].decode(errors='replace')}")
        except (SandboxFault, OSError) as fault:  # a kernel that has not what a mode needs
            said.append(f"{name}: {fault}")
            last = fault
    if "wasm" not in names:
        said.append(ELSE)
    if names != list(AUTOMATIC):  # one was asked for by name; of others this says nothing
        why = " | ".join(said).removeprefix(f"{names[0]}: ").removeprefix("find: ")
        raise SandboxFault(
            f"find: the sandbox {names[0]!r} does not work here, and nothing is run without one: {why}"
        ) from last
    raise SandboxFault(f"find: no sandbox works here, and nothing is run without one. {' | '.join(said)}")
