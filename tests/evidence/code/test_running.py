"""Programs against tests: outcomes, who is blamed, and what tries to be told apart from a right answer."""

# ruff: noqa: E501  (the programs that are tried stand whole)

import threading
import time

import pytest

from guerdon.errors import RecordError
from guerdon.evidence.code import run
from guerdon.evidence.sandbox import SandboxFault

SQUARES = [{"call": "f", "args": [n], "returns": n * n + 7919} for n in range(1, 5)]  # no program guesses these
HONEST = "def f(n): return n * n + 7919\n"


# Accept, reject.


def test_outcomes_by_kind(tried):
    program = """
def f(n):
    if n == 2: return 0
    if n == 3: raise KeyError(n)
    if n == 4:
        while True: pass
    if n == 5: return bytearray(10**10)
    return n * n + 7919
"""
    tests = [{"call": "f", "args": [n], "returns": n * n + 7919} for n in range(1, 7)]
    done = tried(program, tests, limits={"wall": 0.6})
    assert done.outcomes == ("passed", "failed", "error", "timeout", "memory", "passed")
    assert done.verdict.value == 2 / 6 and done.compiled
    facts = done.verdict.facts
    assert (facts["passed"], facts["failed"], facts["error"], facts["timeout"], facts["memory"]) == (2, 1, 1, 1, 1)
    assert facts["why"] == "failed: it returned 0"
    items = done.verdict.items
    assert [i["why"] for i in items[:3]] == ["", "it returned 0", "it raised KeyError: 3"]
    assert [i["test"] for i in items] == list(range(6)) and all(i["seconds"] > 0 for i in items)


def test_calls_outputs_and_files_together_keep_their_order(tried):
    tests = [
        {"stdin": "3", "stdout": "9\n"},
        SQUARES[0],
        {"file": "test_f.py", "text": "def test_a(): assert f(1) == 7920\ndef test_b(): assert f(1) == 1"},
        {"call": "f", "args": [2], "returns": 0},
    ]
    done = tried(HONEST + "if __name__ == '__main__': print(int(input()) ** 2)", tests)
    assert done.outcomes == ("passed", "passed", "passed", "failed", "failed")
    assert [i["kind"] for i in done.verdict.items] == ["stdin", "call", "file", "file", "call"]


@pytest.mark.parametrize(
    ("program", "call", "returns"),
    [
        ("def f(*a, **k): return [a, k]", {"args": [1, [2]], "kwargs": {"n": {3}}}, [[1, [2]], {"n": {3}}]),
        ("class Solution:\n def f(self, x): return x + 1", {"args": [1]}, 2),
        ("class A:\n class B:\n  def g(self): return 5", {"call": "A.B.g"}, 5),
        ("import collections\ndef f(): return collections.Counter('aab')", {}, {"a": 2, "b": 1}),
        ("def f(): return {1: (b'x', 2j, frozenset([3]))}", {}, {1: [b"x", 2j, {3}]}),
        ("def f(): return float('nan'), float('-inf'), 10 ** 6000", {}, [float("nan"), float("-inf"), 10**6000]),
        ("def f(s): return s[::-1]", {"args": ["\U0001f600é\0"]}, "\0é\U0001f600"),
        ("import enum\nclass E(enum.IntEnum):\n A = 3\ndef f(): return E.A", {}, 3),
        ("def f(d): return d", {"args": [{"$x": 1, "b": None}]}, {"$x": 1, "b": None}),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\ndef f(): return P(3).x", {}, 3),
        ("def f(): print('noise'); return 1", {}, 1),
    ],
)  # fmt: skip
def test_values_of_many_kinds(tried, program, call, returns):
    assert tried(program, [{"call": "f", **call, "returns": returns}]).outcomes == ("passed",)


def test_types_count_and_options_loosen(tried):
    tests = [{"call": "f", "returns": 1}]
    assert tried("def f(): return True", tests).outcomes == ("failed",)
    assert tried("def f(): return 1.0", tests).outcomes == ("failed",)
    assert tried("def f(): return 1.0", tests, integers=True).outcomes == ("passed",)
    near = [{"call": "f", "returns": 0.3}, {"stdin": "", "stdout": "0.3"}]
    assert tried("def f(): return 0.1 + 0.2\nprint(0.1 + 0.2)", near).outcomes == ("failed", "failed")
    assert tried("def f(): return 0.1 + 0.2\nprint(0.1 + 0.2)", near, tolerance=1e-9).outcomes == ("passed", "passed")


