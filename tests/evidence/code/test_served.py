"""What unit-test files need and the harness cannot serve, found by reading them."""

import ast

import pytest

from guerdon.evidence.code import run
from guerdon.evidence.code.served import is_guard, modules, run_nodes, unserved

CASE = "import unittest\nclass T(unittest.TestCase):\n def test_a(self):\n  "
UNSERVED = {
    "import pytest\ndef test_a(): pytest.xfail('no')": "pytest.xfail",
    "import pytest as pt\n@pt.mark.xfail\ndef test_a(): assert f(1) == 2": "pytest.mark.xfail",
    "from pytest import mark\n@mark.skip\ndef test_a(): assert f(1) == 1": "pytest.mark.skip",
    "import pytest\n@pytest.mark.parametrize('a', [pytest.param(1)])\ndef test_a(a): assert f(a)": "pytest.param",
    "import pytest\ndef test_a():\n with pytest.warns(UserWarning): f(1)": "pytest.warns",
    "import pytest\ndef test_a():\n if f(1): pytest.skip()": "pytest.skip",
    "import pytest\ndef test_a():\n with pytest.raises(E) as e: f(1)\n e.traceback": "traceback",
    "import pytest\ndef test_a():\n with pytest.raises(E, check=len): f(1)": "pytest.raises check",
    "def setup_module(module): pass\ndef test_a(): assert f(1)": "setup_module",
    "def setup_function(): pass\ndef test_a(): assert f(1)": "setup_function",
    "class TestA:\n @classmethod\n def setup_class(cls): pass\n def test_a(self): assert f(1)": "setup_class",
    CASE + "self.skipTest('no')": "skipTest",
    CASE + "raise unittest.SkipTest": "unittest.SkipTest",
    CASE + "with self.assertWarns(UserWarning): f(1)": "assertWarns",
    CASE + "with self.assertLogs(): f(1)": "assertLogs",
    "from unittest import skip\n@skip\ndef test_a(): assert f(1)": "unittest.skip",
    CASE + "pass\n @unittest.expectedFailure\n def test_b(self): f(1)": "unittest.expectedFailure",
    "from x import A\nclass B(A): pass\ndef test_a(): assert B().go()": "class B derives from A of the program",
    "import x\ndef test_a():\n class B(x.A): pass\n assert B().go()": "class B derives from x.A of the program",
    "class B(A): pass\ndef test_a(): assert B().go()": "class B derives from A of the program",
    "from contextlib import redirect_stdout\ndef test_a():\n with redirect_stdout(b): f(1)": "redirect_stdout",
    "import contextlib as c\ndef test_a():\n with c.redirect_stderr(b): f(1)": "redirect_stderr",
    "import sys\ndef test_a():\n sys.stdin = b\n f(1)": "it sets sys.stdin",
    "from unittest.mock import patch\ndef test_a():\n with patch('sys.stdout'): f(1)": "it patches sys.stdout",
    "from unittest import mock\nimport time\n@mock.patch.object(time, 'sleep')\ndef test_a(s): f(1)": "patches time",
    "import asyncio\ndef test_a(): assert asyncio.run(f(1)) == 4": "awaits f(1)",
    "import asyncio\ndef test_a(): assert asyncio.run(asyncio.gather(*[f(n) for n in (1, 2)]))": "awaits",
    "async def test_a(): assert await f(1) == 4": "awaits f(1)",
    "async def test_a():\n async with A() as a: pass": "awaits A()",
    "from .x import f\ndef test_a(): assert f(1)": "imports from .x, and is part of no package",
    "def test_a():\n from . import x\n assert x.f(1)": "imports from ., and is part of no package",
    "from x import f\ndef test_a(): assert f(two) == 4": "the name two",
    "def test_a():\n with pytest.raises(ValueError): f(1)": "the name pytest",
    "def test_a(): assert issubclass(A, B)": "issubclass",
    "import inspect\ndef test_a(): assert inspect.signature(f)": "inspect.signature",
    "def test_a(): assert f.__doc__": "__doc__",
    "def test_a(): assert type(g()) is A": "isinstance is",
    "def test_a():\n try: f(1)\n except ValueError as e: assert g(e)": "the exception e",
    "from collections import deque\ndef test_a(): assert f(1) == deque([1])": "a collections.deque",
    "def test_a(): assert f(1)\nnonlocal x": "not Python",
}


