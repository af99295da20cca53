"""A program that is run as the main one finds what it is used to."""

import pytest


@pytest.mark.parametrize(
    "program",
    [
        "print(1)\nexit()\nprint(2)",
        "print(1)\nquit(0)",
        "if __name__ == '__main__': print(1)",
        "import sys\nprint(len(sys.argv))",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int'\nprint(A(1).x)",
        "import pickle\nclass A: x = 1\nprint(pickle.loads(pickle.dumps(A())).x)",
        "x = 1\ndef f(): return globals()['x']\nprint(f())",
        "from __future__ import annotations\nprint(1)",
        "'a docstring'\nprint(1 if __doc__ == 'a docstring' else 0)",
        "import threading\nt = threading.Thread(target=print, args=(1,))\nt.start()",
        "import sys\nprint(sys.stdin.read() or 1)",
    ],
)
def test_it_runs_as_by_itself(tried, program):
    assert tried(program, [{"stdin": "", "stdout": "1\n"}]).outcomes == ("passed",)


@pytest.mark.parametrize("name", ["sys", "builtins", "file"])
def test_nothing_is_there_that_was_not_imported(tried, name):
    done = tried(f"print({name})", [{"stdin": "", "stdout": ""}])
    assert done.outcomes == ("error",) and "NameError" in done.verdict.items[0]["why"]


def test_exit_is_there_in_calls_and_unit_tests_too(tried):
    tests = [{"call": "f", "returns": 1}, {"file": "test_f.py", "text": "def test_a(): assert f() == 1"}]
    program = "def f():\n    try: exit(3)\n    except SystemExit as end: return end.code - 2\n"
    assert tried(program, tests, limits={"wall": 5.0}).outcomes == ("passed", "passed")
