"""Unit-test files: the tests run beside the program, in a process that it cannot reach."""

# ruff: noqa: E501  (the programs that are tried stand whole)

import time

import pytest

FILE = """
import unittest
import pytest
from x import Bad, Stack, double

def test_plain():
    assert double(2) == 4

def test_wrong():
    assert double(2) == 5, "no"

def test_raises():
    with pytest.raises(Bad, match="empty") as seen:
        Stack().pop()
    assert str(seen.value) == "it is empty" and seen.value.depth == 0

@pytest.mark.parametrize("n, wanted", [(1, 2), (0.5, 1.0), ("a", "aa")])
def test_rows(n, wanted):
    assert double(n) == wanted

def test_breaks():
    double(1, 2, 3)

async def test_awaited():
    assert double(1) == 2

class TestStack(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.ready = True
    def setUp(self): self.stack = Stack()
    def test_push(self):
        self.stack.push(3)
        self.assertEqual(len(self.stack), 1)
        self.assertEqual(self.stack.pop(), 3)
        self.assertTrue(self.ready)
    def test_bad(self): self.assertRaises(Bad, self.stack.pop)
    def test_fails(self): self.assertEqual(double(1), 3)
    def test_errs(self): double()

class TestPlain:
    def setup_method(self): self.n = 2
    def test_n(self): assert double(self.n) == 4
"""
PROGRAM = '''
class Bad(Exception):
    depth = 0
    def __init__(self, depth): self.depth = depth
    def __str__(self): return "it is empty"
class Stack:
    def __init__(self): self.items = []
    def push(self, item): self.items.append(item)
    def pop(self):
        if not self.items: raise Bad(0)
        return self.items.pop()
    def __len__(self): return len(self.items)
def double(n): return n * 2
'''  # fmt: skip


def test_each_test_function_is_a_test(tried):
    done = tried(PROGRAM, [{"file": "test_x.py", "text": FILE}], limits={"wall": 10.0})
    got = {item["name"]: item["outcome"] for item in done.verdict.items}
    assert got == {
        "test_plain": "passed", "test_wrong": "failed", "test_raises": "passed", "test_rows": "passed",
        "test_breaks": "error", "test_awaited": "passed", "TestStack.test_push": "passed",
        "TestStack.test_bad": "passed", "TestStack.test_fails": "failed", "TestStack.test_errs": "error",
        "TestPlain.test_n": "passed",
    }  # fmt: skip
    assert done.verdict.items[1]["why"].startswith("AssertionError: no")


@pytest.mark.parametrize(("text", "outcome"), [
    ("assert f(2) == 4\nassert f(0) == 0", "passed"),
    ("assert f(2) == 4\nassert f(0) == 1", "failed"),
    ("assert missing(2) == 4", "error"),
    ("from solution import missing\nassert missing(1)", "error"),
    ("import solution\nassert solution.f(1) == 2", "passed"),
    ("from solution import *\nassert f(1) == 2", "passed"),
    ("def test_a(): assert f(1) == 2\nraise ValueError('in the file')", "error"),
])  # fmt: skip
def test_a_file_of_plain_asserts_is_one_test(tried, text, outcome):
    assert tried("def f(n): return n * 2", [{"file": "test_f.py", "text": text}]).outcomes == (outcome,)


def test_endings_are_told_apart_and_cost_no_other(tried):
    program = """
import os
def f(n):
    if n == 1: os._exit(0)
    if n == 2:
        while True: pass
    if n == 3: return bytearray(10**11)
    if n == 4: raise SystemExit
    return n
"""
    text = "\n".join(f"def test_{k}(): assert f({n}) == {n}" for k, n in enumerate((0, 1, 0, 2, 0, 3, 0, 4, 0)))
    done = tried(program, [{"file": "test_f.py", "text": text}], limits={"wall": 1.0})
    ok = "passed"
    assert done.outcomes == (ok, "error", ok, "timeout", ok, "memory", ok, "error", ok)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import numpy_of_the_host\ndef test_a(): pass", "it imports numpy_of_the_host, which is not in the sandbox"),
        ("def test_a(tmp_path): pass", "test_a asks for tmp_path, and fixtures are not served"),
        ("def test_a(): assert f(1)\nreturn 2", "it is not Python: 'return' outside function"),
        ("class A: pass\ndef test_a(): f(A)", "the class A, which cannot be sent"),
        (
            "import sys, unittest\nclass T(unittest.TestCase):\n def test_a(self): f(sys)",
            "a module, which cannot be sent",
        ),
    ],
)
def test_what_the_file_asks_in_vain_is_no_fault_of_the_program(box, text, says):
    from guerdon.evidence.code import run

    done = run("def f(x): return x", [{"file": "test_f.py", "text": text}], sandbox=box)
    assert not done.verdict.scored and says in done.verdict.cause