@pytest.mark.parametrize("text", UNSERVED)
def test_what_cannot_be_served_is_named(text):
    why = unserved("test_x.py", text)
    assert why is not None and UNSERVED[text] in why and "\n" not in why


def test_what_cannot_be_served_is_unscored_before_anything_is_run(box):
    text = next(iter(UNSERVED))
    for program in ("def f(n): return n", "def f(:", "import os\nos._exit(0)", "while True: pass"):  # none can choose
        done = run(program, [{"call": "f", "returns": 1}, {"file": "test_x.py", "text": text}], sandbox=box)
        assert (
            done.outcomes == ()
            and not done.verdict.scored
            and done.verdict.cause
            == (
                "run: the unit-test file test_x.py: it uses pytest.xfail, which is not served; "
                "mend the file, or leave that test out"
            )
        )


SERVED = [
    "def test_a(): assert f(two) == 4",  # the program's to provide: the file imports nothing of it
    "from x import *\ndef test_a(): assert f(two) == 4",
    "from x import f\ndef test_a():\n global K\n K = 2\ndef test_b(): assert f(K) == [K for _ in 'a'] and __file__",
    "from x import f\nfrom math import *\ndef test_a(): assert f(pi)",
    "from x import f\ndef test_a():\n if (y := f(1)): assert y\n def g(*a, **k): return a, k\n assert g(lambda v: v)",
    "from x import f\ndef test_a():\n match f(1):\n  case [u, *v]: assert u, v\n  case {'a': w}: assert w",
    "from x import f\nclass A:\n n = 1\n m = n\ntry: pass\nexcept Exception as e: print(e)\ndef test_a(): assert f(1)",
    "import asyncio\nasync def go():\n await asyncio.sleep(0)\n return f(1)\ndef test_a(): assert asyncio.run(go())",
    "import unittest as u\nclass T(u.TestCase):\n def test_a(s): assert f(1)\nif __name__ == '__main__': u.main()",
    "import pytest\ndef test_a(): assert f(1)\nif __name__ == '__main__': pytest.main()",
    "from x import Bad, BadError\nclass Mine(BadError): pass\nclass N: pass\nclass Two(N): pass\ndef test_a(): pass",
    "from unittest.mock import patch\ndef test_a():\n with patch('x.random.randint'), patch('solution.f'): assert f(1)",
    "import x\nfrom unittest import mock\ndef test_a():\n with mock.patch.object(x.random, 'randint'): assert x.f(1)",
    "from collections import deque\ndef test_a():\n q = deque([1])\n assert f(list(q)) == list(deque([1]))",
    "def test_a(): assert type(f(1)) is int and type(f(1)) == type(f(2)) and f.__name__",
    "import unittest\ndef setUpModule(): pass\nclass T(unittest.TestCase):\n def test_a(self): assert f(1)",
    "from datetime import date\nfrom decimal import Decimal\ndef test_a(): assert f(1) == [date(1, 1, 1), Decimal(1)]",
]


@pytest.mark.parametrize("text", SERVED)
def test_what_can_be_served_is_let_through(text):
    assert unserved("test_x.py", text) is None


def test_the_program_is_found_by_the_name_of_the_file():
    assert modules("a/test_stack.py") - {"solution", "main", "program", "candidate"} == {"stack"}
    assert modules("json_test.py") == {"solution", "main", "program", "candidate"}


def test_what_stands_under_the_guard_is_not_run():
    tree = ast.parse("a\nif __name__ == '__main__':\n    b\nif c: d")
    assert [n.id for n in run_nodes(tree) if isinstance(n, ast.Name)] == ["a", "c", "d"]
    assert [is_guard(n) for n in tree.body] == [False, True, False]
