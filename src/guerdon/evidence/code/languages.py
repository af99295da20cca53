"""Languages by configuration: what a program's file is called, how it is compiled, checked and run, what it needs.

A language of one's own is one more `Language`: nothing else has to be written to grade its programs by what they
read and write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock

from guerdon.errors import RecordError, UnknownNameError
from guerdon.evidence.sandbox import Job, Limits, Sandbox

MB = 1 << 20
RUNNING = Limits()
COMPILING = Limits(wall=30.0, cpu=30.0, memory=1024 * MB, processes=16, disk=64 * MB, file=16 * MB)


# Below these a limit is a mistake: the harness and the largest program that is taken have room in them.
LEAST = {
    "wall": 0.001, "cpu": 0.001, "memory": MB, "processes": 1, "file": 1, "disk": 4 * MB, "open": 8, "output": 1,
}  # fmt: skip
MOST = 1 << 62


@dataclass(frozen=True)
class Language:
    """How programs of one language are compiled and run.

    Attributes:
        name: what it is asked for by.
        source: the name of the program's file, beside which the commands run (in /box).
        run: the command, absolute, that runs the program.
        version: a command that succeeds where the language is installed.
        install: what to do where it is not, as half a sentence.
        compile: a command that makes `made` of the source, or None. Where it fails the program does not compile.
        check: a command that only says whether the source can be read, or None. It is run after a first error,
            so that it costs a program that does no wrong nothing, and left out where it is not installed.
        made: what compiling leaves, and running needs.
        running, compiling: limits where a user gives none. `processes` and `address` of them are what the
            language itself needs: limits that a user gives are raised to these.
        main: the file of `inside` by which `run` starts the program, which is `guerdon_main` with its ending in /box.
        calls: the file of `inside` that makes function calls, or None: calls are refused.
        caller: the command that runs that file, which is `guerdon_NAME` in /box.
        one_number: 1.0 and 1 are one number to the language, so they are the same answer.
        out_of_memory: what it writes on stderr when it ends because memory ran out.

    Example:
        >>> awk = Language("awk", "main.awk", ("/usr/bin/awk", "-f", "main.awk"), ("/usr/bin/awk", "--version"))
        >>> awk.source
        'main.awk'
    """

    name: str
    source: str
    run: tuple[str, ...]
    version: tuple[str, ...]
    install: str = "install it on this machine"
    compile: tuple[str, ...] | None = None
    check: tuple[str, ...] | None = None
    made: tuple[str, ...] = ()
    running: Limits = RUNNING
    compiling: Limits = COMPILING
    main: str | None = None
    calls: str | None = None
    caller: tuple[str, ...] = ()
    one_number: bool = False
    out_of_memory: tuple[bytes, ...] = ()


PYTHON = Language(
    "python",
    "solution.py",
    run=("/usr/bin/python3", "-I", "-S", "/box/guerdon_main.py"),
    version=("/usr/bin/python3", "-I", "-S", "-c", "pass"),
    install="install Python for the system, for example `apt install python3`",
    check=(
        "/usr/bin/python3", "-I", "-S", "-W", "ignore", "-c",
        "compile(open('/box/solution.py', 'rb').read(), 'solution.py', 'exec', dont_inherit=True)",
    ),
    main="main.py",
    calls="calls.py",
    caller=("/usr/bin/python3", "-I", "-S", "/box/guerdon_calls.py"),
    out_of_memory=(b"MemoryError",),
)  # fmt: skip

C = Language(
    "c",
    "main.c",
    run=("/box/main",),
    version=("/usr/bin/gcc", "--version"),
    install="install a C compiler, for example `apt install gcc libc6-dev`",
    compile=("/usr/bin/gcc", "-O2", "-std=c17", "-o", "main", "main.c", "-lm"),
    made=("main",),
    # A program that is refused memory mostly crashes, which is an error; one that is watched is ended for its memory.
    running=Limits(processes=2, address=4 << 30),
)

JAVASCRIPT = Language(
    "javascript",
    "main.js",
    run=("/usr/bin/node", "/box/main.js"),
    version=("/usr/bin/node", "--version"),
    install="install Node.js, for example `apt install nodejs`",
    check=("/usr/bin/node", "--check", "/box/main.js"),
    running=Limits(processes=32, address=64 << 30),
    calls="calls.js",
    caller=("/usr/bin/node", "/box/guerdon_calls.js"),
    one_number=True,
    out_of_memory=(b"JavaScript heap out of memory", b"Array buffer allocation failed"),
)

LUA = Language(
    "lua",
    "main.lua",
    run=("/usr/bin/lua5.4", "/box/main.lua"),
    version=("/usr/bin/lua5.4", "-v"),
    install="install Lua 5.4, for example `apt install lua5.4`",
    check=("/usr/bin/luac5.4", "-p", "/box/main.lua"),
    calls="calls.lua",
    caller=("/bin/sh", "-c", "exec /usr/bin/lua5.4 /box/guerdon_calls.lua >&3 3>&-"),
    one_number=True,
    out_of_memory=(b"not enough memory",),
)

BASH = Language(
    "bash",
    "main.sh",
    run=("/usr/bin/bash", "--noprofile", "--norc", "/box/main.sh"),
    version=("/usr/bin/bash", "--version"),
    install="install bash, for example `apt install bash`",
    check=("/usr/bin/bash", "--noprofile", "--norc", "-n", "/box/main.sh"),
    running=Limits(processes=16),
    out_of_memory=(b"cannot allocate", b"Cannot allocate memory"),
)

_KNOWN = {language.name: language for language in (PYTHON, C, JAVASCRIPT, LUA, BASH)}
_OTHER = {"py": "python", "python3": "python", "js": "javascript", "node": "javascript", "sh": "bash", "shell": "bash"}


def languages() -> Mapping[str, Language]:
    """The languages that come with Guerdon, by name.

    Example:
        >>> sorted(languages())
        ['bash', 'c', 'javascript', 'lua', 'python']
    """
    return dict(_KNOWN)


def named(asked: str | Language, who: str = "run") -> Language:
    """A language by name, or itself.

    Raises:
        UnknownNameError: none of that name.

    Example:
        >>> named("js").name
        'javascript'
    """
    if isinstance(asked, Language):
        return asked
    name = str(asked).lower()
    found = _KNOWN.get(_OTHER.get(name, name))
    if found is None:
        raise UnknownNameError(
            f"{who}: language {asked!r}; one of {', '.join(sorted(_KNOWN))} is needed; "
            "pass a Language of your own for another"
        )
    return found


def is_language(name: str) -> bool:
    """Whether a language that comes along is asked for by this name.

    Example:
        >>> is_language("js"), is_language("code")
        (True, False)
    """
    name = str(name).lower()
    return _OTHER.get(name, name) in _KNOWN


def fitted(limits: Limits | Mapping | None, needs: Limits, who: str = "run") -> Limits:
    """The limits of a run: those that a user gives, raised to the processes and address space of the language.

    Raises:
        RecordError: a limit of no known name, one that is no number, or one below what any program needs.

    Example:
        >>> fitted({"wall": 2.0}, JAVASCRIPT.running).processes
        32
    """
    if limits is None:
        return needs
    if isinstance(limits, Mapping):
        try:
            limits = replace(needs, **limits)
        except TypeError:
            known = ", ".join(Limits.__dataclass_fields__)
            raise RecordError(
                f"{who}: limits {', '.join(map(str, limits))}; known are {known}; correct the name"
            ) from None
    if not isinstance(limits, Limits):
        raise RecordError(
            f"{who}: limits of type {type(limits).__name__}; Limits or a mapping of some is needed; "
            'write limits={"wall": 2.0}'
        )
    for name, least in LEAST.items():
        value = getattr(limits, name)
        kinds = (int, float) if name in ("wall", "cpu") else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < MOST:
            unit = "seconds" if float in kinds else "a whole number"
            raise RecordError(f"{who}: limits.{name} of {value!r}; {unit} of {least} or above is needed; correct it")
    address = limits.address if needs.address is None else max(limits.address or limits.memory, needs.address)
    return replace(limits, processes=max(limits.processes, needs.processes), address=address)


def roomy(limits: Limits, needed: int) -> Limits:
    """The limits, with room for an answer that is right, and as much again for other writing.

    Example:
        >>> roomy(Limits(), 10).output, roomy(Limits(), 5 << 20).output
        (1048576, 6291456)
    """
    return replace(limits, output=max(limits.output, needed + (1 << 20) if needed > limits.output // 2 else 0))


def missing(lang: Language, sandbox: Sandbox) -> str | None:
    """Why programs of a language cannot be run in a sandbox, as a sentence; None where they can.

    Asked once per sandbox and language in a process where the answer is good, and again where it is not.

    Raises:
        SandboxFault: the sandbox failed.
    """
    key = (sandbox.name, lang)
    with _LOCK:
        if key in _FOUND:
            return None
    needs = lang.running if lang.compile is None else lang.compiling
    if os.access(lang.version[0], os.X_OK):
        ran = sandbox.run(Job(lang.version, limits=replace(needs, wall=30.0, cpu=30.0)))
        if ran.ended == "exited" and ran.code == 0:
            with _LOCK:
                _FOUND.add(key)
            return None
        what = f"{lang.version[0]} does not start there ({ran.ended}, {ran.code})"
    else:
        what = f"{lang.version[0]} is missing"
    return f"run: programs in {lang.name} for the sandbox {sandbox.name!r}; {what}, and they need it; {lang.install}"


_FOUND: set[tuple[str, Language]] = set()
_LOCK = Lock()