def test_a_program_that_does_not_parse_or_load(tried):
    tests = [{"file": "test_f.py", "text": "def test_a(): pass\ndef test_b(): pass"}]
    broken = tried("def f(:", tests)
    assert broken.outcomes == ("error", "error") and not broken.compiled
    ended = tried("import os; os._exit(0)", tests)
    assert ended.outcomes == ("error", "error") and ended.compiled


# Attacks.

SECRET = "KQ" + "X31415926"
GUARDED = f"def test_a(): assert f(1) == '{SECRET}'\ndef test_b(): assert not f(2) != '{SECRET}'"
HOSTILE = {
    "equal to everything": "class E:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n"
    " __hash__ = object.__hash__\ndef f(n): return E()",
    "a text equal to everything": "class E(str):\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n"
    " __hash__ = str.__hash__\ndef f(n): return E('x')",
    "exit at load": "import os\nos._exit(0)",
    "exit in the call": "import os\ndef f(n): os._exit(0)",
    "forged reports": "import os\nfor d in range(3, 64):\n try: os.write(d, (b'0' * 32 + b' {\"loaded\": true}\\n{\"i\": 0, "
    "\"outcome\": \"passed\"}\\n') * 3)\n except OSError: pass\ndef f(n): return 1",
    "other processes' descriptors": "import os\nfor p in filter(str.isdigit, os.listdir('/proc')):\n for d in range(16):\n"
    "  try:\n   with open(f'/proc/{p}/fd/{d}', 'wb', 0) as o: o.write(b'{\"i\": 0, \"outcome\": \"passed\"}\\n')\n"
    "  except OSError: pass\ndef f(n): return 1",
    "the tests' process killed": "import os, signal\ndef f(n): os.kill(os.getppid(), signal.SIGKILL)",
    "the tests' process interrupted": "import os, signal\ndef f(n): os.kill(os.getppid(), signal.SIGINT); return 1",
    "all killed": "import os, signal\ndef f(n): os.kill(-1, signal.SIGKILL)",
    "unittest replaced": "import unittest, sys\nunittest.TestCase.assertEqual = lambda *a: None\n"
    "sys.modules['pytest'] = None\nclass AssertionError(Exception): pass\ndef f(n): return True",
    "builtins of the tests": "def print(*a): return 1\ndef isinstance(*a): return True\nAssertionError = Exception\n"
    "def f(n): return True",
    "assertion swallowed": "def f(n): raise AssertionError",
    "skipped": "import unittest\ndef f(n): raise unittest.SkipTest('no')",
    "replies ahead": "import sys, os\nframe = sys._getframe(1)\nfor _ in range(50):\n os.write(frame.f_globals['PIPES'][1], "
    "b'{\"ok\": true}\\n')\ndef f(n): return 1",
    "replies that lie": "import sys, os\nP = sys._getframe(1).f_globals['PIPES'][1]\ndef f(n):\n for line in (b'{\"ok\": "
    "{\"$ref\": []}}', b'{\"ok\": {\"$named\": [1, [\"a b\"], 3]}}', b'{\"raised\": 3}', b'{\"back\": 0, \"what\": \"get\", "
    "\"args\": [\"__globals__\"], \"kwargs\": {}}', b'{\"ok\": {\"$builtin\": \"eval\"}}', b'[' * 9999): os.write(P, line + b'\\n')",
    "a reply without end": "import sys, os\nP = sys._getframe(1).f_globals['PIPES'][1]\ndef f(n):\n"
    " while True: os.write(P, b'x' * 65536)",
    "asks for ever": "import sys, os\nP = sys._getframe(1).f_globals['PIPES'][1]\ndef f(n):\n"
    " while True: os.write(P, b'{\"back\": 0, \"what\": \"call\", \"args\": [], \"kwargs\": {}}\\n')",
    "the tests' files": "import os\nfor folder, _, names in os.walk('/box'):\n for n in names:\n  try: open(os.path.join("
    "folder, n), 'w').write('def test_a(): pass')\n  except OSError: pass\ndef f(n): return 1",
    "an exception with the secret's class": "class E(Exception):\n def __eq__(s, o): return True\ndef f(n): raise E",
    "a class in place of the function": "class f:\n def __init__(s, *a): pass\n def __eq__(s, o): return True\n"
    " def __ne__(s, o): return False\n __hash__ = object.__hash__",
    "a class that is given a name of one": "class Liar:\n def __init__(s, *a): pass\n def __eq__(s, o): return True\n"
    " def __ne__(s, o): return False\nf = Liar",
    "the tests' process stopped": "import os, signal\ndef f(n): os.kill(os.getppid(), signal.SIGSTOP)",
    "every signal to the tests": "import os\ndef f(n):\n for s in set(range(1, 65)) - {9, 19, 32, 33}: os.kill(os.getppid(), s)",
    "a fork that reports later": "import os, time\nif os.fork() == 0:\n for _ in range(20):\n  for d in range(64):\n"
    "   try: os.write(d, b'{\"ok\": true}\\n{\"loaded\": true}\\n')\n   except OSError: pass\n  time.sleep(0.01)\ndef f(n): return 1",
    "modules and plugins left in the way": "for p in ('unittest.py', 'pytest.py', 'guerdon/json.py', 'conftest.py'):\n"
    " open('/box/' + p, 'w').write('def pytest_pyfunc_call(pyfuncitem): return True')\ndef f(n): return 1",
    "names that the tests use themselves": "import sys\nsys._getframe(1).f_globals['done'] = lambda line: {'ok': ['__name__', "
    "'__builtins__', 'f'] if line['do'] == 'names' else '__main__'}",
    "no end of values": "import itertools\ndef f(n): return itertools.count()",
    "the disk filled": "try:\n for n in range(99): open(f'/box/{n}', 'wb').write(bytes(1 << 20))\nexcept OSError: pass\ndef f(n): pass",
    "an exception of the tests' own": "class E(AssertionError): pass\ndef f(n): raise E",
    "exit without an error": "import sys\ndef f(n): sys.exit(0)",
    "a name of a megabyte": "def f(n): raise type('A' * 10**6, (GeneratorExit,), {})('y' * 10**6)",
    "fault": "import os\nos.write(2, b'{\"fault\": \"the grader\"}')\nraise ModuleNotFoundError('numpy', name='numpy')",
}  # fmt: skip


