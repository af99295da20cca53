"""Does a program do what its tests ask? In any language, in a sandbox, with what is right kept outside it.

    done = run(program, [{"call": "f", "args": [2], "returns": 4}], language="python")
    done.outcomes, done.compiled, done.verdict.value

As an observer: `code_tests()` reads the last action and the task's reference, and leaves the share of tests passed and
the tests one by one (the relation NAME/items).
"""

from __future__ import annotations

from guerdon.evidence.code.languages import Language, languages
from guerdon.evidence.code.observer import CodeGrader, code_tests, last_block
from guerdon.evidence.code.running import CodeResult, run
from guerdon.evidence.sandbox import Limits

__all__ = [
    "CodeGrader", "CodeResult", "Language", "Limits", "code_tests", "languages", "last_block", "run",
]  # fmt: skip