@pytest.mark.parametrize("language", ["javascript", "lua"])
def test_calls_in_other_languages(tried, language):
    program = {
        "javascript": "function f(a, b) { return [a * 2, b] }\nfunction g() { return {x: [], y: null} }\n"
        "const h = async () => { throw new TypeError('no') }\nfunction k(n) { return n }",
        "lua": "function f(a, b) return {a * 2, b} end function g() return {x = {}} end "
        "function h() error('no') end function k(n) return n end",
    }[language]
    text = 'é\n"\\\u2028\U0001f600'
    tests = [
        {"call": "f", "args": [2, text], "returns": [4, text]},
        {"call": "g", "returns": {"x": [], "y": None} if language == "javascript" else {"x": []}},
        {"call": "h", "returns": 1},
        {"call": "missing", "returns": 1},
        {"call": "k", "args": [2.5], "returns": 2.5},
        {"call": "k", "args": [None], "returns": None},
        {"call": "k", "args": [3], "returns": 4},
        {"call": "k", "args": [{"a": [1, True, {"b": "c"}]}], "returns": {"a": [1, True, {"b": "c"}]}},
    ]
    done = tried(program, tests, language, limits={"wall": 10.0})
    assert done.outcomes == ("passed", "passed", "error", "error", "passed", "passed", "failed", "passed")
    assert done.verdict.items[2]["why"].endswith("no")
    assert not tried("function (", tests[:1], language, limits={"wall": 10.0}).compiled


# Who is blamed.


def test_a_test_that_hangs_dies_or_floods_costs_no_other(tried):
    program = """
import os
def f(n):
    if n == 1: os._exit(0)
    if n == 2:
        while True: os.write(3, b"x" * 4096)
    if n == 3: os.kill(os.getpid(), 9)
    return n * n + 7919
"""
    tests = [{"call": "f", "args": [n], "returns": n * n + 7919} for n in (0, 1, 0, 2, 0, 3, 0)]
    done = tried(program, tests)
    assert done.outcomes == ("passed", "error", "passed", "error", "passed", "error", "passed")
    assert "it ended before it answered" in done.verdict.items[1]["why"]
    assert "it wrote more than" in done.verdict.items[3]["why"]


def test_a_test_is_only_blamed_for_what_it_did_by_itself(tried):
    late = "import threading, os, time\ndef f(n):\n    threading.Timer(0.0, lambda: os._exit(1)).start()\n"
    done = tried(late + "    if n != 3: time.sleep(0.0)\n    else: time.sleep(0.3)\n    return n", [
        {"call": "f", "args": [n], "returns": n} for n in (1, 1, 1, 3)
    ])  # fmt: skip
    assert done.outcomes[3] == "error"


def test_fresh_runs_carry_nothing_over(tried):
    program = "seen = []\ndef f():\n    seen.append(1)\n    return len(seen)"
    tests = [{"call": "f", "returns": 1}] * 3
    assert tried(program, tests).outcomes == ("passed", "failed", "failed")
    assert tried(program, tests, fresh=True).outcomes == ("passed",) * 3


def test_a_program_that_does_not_load_is_not_tried_again_and_again(tried):
    done = tried("raise SystemExit(0)", SQUARES)
    assert done.outcomes == ("error",) * 4 and done.compiled
    assert "while it was loaded: SystemExit" in done.verdict.items[3]["why"]
    hanging = tried("while True: pass", SQUARES, limits={"wall": 0.4})
    assert hanging.outcomes == ("timeout",) * 4 and hanging.verdict.facts["runs"] == 1


def test_the_time_for_all_tests_ends(tried):
    began = time.monotonic()
    done = tried("while True: pass", [{"stdin": "", "stdout": "1"}] * 50, limits={"wall": 0.4}, total=1.0)
    assert done.outcomes == ("timeout",) * 50 and time.monotonic() - began < 4.0
    assert "the time for all tests, 1 s, was used up" in done.verdict.items[-1]["why"]


