"""Code as evidence: the program in the last action, against the tests in the task's reference."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from guerdon.errors import GuerdonError, RecordError
from guerdon.evidence.code import inside
from guerdon.evidence.code.languages import Language, fitted, is_language, named
from guerdon.evidence.code.running import run
from guerdon.evidence.code.tests import FORMS, read
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
    prelude: str = ""

    def __call__(self, action: Any, reference: Any) -> Verdict:
        """The share of the reference's tests that the action's program passes."""
        try:
            language, tests = _parted(reference, self.language)
            asked = read(tests, "code_tests")
        except GuerdonError as error:
            return Verdict.unscored(str(error))
        program = last_block(str(action)) if self.fenced else str(action)
        if program is None:
            return Verdict.score(0.0, why="no fenced block of code", tests=len(asked), passed=0)
        try:
            return run(
                self.prelude + program, tests, language, self.limits, self.sandbox, tolerance=self.tolerance,
                integers=self.integers, fresh=self.fresh, total=self.total,
            ).verdict  # fmt: skip
        except GuerdonError as error:  # of the tests: what a program does is never raised
            return Verdict.unscored(str(error))


def code_tests(
    name: str = "code",
    *,
    language: str | Language = "python",
    limits: Limits | Mapping | None = None,
    sandbox: str | None = None,
    fenced: bool = True,
    tolerance: float = 0.0,
    integers: bool = False,
    fresh: bool = False,
    total: float = 60.0,
    prelude: str = "",
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
        name: of the fact. All else is given by keyword, and a name that is a language's is refused.
        language: where the reference names none.
        limits: of one test, `Limits` or a mapping of some of its fields, `{"wall": 2.0}`; see `run`.
        sandbox: the name of one, or None for the best that works where the grading is done.
        fenced: the program is the last fenced block of the action; False: all of it is the program.
        tolerance, integers, fresh, total: see `run`. The deadline of the grading is `total` and what compiling may
            take on top, so that a program that hangs scores 0 within it and is not unscored.
        prelude: text put before every program, such as `"from typing import *\n"` where the task gives the signature of
            a function and not its imports. A Python program that begins with `from __future__` does not compile then.

    Raises:
        UnknownNameError: no language of that name.
        RecordError: limits as in `run`; a name that is a language's, where another is asked for.

    Example:
        >>> code = code_tests(language="lua")
        >>> code.name, code.reads, code.version == code_tests(language="c").version
        ('code', ('action', 'reference'), False)

    Source: programs judged by what they read and write, in any language: Agnostics; the matrix: VeRPO (2601.03525).
    """
    lang = named(language, "code_tests")
    if is_language(name) and named(name) != lang:
        raise RecordError(
            f"code_tests: the name {name!r}, which is a language's; a name for the fact is needed; "
            f"write code_tests(language={name!r})"
        )
    if limits is not None:
        limits = fitted(limits, lang.running, "code_tests")
    grader = CodeGrader(
        language if isinstance(language, str) else lang, limits, sandbox, fenced, tolerance, integers, fresh, total,
        prelude,
    )  # fmt: skip
    return Grading(
        name, grader, cost="minutes", version=_version(grader, lang), deadline=total + lang.compiling.wall + 60.0
    )


def _parted(reference: Any, language: str | Language) -> tuple[Language, Any]:
    """The language and the tests of a reference."""
    if isinstance(reference, str | bytes):
        try:
            reference = json.loads(reference)
        except (ValueError, RecursionError) as error:
            raise RecordError(
                f"code_tests: a reference that is no JSON ({error}); a list of tests is needed, or "
                f'{{"tests": [...], "language": name}}; each test is {FORMS}'
            ) from None
    if not isinstance(reference, Mapping):
        return named(language, "code_tests"), reference
    if "tests" not in reference:
        has = ", ".join(sorted(map(str, reference))) or "nothing"
        raise RecordError(
            f"code_tests: a reference that has {has}; tests are needed in it; "
            f'write {{"tests": [...], "language": name}}, or the list of tests alone; each is {FORMS}'
        )
    return named(reference.get("language", language), "code_tests"), reference["tests"]


def _version(grader: CodeGrader, lang: Language) -> str:
    """Of all that decides an outcome: the options, the language's commands and limits, and the harness."""
    what = {**asdict(grader), "language": asdict(lang)}
    text = json.dumps(what, sort_keys=True, default=repr).encode()
    for name in ("main.py", "calls.py", "calls.js", "calls.lua", *inside.UNITS):
        text += inside.text(name)
    return "2-" + hashlib.sha256(text).hexdigest()[:12]