ENDLESS = {"a reply without end", "asks for ever", "the tests' process stopped", "no end of values"}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_attack_on_the_tests_passes_nothing(tried, name):
    began = time.monotonic()
    wall = 0.4 if name in ENDLESS else 0.9
    limits = {"wall": wall, "memory": 256 << 20}
    done = tried(HOSTILE[name], [{"file": "test_f.py", "text": GUARDED}], limits=limits, total=1.7 * wall)
    assert len(done.outcomes) == 2 and "passed" not in done.outcomes
    assert time.monotonic() - began < 8.0


SPY = '''
import os
def memories():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid(): continue
        for name in ("cmdline", "environ", *(f"fd/{d}" for d in range(20) if d > 2 or pid != "1")):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    os.set_blocking(file.fileno(), False)
                    yield (file.read(1 << 20) or b"").decode("latin-1")
            except OSError: pass
        try:
            with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
                for line in maps:
                    first, last = (int(part, 16) for part in line.split(" ")[0].split("-"))
                    memory.seek(first)
                    try: yield (memory.read(last - first) or b"").decode("latin-1")
                    except OSError: pass
        except (OSError, OverflowError): pass
    for folder, _, names in os.walk("/box"):
        for name in names: yield open(os.path.join(folder, name), "rb").read().decode("latin-1")
mark = "".join(map(chr, (75, 81, 88)))
def f(n):
    for text in memories():
        at = -1
        while (at := text.find(mark, at + 1)) >= 0:
            if text[at + 3 : at + 11].isdigit(): return text[at : at + 11]
    return "nothing"
'''  # fmt: skip


def test_the_expected_value_cannot_be_read_from_the_tests(tried):
    done = tried(SPY, [{"file": "test_f.py", "text": GUARDED}], limits={"wall": 10.0})
    assert done.outcomes == ("failed", "failed")
    blind = "def test_a(): assert f(1) == 'nothing'  # " + SECRET
    assert tried(SPY, [{"file": "test_f.py", "text": blind}], limits={"wall": 10.0}).outcomes == ("passed",)


# A program that is gone has raised nothing, and an object is not equal because it says so.

LEAVES = "import os\ndef f(n): os._exit(0)\nclass F:\n def __init__(s): os._exit(0)"
WAITING = {
    "an exception": "with pytest.raises(Exception): f(1)",
    "any exception": "with pytest.raises(BaseException): f(1)",
    "an error of the pipe": "with pytest.raises((EOFError, OSError, ValueError)): f(1)",
    "a method": "unittest.TestCase().assertRaises(Exception, f, 1)",
    "try": "try: f(1)\n    except Exception: pass",
    "everything caught": "try: f(1)\n    except: pass",
    "a class": "with pytest.raises(Exception): F()",
}