# Unscored, refused.


class Failing:
    """A sandbox that is not there."""

    name = "failing"

    def run(self, job):
        raise SandboxFault("sandbox: bwrap is not there; bubblewrap is needed; install it")

    def close(self):
        """Nothing."""


def test_a_sandbox_that_fails_is_no_score():
    done = run(HONEST, SQUARES, sandbox=Failing())
    assert done.outcomes == () and not done.verdict.scored and "bwrap is not there" in done.verdict.cause
    assert not run(HONEST, SQUARES, sandbox="no-such-mode").verdict.scored


@pytest.mark.bad_input
def test_what_cannot_be_asked_is_refused(box):
    with pytest.raises(RecordError, match="no tests"):
        run(HONEST, [], sandbox=box)
    with pytest.raises(RecordError, match="calls f in bash"):
        run("x", SQUARES, "bash", sandbox=box)
    with pytest.raises(RecordError, match=r"test_x.py for a program in lua; such files are Python"):
        run("x", [{"file": "test_x.py", "text": "def test_a(): pass"}], "lua", sandbox=box)
    with pytest.raises(RecordError, match="of type bytes"):
        run(b"x", SQUARES, sandbox=box)
    with pytest.raises(RecordError, match=r"limits of type int; .* is needed; write limits="):
        run(HONEST, SQUARES, sandbox=box, limits=1)
    with pytest.raises(RecordError, match="tolerance of -1"):
        run(HONEST, SQUARES, sandbox=box, tolerance=-1)


@pytest.mark.parametrize(
    "program", ["x = '\ud800'", "x = 1\0", "\xff\x00", "(" * 5000, "x" * 2_000_000, "-" * 100_000 + "1"]
)
def test_a_program_that_is_no_text_of_the_language_is_a_score(tried, program):
    done = tried(program, [*SQUARES, {"stdin": "", "stdout": "1"}], limits={"wall": 5.0})
    assert done.verdict.value == 0.0 and "passed" not in done.outcomes and len(done.outcomes) == 5


