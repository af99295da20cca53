"""Runs a unit-test file against a program that runs in another process.

The tests hold expected values, so this process lets no other one of the sandbox read it: its file of tests is
gone before the program starts, its memory and descriptors are closed to processes of the same user (it is not
"dumpable"), and what it reports on descriptor 3 carries a code made with a key that never leaves it.
"""

import ast
import builtins
import ctypes
import hashlib
import importlib.util
import inspect
import json
import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pytest_like
from references import Fault, Module, Pipe, Reference, State

del sys.path[0]
FAULTS = (Fault, pytest_like.Unserved)
ASKED = "/box/guerdon_units.json"


def functions(tests, name):
    """The one test of that name, as a function that raises where it fails."""
    parts = name.split(".")
    if len(parts) == 1:
        return alone(tests.__dict__[name])
    kind = tests.__dict__[parts[0]]
    if not issubclass(kind, unittest.TestCase):
        each = kind()
        before, after = getattr(each, "setup_method", None), getattr(each, "teardown_method", None)
        return lambda: around(before, alone(getattr(each, parts[1])), after)
    return lambda: cased(kind(parts[1]))


def around(before, test, after):
    """A test between what its class does before and after."""
    if before:
        before(*[None] * len(inspect.signature(before).parameters))
    try:
        test()
    finally:
        if after:
            after(*[None] * len(inspect.signature(after).parameters))


def alone(function):
    """A test function with each of its rows."""
    rows = getattr(function, "rows", [{}])

    def test():
        for row in rows:
            missing = [n for n in inspect.signature(function).parameters if n not in row]
            if missing:
                raise Fault(f"{function.__name__} asks for {', '.join(missing)}, and fixtures are not served")
            value = function(**row)
            if inspect.iscoroutine(value):
                import asyncio

                asyncio.run(value)

    return test


def cased(case):
    """A test of a TestCase, as a function that raises where it fails."""
    result = unittest.TestResult()
    unittest.TestSuite([case]).run(result)  # with the setUpClass of its class
    for _, text in (*result.errors, *result.failures):
        last = text.strip().splitlines()[-1]
        raise (AssertionError if result.failures or last.startswith("AssertionError") else RuntimeError)(last)
    if result.testsRun != 1 or result.skipped or result.expectedFailures or result.unexpectedSuccesses:
        raise AssertionError("it was skipped, or was expected to fail")


def judged(tests, name):
    """The outcome of a test, and why."""
    try:
        functions(tests, name)()
    except AssertionError as error:
        return "failed", f"AssertionError: {error}" if str(error) else "an assertion failed"
    except MemoryError:
        return "memory", "MemoryError"
    except FAULTS:
        raise
    except BaseException as error:
        return "error", f"{type(error).__name__}: {error}"
    return "passed", ""


class Sealed:
    """Reports on descriptor 3, each with a code that only who has the key can make."""

    def __init__(self, key):
        self.key = key

    def say(self, text):
        """Reports one line."""
        code = hashlib.blake2b(text.encode(), key=self.key, digest_size=16).hexdigest()
        os.write(3, f"{code} {text}\n".encode())


