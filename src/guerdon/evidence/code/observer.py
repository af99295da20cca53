"""Code as evidence: the program in the last action, against the tests in the task's reference."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from guerdon.errors import GuerdonError
from guerdon.evidence.code import inside
from guerdon.evidence.code.languages import Language, fitted, named
from guerdon.evidence.code.running import run
from guerdon.evidence.code.tests import read
from guerdon.evidence.grading import Grading
from guerdon.evidence.sandbox import Limits
from guerdon.records import Verdict

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n", re.MULTILINE)


def last_block(text: str) -> str | None:
    """The contents of the last fenced block of a text; None where there is none.

    A block that is not closed goes to the end: an answer that was cut is graded as far as it came.

    Example:
        >>> last_block("Try this:\\n```python\\nprint(1)\\n```\\nor\\n```\\nprint(2)\\n```\\n")
        'print(2)\\n'
        >>> last_block("print(3)") is None
        True
    """
    found, at = None, 0
    while opened := _FENCE.search(text, at):
        fence = opened[1]
        closing = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
        closed = closing.search(text, opened.end())
        found = text[opened.end() : closed.start() if closed else len(text)]
        if closed is None:
            break
        at = closed.end()
    return found


@dataclass(frozen=True)
class CodeGrader:
    """Grades one action against one reference: see `code_tests`."""

    language: str | Language = "python"
    limits: Limits | None = None
    sandbox: str | None = None
    fenced: bool = True
    tolerance: float = 0.0
    integers: bool = False
    fresh: bool = False
    total: float = 60.0

    def __call__(self, action: Any, reference: Any) -> Verdict:
        """The share of the reference's tests that the action's program passes."""
        tests, language = reference, self.language
        try:
            if isinstance(tests, str | bytes):
                tests = json.loads(tests)
            if isinstance(tests, Mapping):
                language, tests = tests.get("language", language), tests.get("tests")
            language = named(language, "code_tests")
            asked = read(tests, "code_tests")
        except (GuerdonError, ValueError, RecursionError) as error:
            return Verdict.unscored(f"the reference holds no tests: {error}")
        program = last_block(str(action)) if self.fenced else str(action)
        if program is None:
            return Verdict.score(0.0, why="no fenced block of code", tests=len(asked), passed=0)
        try:
            return run(
                program, tests, language, self.limits, self.sandbox, tolerance=self.tolerance,
                integers=self.integers, fresh=self.fresh, total=self.total,
            ).verdict  # fmt: skip
        except GuerdonError as error:  # of the tests: what a program does is never raised
            return Verdict.unscored(str(error))


def code_tests(
    name: str = "code",
    language: str | Language = "python",
    limits: Limits | Mapping | None = None,
    sandbox: str | None = None,
    *,
    fenced: bool = True,
    tolerance: float = 0.0,
    integers: bool = False,
    fresh: bool = False,
    total: float = 60.0,
) -> Grading:
    """An observer: the share of tests passed by the program in the last action.

        fact = tests passed / tests, in [0, 1]

    It reads `action` and `reference`. The reference is JSON, or the data itself: a list of tests as `run` takes
    them, or `{"tests": [...], "language": ...}`. The relation NAME/items has one row per play and test:
    `trajectory`, `test`, `kind`, `name`, `passed`, `outcome`, `why`, `seconds`; it is the matrix that difficulty
    weights need. Facts: the counts `passed`, `failed`, `error`, `timeout`, `memory`, `tests`, `runs`, and `compiled`,
    `compile_error`, `why`.

    Score 0: no fenced block, it does not compile, every test is missed. Unscored: the reference holds no tests,
    the language is not installed, the sandbox failed.

    Args:
        language: where the reference names none.
        limits: of one test; see `run`.
        sandbox: the name of one, or None for the best that works where the grading is done.
        fenced: the program is the last fenced block of the action; False: all of it is the program.
        tolerance, integers, fresh, total: see `run`. The deadline of the grading is `total` and what compiling may
            take on top, so that a program that hangs scores 0 within it and is not unscored.

    Example:
        >>> code = code_tests(language="lua")
        >>> code.name, code.reads, code.version == code_tests(language="c").version
        ('code', ('action', 'reference'), False)

    Source: programs judged by what they read and write, in any language: Agnostics; the matrix: VeRPO (2601.03525).
    """
    lang = named(language, "code_tests")
    if limits is not None:
        limits = fitted(limits, lang.running, "code_tests")
    grader = CodeGrader(
        language if isinstance(language, str) else lang, limits, sandbox, fenced, tolerance, integers, fresh, total
    )
    return Grading(
        name, grader, cost="minutes", version=_version(grader, lang), deadline=total + lang.compiling.wall + 60.0
    )


def _version(grader: CodeGrader, lang: Language) -> str:
    """Of all that decides an outcome: the options, the language's commands and limits, and the harness."""
    what = {**asdict(grader), "language": asdict(lang)}
    text = json.dumps(what, sort_keys=True, default=repr).encode()
    for name in ("main.py", "calls.py", "calls.js", "calls.lua", *inside.UNITS):
        text += inside.text(name)
    return "1-" + hashlib.sha256(text).hexdigest()[:12]