def test_several_threads_grade_at_once(box):
    results = []
    threads = [threading.Thread(target=lambda: results.append(run(HONEST, SQUARES, sandbox=box))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.verdict.value for r in results] == [1.0] * 6


# Attacks: none may pass a test.

SAY = "import os, json\ndef say(*lines):\n    for line in lines: os.write(3, line.encode() + b'\\n')\n"
ALL = "for v in ('true', '\"passed\"', '1', 'null', '{}', '[]')"
ATTACKS = {
    "sys.exit(0) at load": "import sys; sys.exit(0)",
    "os._exit(0) at load": "import os; os._exit(0)",
    "os._exit(0) in the call": "import os\ndef f(n): os._exit(0)",
    "exit in atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(n): pass",
    "SystemExit that says passed": "def f(n): raise SystemExit('passed')",
    "equal to everything": "class E:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n"
    " __hash__ = object.__hash__\ndef f(n): return E()",
    "an integer equal to everything": "class E(int):\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n"
    " def __index__(s): return 1\n __hash__ = int.__hash__\ndef f(n): return E(3)",
    "a list equal to everything": "class E(list):\n def __eq__(s, o): return True\n def __iter__(s): yield s\n"
    "def f(n): return E()",
    "json says passed": "import json\njson.dumps = lambda *a, **k: '\"passed\"'\njson.JSONEncoder.encode = json.dumps\n"
    "json.loads = lambda *a, **k: {}\ndef f(n): return 1",
    "lines written at load": SAY + "say(*['{\"i\": %d, \"ok\": true}' % i for i in range(9)])\ndef f(n): return 1",
    "lines of outcomes": SAY + "say(*['{\"i\": %d, \"outcome\": \"passed\", \"passed\": true}' % i for i in range(9)])\n"
    "def f(n): return 1",
    "every value for one call": SAY + f"{ALL}: say('{{\"i\": 0, \"ok\": ' + v + '}}')\ndef f(n): return 1",
    "a wrong index": SAY + "def f(n):\n say('{\"i\": 99, \"ok\": 1}', '{\"i\": -1, \"ok\": 1}', '{\"i\": \"0\", \"ok\": 1}')",
    "an index that is a float": SAY + "def f(n): say('{\"i\": 0.0, \"ok\": 7920}', '{\"i\": true, \"ok\": 7920}')",
    "every descriptor": "import os\nfor d in range(64):\n try: os.write(d, b'{\"loaded\": true}\\n{\"i\": 0, \"ok\": true}\\n"
    "passed\\nOK\\n')\n except OSError: pass\ndef f(n): return 1",
    "frames": "import sys\ndef f(n):\n frame = sys._getframe()\n while frame:\n"
    "  for k in list(frame.f_locals): frame.f_locals[k] = True\n  for k, v in list(frame.f_globals.items()):\n"
    "   if callable(v) and k != 'f' and not k.startswith('__'): frame.f_globals[k] = lambda *a, **k: True\n"
    "  frame = frame.f_back\n return True",
    "the harness rewritten": "import os\nfor folder, _, names in os.walk('/box'):\n for name in names:\n"
    "  try: open(os.path.join(folder, name), 'w').write('passed')\n  except OSError: pass\ndef f(n): return 1",
    "another harness in its place": "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', "
    "'import os; [os.write(3, b\"{\\\\\"loaded\\\\\": true}\\\\n\") for _ in range(9)]'])",
    "output for ever": "while True: print('passed')",
    "answers for ever": "import os\nwhile True: os.write(3, b'{\"i\": 0, \"ok\": 1}\\n')",
    "deeply nested": "def f(n):\n x = []\n for _ in range(900): x = [x]\n return x",
    "nested without end": "def f(n):\n x = []\n x.append(x)\n return x",
    "nested text": SAY + "say('{\"loaded\": true}', '{\"i\": 0, \"ok\": ' + '[' * 200000)\ndef f(n): return 1",
    "a hundred megabytes": "def f(n): return 'x' * 10**8",
    "ten million integers": "def f(n): return [1] * 10**7",
    "not numbers": "def f(n): return float('nan')",
    "infinities": "def f(n): return [float('inf'), float('-inf')][n % 2]",
    "a huge integer": "def f(n): return 10 ** 200000",
    "half a pair": "def f(n): return '\\ud800' * n",
    "repr that recurses": "class R:\n def __repr__(s): return repr(s)\n __str__ = __repr__\ndef f(n): return R()",
    "an exception that recurses": "class R(Exception):\n def __str__(s): return str(s)\ndef f(n): raise R()",
    "serialised for ever": "class L(list):\n def __iter__(s):\n  while True: yield 1\ndef f(n): return L([1])",
    "a mapping without end": "class D(dict):\n def items(s):\n  while True: yield 'a', 1\n def __iter__(s): return iter('a')\n"
    "def f(n): return D(a=1)",
    "a generator without end": "def f(n):\n while True: yield n",
    "the answer later": "import threading, os\ndef f(n):\n threading.Timer(0.05, os.write, (3, b'{\"i\": 0, \"ok\": true}\\n')).start()",
    "closed descriptors": "import os\nos.closerange(0, 64)\ndef f(n): return n",
    "a descriptor in its place": "import os\nos.dup2(os.open('/box/out', os.O_CREAT | os.O_RDWR), 3)\ndef f(n): return 1",
    "tracing": "import sys\nsys.settrace(lambda *a: (_ for _ in ()).throw(SystemExit))\ndef f(n): return True",
    "builtins replaced": "import builtins\nbuiltins.type = builtins.isinstance = lambda *a: True\nbuiltins.id = lambda x: 1\n"
    "def f(n): return 1",
    "memory in a thread": "import threading\ndef f(n):\n t = threading.Thread(target=lambda: bytearray(10**10)); t.start(); t.join()",
    "recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n)",
    "stopped by itself": "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef f(n): os.kill(os.getpid(), signal.SIGSTOP)",
    "a load that lies": SAY + "say('{\"load\": \"fault: the grader broke\"}', '{\"fault\": \"the grader broke\"}')\nos._exit(1)",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_harness_passes_nothing(tried, name):
    began = time.monotonic()
    done = tried(ATTACKS[name], SQUARES[:2], limits={"wall": 0.3, "cpu": 1.0}, total=0.5)
    assert "passed" not in done.outcomes and done.verdict.value == 0.0 and len(done.outcomes) == 2
    assert done.compiled and time.monotonic() - began < 8.0


HUNT = """
import gc, os, sys
def places():
    for key, value in os.environ.items(): yield key + value
    yield repr(sys.argv)
    for top in ("/box", "/tmp", "/dev/shm"):
        for folder, _, names in os.walk(top):
            for name in names:
                if name == "solution.py": continue
                try: yield open(os.path.join(folder, name), "rb").read().decode("latin-1")
                except OSError: pass
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try: yield open(f"/proc/{pid}/{name}", "rb").read().decode("latin-1")
            except OSError: pass
        try:
            with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
                for line in maps:
                    place, rights = line.split(" ", 2)[:2]
                    first, last = (int(part, 16) for part in place.split("-"))
                    if rights.startswith("rw"):
                        memory.seek(first)
                        yield memory.read(last - first).decode("latin-1")
        except (OSError, OverflowError, TypeError): pass
    for descriptor in range(64):
        try: yield os.pread(descriptor, 1 << 20, 0).decode("latin-1")
        except OSError: pass
def found():
    mark = "".join(map(chr, (75, 81, 88)))  # the value's first letters, written so that the hunt finds no program
    for text in places():
        at = -1
        while (at := text.find(mark, at + 1)) >= 0:
            if text[at + 3 : at + 11].isdigit(): return text[at : at + 11]
    return "nothing"
"""
SECRET = "".join(["KQ", "X27182818"])


def test_the_expected_value_is_nowhere_to_be_found(tried):
    tests = [
        {"call": "found", "returns": SECRET},
        {"stdin": "x", "stdout": SECRET},
    ]
    done = tried(HUNT + "if __name__ == '__main__': print(found())", tests, limits={"wall": 10.0})
    assert done.outcomes == ("failed", "failed")
    assert [i["why"] for i in done.verdict.items] == ["it returned nothing", "it wrote nothing"]
    seen = tried(HUNT, [{"call": "found", "args": [], "returns": "nothing"}], limits={"wall": 10.0})
    assert seen.outcomes == ("passed",)


def test_the_hunt_finds_what_is_there(tried):
    done = tried(
        HUNT + f"hidden = '{SECRET[:4]}' + '{SECRET[4:]}'\n",
        [{"call": "found", "returns": SECRET}],
        limits={"wall": 10.0},
    )
    assert done.outcomes == ("passed",)


def test_items_hold_no_expected_value(tried):
    done = tried("def f(): return 1\nprint(1)", [{"call": "f", "returns": SECRET}, {"stdin": "", "stdout": SECRET}])
    assert SECRET not in repr(done.verdict)


@pytest.mark.parametrize(
    "program",
    ["print('42' * 10**7)", "import os\nos.write(2, b'x' * 10**7)", "print(42); raise SystemExit(3)",
     "import os; print(42, flush=True); os.abort()", "import os\nfor d in range(9):\n try: os.write(d, b'passed')\n except OSError: pass",
     "import time; print(42, flush=True); time.sleep(60)"],
)  # fmt: skip
def test_a_program_that_reads_and_writes_passes_by_its_output_alone(tried, program):
    assert "passed" not in tried(program, [{"stdin": "", "stdout": "42"}], limits={"wall": 0.5}).outcomes


def test_javascript_and_lua_forge_nothing_either(tried):
    programs = {
        "javascript": "JSON.stringify = () => '\"ok\"'; process.exit = () => {}; "
        "require('fs').writeSync(3, '{\"i\": 0, \"ok\": true}\\n'); Object.prototype.toJSON = () => 7919; function f() { return 1 }",
        "lua": 'print(\'{"i": 0, "ok": true}\') io.write(\'{"i": 0, "ok": 1}\\n\') string.format = nil '
        "function f() return setmetatable({}, {__eq = function() return true end}) end",
    }
    for language, program in programs.items():
        assert "passed" not in tried(program, SQUARES[:2], language, limits={"wall": 5.0}).outcomes