def hidden(secret):
    """Closes this process to others of the same user, and looks whether any other holds what it holds.

    The first process of a sandbox has the same user and cannot be closed from here. It may have copied the file
    of tests, or hold the descriptor of the answers; where it does and can be read, no program is started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if libc.prctl(3, 0, 0, 0, 0) != 0:  # PR_GET_DUMPABLE
        raise Fault("the process of the tests cannot be hidden from the program on this system")
    answers = os.readlink("/proc/self/fd/3")
    samples = [secret[at : at + 24] for at in range(0, len(secret) - 23, max(24, len(secret) // 64))]
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid() and (holds(name, answers) or remembers(name, samples)):
            raise Fault("another process of the sandbox can be read by the program, and holds what is hidden from it")


def holds(process, link):
    """Whether a process has a descriptor of that pipe that can be opened from here."""
    try:
        return any(os.readlink(f"/proc/{process}/fd/{number}") == link for number in os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return False


def remembers(process, samples):
    """Whether one of the samples is in memory of a process that can be read from here."""
    try:
        with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
            for line in maps:
                place, rights = line.split(" ", 2)[:2]
                first, last = (int(part, 16) for part in place.split("-"))
                if rights.startswith("rw"):
                    memory.seek(first)
                    text = memory.read(last - first) or b""
                    if any(sample in text for sample in samples):
                        return True
    except (OSError, OverflowError):
        return False
    return False


def load(asked, tests, root):
    """Runs the test file; the program's names that it uses without importing them are there already."""
    tree = ast.parse(asked["text"])
    try:
        code = compile(asked["text"], asked["file"], "exec")
    except SyntaxError as error:
        raise Fault(f"it is not Python: {error}") from None
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for name in State.pipe.ask(do="names")["ok"]:
        if name in used and name not in vars(builtins) and not name.startswith("_"):
            tests.__dict__[name] = getattr(root, name)
    for name in imported(tree):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise Fault(f"it imports {name}, which is not in the sandbox")
    exec(code, tests.__dict__)


def imported(tree):
    """The modules that the file cannot do without; looked at before anything of the program is called."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0] or "a package of its own"
        elif not isinstance(node, (ast.Try, ast.If, ast.With)):  # which may be there for where a module is not
            left.extend(ast.iter_child_nodes(node))


def main():
    """Reads the file of tests, hides, and runs them."""
    with open(ASKED, "rb") as file:
        secret = file.read()
    os.unlink(ASKED)
    asked = json.loads(secret)
    report = Sealed(bytes.fromhex(asked["key"]))
    try:
        hidden(secret)
        report.say('{"begun": true}')
        run(asked, report)
    except FAULTS as fault:
        report.say(json.dumps({"fault": str(fault)}))
    os._exit(0)


def run(asked, report):
    """Starts the program, loads the tests, and reports each."""
    os.set_inheritable(3, False)
    State.pipe = Pipe()
    try:
        first = State.pipe.read()
    except EOFError:
        return
    if "load" in first:
        report.say(json.dumps({"load": str(first["load"])[:500], "memory": first.get("memory") is True}))
        return
    report.say('{"loaded": true}')
    root = State.pipe.refs[0] = Reference(0, False)
    stem = asked["file"].rsplit("/", 1)[-1].removesuffix(".py")
    tests = types.ModuleType(stem if stem.isidentifier() else "tests")
    tests.__file__ = asked["file"]
    sys.modules[tests.__name__] = tests
    for name in {stem.removeprefix("test_").removesuffix("_test"), "solution", "main", "program", "candidate"}:
        if name not in sys.stdlib_module_names:
            sys.modules[name] = Module(name)
    sys.modules["pytest"] = pytest_like
    State.tests = tests.__name__
    whole = asked["names"] == [asked["file"]]
    try:
        load(asked, tests, root)
        early = ("passed", "")
    except AssertionError as error:
        early = ("failed", f"AssertionError: {error}" if str(error) else "an assertion failed")
    except MemoryError:
        early = ("memory", "MemoryError")
    except FAULTS:
        raise
    except BaseException as error:
        early = ("error", f"{type(error).__name__}: {error}")
    for i, name in enumerate(asked["names"]):
        outcome, why = early if whole or early[0] != "passed" else judged(tests, name)
        if State.faults:
            raise Fault(State.faults[0])
        if State.pipe.ended and i:
            return  # it is asked again, by itself
        if State.pipe.ended and outcome != "memory":  # whatever a test that catches everything makes of it
            outcome, why = "error", "the program ended before it answered"
        reply = json.dumps({"outcome": outcome, "why": why[:500]})
        report.say(f'{{"i": {i}, ' + reply[1:])
        if State.pipe.ended:
            return


if __name__ == "__main__":
    main()