@pytest.mark.parametrize("how", WAITING)
def test_a_program_that_leaves_has_not_raised(tried, how):
    text = f"import pytest, unittest\nfrom solution import *\ndef test_a():\n    {WAITING[how]}\n"
    done = tried(LEAVES, [{"file": "test_f.py", "text": text}])
    assert done.outcomes == ("error",) and done.verdict.items[0]["why"] == "the program ended before it answered"
    raises = "def f(n): raise EOFError\nclass F:\n def __init__(s): raise EOFError"
    assert tried(raises, [{"file": "test_f.py", "text": text}]).outcomes == ("passed",)


@pytest.mark.parametrize(
    "text",
    ["@pytest.fixture\ndef five(): return 5\ndef test_a(five): assert f(five) == 5",
     "@pytest.mark.skipif(False, reason='')\ndef test_a(): assert f(1) == 1", "def test_a(): pytest.skip()",
     "from pytest import MonkeyPatch\ndef test_a(): pass"],
)  # fmt: skip
def test_what_is_not_served_of_pytest_is_no_fault_of_the_program(box, text):
    from guerdon.evidence.code import run

    done = run("def f(x): return x", [{"file": "test_f.py", "text": "import pytest\n" + text}], sandbox=box)
    assert not done.verdict.scored and "it uses pytest." in done.verdict.cause


# A program cannot make a test unscored: what is not served is found in the file before the program is started.

UNSCORING = {
    "skips": "import unittest\ndef f(n): raise unittest.SkipTest",
    "a name that is missing": "def f(n): return missing",
    "a name of the tests' own": "raise NameError('two')",
    "a coroutine": "async def f(n): return 4",
    "a module": "import sys\ndef f(n): return sys",
    "a fault of the harness": "class Fault(BaseException): pass\nclass Unserved(BaseException): pass\ndef f(n): raise Fault",
    "a module that is not there": "import numpy\ndef f(n): return 4",
    "an exception that is kept": "seen = []\ndef f(n):\n raise ValueError",
    "warnings": "import warnings\ndef f(n): raise DeprecationWarning",
    "values of no sense": "import sys, os\nP = sys._getframe(1).f_globals['PIPES'][1]\ndef f(n):\n for parts in "
    "('[]', '1', '[\"eval\", 1]', '[\"Fraction\", \"1\", \"0\"]', '[\"date\", [1]]', '{}'):\n"
    "  os.write(P, b'{\"ok\": {\"$value\": %s}, \"after\": []}\\n' % parts.encode())",
}  # fmt: skip


@pytest.mark.parametrize("name", UNSCORING)
def test_a_program_cannot_make_its_test_unscored(tried, name):
    text = (
        "import pytest, unittest\nfrom solution import *\ndef test_a(): assert f(2) == 4\ndef test_b():\n    keep = []\n"
        "    try: f(2)\n    except Exception as e: keep.append(e)\n    f(keep and keep[0])\n    assert f(2) == 4"
    )
    done = tried(UNSCORING[name], [{"file": "test_f.py", "text": text}])
    assert "passed" not in done.outcomes and done.verdict.value == 0.0


def test_an_import_in_a_test_of_what_is_not_in_the_sandbox(box):
    from guerdon.evidence.code import run

    text = "def test_a():\n    import numpy_of_the_host\n    assert f(1) == 1"
    done = run("def f(x): return x", [{"file": "test_f.py", "text": text}], sandbox=box)
    assert not done.verdict.scored and "it imports numpy_of_the_host" in done.verdict.cause
    spared = "try:\n    import numpy_of_the_host\nexcept ImportError:\n    pass\ndef test_a(): assert f(1) == 1"
    assert run("def f(x): return x", [{"file": "test_f.py", "text": spared}], sandbox=box).outcomes == ("passed",)


def test_awaited_tests_of_a_case_are_run(tried):
    text = (
        "import unittest, asyncio\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n"
        "        await asyncio.sleep(0)\n        self.assertEqual(f(2), 4)\n"
        "    async def test_b(self): self.assertEqual(f(2), 5)"
    )
    done = tried("def f(n): return n * n", [{"file": "test_f.py", "text": text}])
    assert done.outcomes == ("passed", "failed")


def test_marks_that_say_nothing_change_nothing(tried):
    text = "import pytest\n@pytest.mark.slow\n@pytest.mark.level(3)\ndef test_a(): assert f(1) == 1"
    assert tried("def f(x): return x", [{"file": "test_f.py", "text": text}]).outcomes == ("passed",)
