"""Objects of the program as unit tests see them: what is served, and what is not believed."""

# ruff: noqa: E501  (the programs that are tried stand whole)

import pytest


def outcome(tried, program, body):
    text = "from solution import *\nimport unittest, math\ndef test_a():\n" + "".join(
        f"    {line}\n" for line in body.split("\n")
    )
    done = tried(program, [{"file": "test_f.py", "text": text}], limits={"wall": 5.0})
    return done.outcomes[0], done.verdict.items[0]["why"]


SERVED = {
    "vectors": (
        "class V:\n def __init__(s, x, y): s.x, s.y = x, y\n def __add__(s, o): return V(s.x + o.x, s.y + o.y)\n"
        " def __mul__(s, k): return V(s.x * k, s.y * k)\n def __rmul__(s, k): return s * k\n"
        " def __eq__(s, o): return (s.x, s.y) == ((o.x, o.y) if isinstance(o, V) else o)\n __hash__ = None\n"
        " def __repr__(s): return f'V({s.x}, {s.y})'\n def __lt__(s, o): return s.x < o.x\n def __abs__(s): return s.x + s.y",
        "assert V(1, 2) + V(3, 4) == V(4, 6) and V(1, 2) * 2 == V(2, 4) and 2 * V(1, 2) == V(2, 4)\n"
        "assert V(1, 2) == (1, 2) and V(1, 2) != V(1, 3) and repr(V(1, 2)) == 'V(1, 2)' and V(1, 2) < V(2, 0)\n"
        "v = V(1, 2)\nv.x = 5\nassert v.x == 5 and isinstance(v, V) and not isinstance(3, V) and abs(v) == 7",
    ),
    "containers": (
        "class B:\n def __init__(s): s.d = {}\n def __setitem__(s, k, v): s.d[k] = v\n def __getitem__(s, k): return s.d[k]\n"
        " def __delitem__(s, k): del s.d[k]\n def __contains__(s, k): return k in s.d\n def __len__(s): return len(s.d)\n"
        " def __iter__(s): return iter(s.d)",
        "b = B()\nb['a'] = 1\nassert 'a' in b and 'c' not in b and b['a'] == 1 and len(b) == 1 and list(b) == ['a']\n"
        "del b['a']\nassert len(b) == 0 and not b\n"
        "try: b['z']\nexcept KeyError: pass\nelse: assert False",
    ),
    "changed in place": (
        "def f(x, d, s): x.sort(); d['a'] = [1]; s.add(2)",
        "x, d, s = [3, 1], {}, {1}\nf(x, d, s)\nassert x == [1, 3] and d == {'a': [1]} and s == {1, 2}",
    ),
    "functions of the tests": (
        "def f(x, key): return sorted(x, key=key)\ndef g(it): return sum(it)\ndef h(fn):\n try: fn()\n except ValueError as e: return str(e)",
        "seen = []\nassert f([1, 3, 2], lambda n: seen.append(n) or -n) == [3, 2, 1] and seen == [1, 3, 2]\n"
        "assert g(n for n in [1, 2, 3]) == 6 and g(range(4)) == 6 and f(['b', 'a'], len) == ['b', 'a']\n"
        "def bad(): raise ValueError('mine')\nassert h(bad) == 'mine'",
    ),
    "values with types": (
        "from collections import namedtuple, Counter\nP = namedtuple('P', 'x y')\ndef f(): return (1, [2], {3}, b'4', 5j, frozenset())\n"
        "def g(): return P(1, 2)\ndef h(): return Counter('aab')\ndef k(): return float('inf'), 10**5000\ndef gen():\n yield 1\n yield 2",
        "assert f() == (1, [2], {3}, b'4', 5j, frozenset()) and type(f()) is tuple and f() != [1]\n"
        "assert g() == (1, 2) and g().x == 1 and h() == {'a': 2, 'b': 1} and list(gen()) == [1, 2]\n"
        "assert k()[0] == math.inf and k()[1] == 10**5000 and P(3, 4).y == 4",
    ),
    "contexts, modules, methods": (
        "import contextlib\nlog = []\n@contextlib.contextmanager\ndef opened():\n log.append('in')\n yield 5\n log.append('out')\n"
        "class A:\n n = 1\n @classmethod\n def make(cls): return cls()\n @staticmethod\n def two(): return 2\n @property\n def p(s): return 7\n"
        "import random\ndef roll(): return random.randint(1, 6)",
        "with opened() as n: assert n == 5\nassert log == ['in', 'out'] or True\n"
        "assert A.make().n == 1 and A.two() == 2 and A().p == 7\n"
        "from unittest import mock\nimport solution\n"
        "with mock.patch.object(solution.random, 'randint', return_value=9): assert roll() == 9",
    ),
    "a linked list of the tests": (
        "def total(node):\n s = 0\n while node: s += node.val; node = node.next\n return s",
        "class L:\n    def __init__(s, val, next=None): s.val, s.next = val, next\n"
        "assert total(L(1, L(2, L(3)))) == 6",
    ),
    "values of the standard library": (
        "import datetime as t, decimal, fractions, pathlib, uuid\ndef same(x): return x\n"
        "def frac(): return fractions.Fraction(-1, 2)\ndef dec(): return [decimal.Decimal('1.50')]\n"
        "def day(): return {t.date(2020, 1, 2): t.timedelta(days=-1, microseconds=3)}\n"
        "def now(): return t.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=t.timezone(t.timedelta(hours=2)), fold=1)\n"
        "def path(): return pathlib.Path('a/b'), uuid.UUID(int=7), t.timezone.utc, t.time(1, 2)",
        "import datetime as t, decimal, fractions, pathlib, uuid\n"
        "assert frac() == fractions.Fraction(-1, 2) and frac() == -0.5 and isinstance(frac(), fractions.Fraction)\n"
        "assert dec() == [decimal.Decimal('1.5')] and str(dec()[0]) == '1.50'\n"
        "assert day() == {t.date(2020, 1, 2): t.timedelta(days=-1, microseconds=3)}\n"
        "assert now() == t.datetime(2020, 1, 2, 1, 4, 5, 6, tzinfo=t.timezone.utc) and now().fold == 1\n"
        "assert now().utcoffset() == t.timedelta(hours=2) and now() != t.datetime(2020, 1, 2)\n"
        "assert path() == (pathlib.Path('a/b'), uuid.UUID(int=7), t.timezone.utc, t.time(1, 2))\n"
        "for x in (*path(), now(), frac(), *dec(), *day().items()): assert same(x) == x and type(same(x)) is type(x)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in SERVED if n != "a linked list of the tests"])
def test_served(tried, name):
    assert outcome(tried, *SERVED[name]) == ("passed", "")


def test_objects_of_the_tests_are_served(tried):
    text = (
        "from solution import *\nclass L:\n    def __init__(s, val, next=None): s.val, s.next = val, next\n"
        "def test_a(): assert total(L(1, L(2, L(3)))) == 6"
    )
    program = SERVED["a linked list of the tests"][0]
    assert tried(program, [{"file": "test_f.py", "text": text}], limits={"wall": 5.0}).outcomes == ("passed",)


ANY = (
    "class Any:\n" + "".join(
        f" def __{n}__(s, *a): return True\n" for n in ("eq", "lt", "le", "gt", "ge", "contains", "bool")
    ) + " def __ne__(s, o): return False\n __hash__ = object.__hash__\n"
    + "".join(f" def __{n}__(s, *a): return 0\n" for n in ("add", "sub", "radd", "rsub", "mul", "mod", "abs", "neg", "round", "float", "int", "index", "len"))
    + " def __iter__(s): return iter([0])\n def __getitem__(s, k): return s\n"
    "class Any2(Any):\n def __sub__(s, o): return s\n def __abs__(s): return s\n"
    "class Solution(Any):\n def f(s, n): return Solution()\n"
    "def f(n): return Any()\ndef g(n): return Any2()\n"
)  # fmt: skip


CLAIMS = [
    "f(1) == 9", "9 == f(1)", "not f(1) != 9", "f(1) in [9]", "9 in f(1)", "f(1) < 9", "f(1) >= 9", "f(1) - 9 == 0",
    "abs(f(1) - 9) < 1e-6", "abs(9 - f(1)) < 1e-6", "abs(g(1) - 9) <= 1e-6", "f(1) == [9]", "[f(1)] == [9]",
    "{'a': f(1)} == {'a': 9}", "Solution().f(1) == 9", "not (Solution().f(1) != 9)", "Solution().f(1) < 9",
    "abs(Solution().f(1) - 9) < 1e-6", "f(1)[0] == 9", "isinstance(f(1), int)", "f(1) is True", "f(1) == f",
    "unittest.TestCase().assertEqual(f(1), 9) is None", "unittest.TestCase().assertAlmostEqual(f(1), 9.0) is None",
    "unittest.TestCase().assertAlmostEqual(g(1), 9.0) is None", "unittest.TestCase().assertIn(9, f(1)) is None",
    "unittest.TestCase().assertListEqual(f(1), [9]) is None", "unittest.TestCase().assertGreater(f(1), 8) is None",
    "unittest.TestCase().assertAlmostEqual(9.0, f(1), delta=1e-3) is None",
    "__import__('pytest').approx(9.0) == f(1)", "f(1) == __import__('pytest').approx(9.0)",
    "math.isclose(f(1), 9.0)", "set([f(1)]) == {9}", "str(f(1)) == '9'", "sum(f(1)) == 9", "sorted(f(1)) == [9]",
    "f(1) + 9 == 9", "round(f(1), 7) == 9", "f(1) % 9 == 0 and f(1) == 9",
]  # fmt: skip


def test_an_object_that_claims_to_be_everything_is_not_believed(tried):
    head = "from solution import *\nimport unittest, math\n"
    text = head + "".join(f"def test_{n}():\n    assert {claim}\n" for n, claim in enumerate(CLAIMS))
    done = tried(ANY, [{"file": "test_f.py", "text": text}], limits={"wall": 10.0})
    assert [c for c, outcome in zip(CLAIMS, done.outcomes, strict=True) if outcome not in ("failed", "error")] == []


def test_what_is_true_of_it_is_seen_in_the_same_way(tried):
    text = "from solution import *\ndef test_a(): assert f(1) != 9 and not f(1) == 9 and f is f and Solution() == 9"
    assert tried(ANY, [{"file": "test_f.py", "text": text}], limits={"wall": 10.0}).outcomes == ("passed",)


LIAR = ANY + (
    "class Maker:\n def __init__(s, *a): pass\n def __new__(c, *a): return Any()\n"
    "h = Maker\nclass k(Any):\n def __init__(s, *a): pass\n def top(s): return s\n"
    "class Stack(k): pass\nclass Meta(type):\n def __eq__(s, o): return True\n __hash__ = type.__hash__\n"
    "class LIMIT(metaclass=Meta): pass\nONE = Stack()\nclass Single(k):\n def __new__(c, *a): return ONE\ndef one(n): return ONE\n"
)  # fmt: skip
LIES = [
    "k(1) == 9", "9 == k(1)", "not k(1) != 9", "9 in k(1)", "k(1) < 9", "abs(k(1) - 9) < 1e-6", "9 - k(1) == 0",
    "k(1) + 9 == 9", "h(1) == 9", "9 in h(1)", "Stack().top() == 9", "9 in Stack().top()", "Stack().top() >= 9",
    "LIMIT == 9", "ONE == 9", "(Single(), one(1))[1] == 9", "(Maker(1), h(1))[1] == 9", "[k(1)] == [9]", "k(1) in [9]",
    "unittest.TestCase().assertEqual(k(1), 9) is None", "unittest.TestCase().assertAlmostEqual(k(1), 9.0) is None",
    "unittest.TestCase().assertIn(9, k(1)) is None", "k(1) == __import__('pytest').approx(9.0)", "Stack().k(1) == 9",
]  # fmt: skip


def test_a_class_by_the_name_of_a_function_is_believed_no_more_than_one(tried):
    head = "from solution import *\nimport unittest, math\n"
    text = head + "".join(f"def test_{n}():\n    assert {claim}\n" for n, claim in enumerate(LIES))
    done = tried(LIAR, [{"file": "test_f.py", "text": text}], limits={"wall": 10.0})
    assert [c for c, outcome in zip(LIES, done.outcomes, strict=True) if outcome not in ("failed", "error")] == []


def test_a_value_that_only_looks_like_one_of_the_library_is_not_believed(tried):
    program = (
        "import datetime, decimal, fractions\nclass Any:\n def __eq__(s, o): return True\n __hash__ = object.__hash__\n"
        "class date(datetime.date):\n __eq__ = Any.__eq__\n __hash__ = Any.__hash__\ndate.__module__ = 'datetime'\n"
        "class Decimal(decimal.Decimal):\n __eq__ = Any.__eq__\n __hash__ = Any.__hash__\n"
        "def f(): return date(2020, 1, 3)\ndef g(): return Decimal('1')\n"
        "def h():\n fractions.Fraction.__eq__ = Any.__eq__\n return fractions.Fraction(1, 3)\n"
        "def k():\n datetime.date = Any\n return Any()"
    )
    text = (
        "from solution import *\nimport datetime as t, decimal, fractions\ndef test_f(): assert f() == t.date(2020, 1, 2)\n"
        "def test_g(): assert decimal.Decimal(2) == g()\ndef test_h(): assert fractions.Fraction(1, 2) == h()\n"
        "def test_k(): assert k() == t.date(2020, 1, 2)"
    )
    done = tried(program, [{"file": "test_x.py", "text": text}], limits={"wall": 5.0})
    assert set(done.outcomes) <= {"failed", "error"}


SAME = {
    "what was put in comes out": "class N:\n def __init__(s, v): s.v = v\nclass L:\n def __init__(s): s.all = []\n"
    " def put(s, n): s.all.append(n); return s\n def head(s): return s.all[0]",
    "a class in small letters": "class n:\n def __init__(s, v): s.v = v\n def __eq__(s, o): return s.v == o.v\n"
    " def __add__(s, o): return n(s.v + o.v)\nN = n",
}
ASKED = {
    "what was put in comes out": "n, l = N(3), L()\nassert l.put(n) is l and l.head() is n and l.head() == n and l.head().v == 3",
    "a class in small letters": "assert n(1) + n(2) == n(3) and n(1) != n(2) and not n(1) == n(2)",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_honest_objects_are_compared_as_they_say(tried, name):
    assert outcome(tried, SAME[name], ASKED[name]) == ("passed", "")
