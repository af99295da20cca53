"""What the harness of calls sends is what the library reads: the two ends of one encoding."""

# ruff: noqa: E501  (the programs that are tried stand whole)

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.code import compare
from guerdon.evidence.code.inside import calls, text

plain = st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5) | st.binary(max_size=4)
data = st.recursive(
    plain, lambda d: st.lists(d, max_size=4) | st.dictionaries(st.integers() | st.text(max_size=3), d, max_size=4)
)


@given(data)
def test_both_ends_agree(x):
    there = json.loads(json.dumps(calls.encode(x)))
    here = json.loads(json.dumps(compare.encode(x)))
    assert compare.same(compare.decode(there), compare.decode(json.loads(json.dumps(calls.encode(calls.decode(here))))))


@pytest.mark.parametrize("x", [{1, 2}, (1, {"$set": 1}), {(1, 2): {3}}, 3j, [10**6000, -(10**6000)], bytearray(b"x")])
def test_what_json_has_no_word_for(x):
    assert compare.same(compare.decode(calls.encode(x)), compare.decode(calls.encode(calls.decode(calls.encode(x)))))


@pytest.mark.parametrize("x", [object(), lambda: 0, iter([]), int])
def test_what_is_no_data_is_not_sent(x):
    with pytest.raises(TypeError, match="is no data"):
        calls.encode(x)


def test_what_holds_itself_is_not_sent():
    x = []
    x.append(x)
    with pytest.raises(ValueError, match="holds itself"):
        calls.encode(x)


def test_names_are_found_in_the_program():
    class Solution:
        def f(self):
            return 1

    space = {"g": len, "Solution": Solution}
    assert calls.named(space, "g") is len and calls.named(space, "f")() == 1 == calls.named(space, "Solution.f")()
    with pytest.raises(NameError, match="defines no h"):
        calls.named({"g": len}, "h")


@pytest.mark.parametrize("name", ["calls.py", "calls.js", "calls.lua", "units.py", "references.py", "candidate.py"])
def test_the_files_are_there_to_be_sent(name):
    assert len(text(name)) > 500


# Attacks: the harness is in the program's hands, and it helps the program in nothing.

