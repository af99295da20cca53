"""The program in the last action, against the tests in the reference."""

import json
import pickle
import time

import numpy as np
import pyarrow as pa
import pytest

from guerdon import Batch, Column
from guerdon.errors import RecordError
from guerdon.evidence import observe
from guerdon.evidence.code import CodeGrader, Language, Limits, code_tests, last_block

TESTS = [{"call": "f", "args": [n], "returns": 2 * n} for n in (1, 2)]
RIGHT = "Here:\n```python\ndef f(n):\n    return 2 * n\n```\n"
HALF = "```\ndef f(n): return 2\n```"


def batch(actions, references):
    n = len(actions)
    b = Batch(
        np.zeros(0, np.int64), np.arange(n), np.zeros(n, np.int64),
        {"action": Column.of("step", pa.array(actions, pa.string())), "reward": Column.of("step", [0.0] * n)},
    )  # fmt: skip
    return b.with_columns(reference=Column.of("trajectory", pa.array(references, pa.string())))


# The program in the text.


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```\na\n```", "a\n"),
        ("```python\na\n```\n\n```c++ title=x\nb\n\n```\nend", "b\n\n"),
        ("````\n```\na\n```\n````", "```\na\n```\n"),
        ("~~~\na\n~~~", "a\n"),
        ("  ```py\n  a\n  ```", "  a\n"),
        ("```python\ncut", "cut"),
        ("```\n```", ""),
        ("`a`", None),
        ("", None),
        ("a = '```'\n", None),
    ],
)
def test_the_last_fenced_block_is_the_program(text, program):
    assert last_block(text) == program


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```\n" * 50_001, ""), ("```" + " " * 900_000 + "`\n", None), ("```" + "a" * 900_000 + "`\n", None),
        ("`" * 900_000 + "x`\n", None), ("```\n~~~\n" * 50_000, ...), (" " * 900_000 + "```", None),
        ("~~~~\n" + "```\n" * 200_000, "```\n" * 200_000),
    ],
    ids=range(7),
)  # fmt: skip
def test_many_or_long_fences_take_no_time(text, program):
    began = time.monotonic()
    assert program in (last_block(text), ...)
    assert time.monotonic() - began < 3.0


# Accept, reject, unscored.


def test_the_share_and_the_matrix():
    out = observe(batch([RIGHT, HALF, "no code"], [json.dumps(TESTS)] * 3), [code_tests()])
    assert out["code"].tolist() == [1.0, 0.5, 0.0]
    rows = out.relations["code/items"].to_pylist()
    assert [(r["trajectory"], r["test"], r["passed"], r["outcome"]) for r in rows] == [
        (0, 0, True, "passed"), (0, 1, True, "passed"), (1, 0, True, "passed"), (1, 1, False, "failed"),
    ]  # fmt: skip
    assert out["code/why"].tolist() == [None, "failed: it returned 2", "no fenced block of code"]
    assert out["code/compiled"].tolist()[:2] == [1.0, 1.0]


def test_the_reference_names_the_language():
    reference = json.dumps({"language": "bash", "tests": [{"stdin": "3", "stdout": "3"}]})
    assert observe(batch(["```\ncat\n```"], [reference]), [code_tests()])["code"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("[", "no JSON (Expecting value"), ("[]", "no tests"),
        ('{"language": "python"}', "a reference that has language"),
        ("print hello", "a list of tests is needed, or"), ('{"tests": 3}', "of type int; a list is needed"),
        ('{"language": "cobol", "tests": []}', "language 'cobol'"), ('[{"stdin": "1"}]', "test 0 has stdin"),
        ("1", "of type int"),
        ('{"language": "c", "tests": [{"call": "f", "returns": 1}]}', "calls f in c"),
    ],
)  # fmt: skip
def test_a_reference_without_tests_is_no_score(reference, says):
    out = observe(batch([RIGHT], [reference]), [code_tests()])
    assert out["code"].tolist() == [None] and says in out["code/cause"].tolist()[0]
    assert "holds no tests" not in out["code/cause"].tolist()[0]


@pytest.mark.bad_input
def test_a_language_is_not_taken_for_the_name_of_the_fact():
    with pytest.raises(RecordError, match=r"write code_tests\(language='javascript'\)"):
        code_tests("javascript")
    with pytest.raises(RecordError, match="'js', which is a language's"):
        code_tests(name="js")
    with pytest.raises(TypeError):
        code_tests("code", "python")
    assert code_tests("lua", language="lua").name == "lua"
    with pytest.raises(RecordError, match=r'limits of type int; .*write limits=\{"wall": 2.0\}'):
        code_tests(limits=1)


def test_a_prelude_is_put_before_the_program():
    tests = [{"call": "f", "args": [[1, 2]], "returns": 3}]
    program = "```\ndef f(x: List[int]) -> int: return sum(x)\n```"
    assert CodeGrader()(program, tests).value == 0.0
    assert code_tests(prelude="from typing import *\n").grade(program, tests).value == 1.0


def test_all_of_the_action_is_the_program_where_it_is_not_fenced():
    assert CodeGrader(fenced=False)("def f(n): return 2 * n", TESTS).value == 1.0
    assert CodeGrader()("def f(n): return 2 * n", json.dumps(TESTS)).value == 0.0


def test_a_program_that_hangs_scores_within_the_deadline_of_the_grading():
    code = code_tests(limits={"wall": 0.3}, total=0.9)
    assert code.deadline > 0.9
    verdict = code.grade("```\nwhile True: pass\n```", [{"stdin": "", "stdout": "1"}] * 30)
    assert verdict.value == 0.0 and verdict.facts["timeout"] == 30


# The version.


def test_the_version_follows_what_decides_an_outcome():
    own = Language("lua", "main.lua", ("/usr/bin/lua5.3", "main.lua"), ("/usr/bin/lua5.3", "-v"))
    versions = [
        code_tests(**options).version
        for options in (
            {}, {"language": "lua"}, {"language": own}, {"limits": Limits(wall=1.0)}, {"limits": {"memory": 1 << 28}},
            {"tolerance": 0.1}, {"integers": True}, {"fresh": True}, {"fenced": False}, {"total": 9.0},
            {"sandbox": "bubblewrap"}, {"prelude": "import math\n"},
        )
    ]  # fmt: skip
    assert len(set(versions)) == len(versions)
    assert code_tests("other").version == code_tests().version == code_tests(language="py").version


def test_the_grader_can_be_sent_to_another_process():
    code = code_tests(language="lua", limits={"wall": 1.0})
    assert pickle.loads(pickle.dumps(code)) == code and code.cost == "minutes"
