"""A program that is run as the main one finds what it is used to."""

# ruff: noqa: E501  (the programs that are tried stand whole)

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


# Attacks: what is not the output is no output.


@pytest.mark.parametrize(
    "program",
    ["print('7920\\r7923')", "print('7920\\0')", "print('7920\\n7923')", "print('x\\n7920')", "print('\\x1b[31m7920')", "print('7920', end='\\f\\n.')",
     "import os\nos.write(1, b'7920\\xed\\xa0\\x80')", "import os\nos.write(1, bytes(range(256)) * 100)", "import sys; sys.stderr.write('7920')",
     "import os\nprint('7920', end='')\nos._exit(0)", "print(7920); import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
     "import os\nos.kill(os.getpid(), 19)", "import os\nos.execv('/bin/cat', ['cat', '/proc/self/cmdline'])", "print(7920)\n1 / 0", "print(7920); raise SystemExit(1)",
     "import sys\nsys.stdout = None\nprint(7920)", "", "open('/dev/stdout', 'w').write('7920') and print('!')"],
)  # fmt: skip
def test_what_is_written_otherwise_passes_nothing(tried, program):
    done = tried(program, [{"stdin": "1\n", "stdout": "7920\n"}], limits={"wall": 0.5})
    assert done.outcomes[0] in ("failed", "error", "timeout")


def test_a_run_finds_nothing_of_the_one_before(tried):
    program = (
        "import os, sys\nn = len(os.listdir('/box')) + len(os.listdir('/tmp'))\nprint(n, sys.stdin.read())\n"
        "for p in ('json.py', 'left', 'solution.py', 'guerdon_main.py'): open('/box/' + p, 'w').write('print(0)')"
    )
    done = tried(program, [{"stdin": str(n), "stdout": f"4 {n}"} for n in range(3)])
    assert done.outcomes == ("passed",) * 3