ATTACKS = {
    "all objects": "import gc\ndef f(n):\n for o in gc.get_objects():\n  if isinstance(o, dict) and 'returns' in o: return o['returns']",
    "another class": "class R:\n __class__ = int\n def __index__(s): return 7920\n def __reduce__(s): return int, (7920,)\ndef f(n): return R()",
    "a text that says a number": "class R(str):\n def __str__(s): return '7920'\n def __len__(s): return 0\ndef f(n): return R('7920')",
    "a number that says another": "class R(int):\n def __repr__(s): return '7920'\n __str__ = __repr__\n def __int__(s): return 7920\ndef f(n): return R(1)",
    "a float that says an integer": "class R(float):\n def __repr__(s): return '7920'\n def __sub__(s, o): return 1\ndef f(n): return R(n * n + 7919)",
    "a mapping that changes": "class D(dict):\n n = 0\n def items(s):\n  D.n += 1\n  return [('a', D.n)]\ndef f(n): return D(a=1)",
    "a thread that replies for later tests": "import threading, os, time\ndef w():\n for v in range(7915, 7925):\n"
    "  for k in range(2): os.write(3, b'{\"i\": %d, \"ok\": %d}\\n' % (k, v))\nthreading.Thread(target=w).start()\ndef f(n): time.sleep(0.1)",
    "a signal that replies": "import signal, os, time\nsignal.signal(signal.SIGALRM, lambda *a: os.write(3, b'{\"i\": 0, \"ok\": 1}\\n'))\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\ndef f(n): time.sleep(0.1)",
    "half a reply": "import os\ndef f(n): os.write(3, b'{\"i\": 0, \"ok\": ')",
    "a reply of two answers": "import os\ndef f(n): os.write(3, b'{\"i\": 0, \"ok\": 1, \"ok\": true, \"passed\": true, \"outcome\": \"passed\"}\\n')",
    "a reply that is no UTF-8": "import os\ndef f(n): os.write(3, b'{\"i\": 0, \"ok\": \"\\xff\"}\\r\\n')",
    "a tag of a tag": "import os\ndef f(n): os.write(3, b'{\"i\": 0, \"ok\": {\"$int\": {\"$int\": \"0x1ef0\"}}}\\n')",
    "the report as output": "import os\nos.dup2(3, 1)\ndef f(n): print('{\"i\": 1, \"ok\": true}', flush=True)",
    "imports refused": "import sys\nclass H:\n def find_spec(s, *a): raise SystemExit(0)\nsys.meta_path.insert(0, H())\nsys.modules.clear()\ndef f(n): return 1",
    "modules in the way": "for p in ('json', 'sitecustomize', 'usercustomize', 'os', 'types'): open(f'/box/{p}.py', 'w').write('raise SystemExit')\ndef f(n): return 1",
    "the hook of exceptions": "import sys, os\nsys.excepthook = lambda *a: os.write(3, b'{\"i\": 0, \"ok\": 7920}\\n')\n1 / 0",
    "a hash that raises": "class H:\n def __hash__(s): raise SystemExit(0)\ndef f(n): return [H(), {}]",
    "an end that never comes": "class D:\n def __del__(s):\n  while True: pass\ndef f(n): D()",
    "another program in its place": "import os\ndef f(n): os.execv('/bin/cat', ['cat', '/proc/self/fd/0'])",
    "profiled": "import sys, threading\nsys.setprofile(lambda *a: None)\nthreading.setprofile(sys.exit)\ndef f(n): return True",
    "a hundred million parts": "def f(n): return [[[0] * 1000] * 1000] * 100",
    "colliding numbers": "def f(n): return {k * (2**61 - 1) for k in range(20000)}",
    "memory that is said to be short": "def f(n): raise MemoryError",
    "a coroutine": "async def f(n): return n * n + 7919",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_passes_nothing(tried, name):
    tests = [{"call": "f", "args": [n], "returns": n * n + 7919} for n in (1, 2)]
    began = time.monotonic()
    done = tried(ATTACKS[name], tests, limits={"wall": 0.3, "cpu": 1.0}, total=0.5)
    assert len(done.outcomes) == 2 and "passed" not in done.outcomes and time.monotonic() - began < 8.0


# What users send.


@pytest.mark.parametrize(
    "program",
    ["\ufeffdef f(): return 'é'", "def f():\r\n    return 'é'\r\n", "def f():\r    return 'é'", "f = lambda: 'é'"],
)
def test_texts_as_editors_write_them(tried, program):
    assert tried(program, [{"call": "f", "returns": "é"}]).outcomes == ("passed",)


@pytest.mark.parametrize(
    ("body", "returns", "passes"),
    [("None", None, True), ("(1, (2,))", [1, [2]], True), ("{1: 2}", {1: 2}, True), ("{1: 2}", {"1": 2}, False), ("4.0", 4, False),
     ("4", 4.0, False), ("True", 1, False), ("{1}", [1], False), ("range(2)", [0, 1], False), ("iter([1])", [1], False)],
)  # fmt: skip
def test_values_are_equal_by_type(tried, body, returns, passes):
    assert tried(f"def f(): return {body}", [{"call": "f", "returns": returns}]).outcomes == (
        ("failed", "passed")[passes],
    )


def test_a_large_answer_that_is_right_has_room(tried):
    tests = [{"call": "f", "args": [n], "returns": "x" * n} for n in (3_000_000, 5, 2_000_000)]
    assert tried("def f(n): return 'x' * n", tests).outcomes == ("passed",) * 3
    assert tried("print('x' * 3_000_000)", [{"stdin": "", "stdout": "x" * 3_000_000}]).outcomes == ("passed",)


def test_a_thousand_calls_are_one_run(tried):
    done = tried("def f(n): return n", [{"call": "f", "args": [n], "returns": n} for n in range(1000)])
    assert done.verdict.value == 1.0 and done.verdict.facts["runs"] == 1
