"""Runs a program against tests in a sandbox. What is right is decided here, outside it.

    inside the sandbox     the program and the inputs
    outside                the expected values, the comparison, the count of tests, the clock

The program is believed in nothing but what it answers: an answer is data that either equals the expected value
or does not. Its exit status adds nothing to a right answer of a call, an answer that does not come is a
failed test, and of two answers to one call the first counts.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guerdon.errors import RecordError
from guerdon.evidence import sandbox as sandboxes
from guerdon.evidence.code import compare, inside
from guerdon.evidence.code.languages import Language, fitted, missing, named, roomy
from guerdon.evidence.code.replies import Outcome, Said, parsed, replied, sealed
from guerdon.evidence.code.served import unserved
from guerdon.evidence.code.tests import Call, Output, Test, Unit, read
from guerdon.evidence.sandbox import Job, Limits, Ran, Sandbox, SandboxFault
from guerdon.records import Verdict

LARGEST = 1 << 20  # bytes of a program
BEGUN = b'{"begun": true}\n'
UNITS = Limits(processes=8)  # what unit-test files need: the tests, the program, and a thread or two of each


@dataclass(frozen=True)
class CodeResult:
    """What became of each test.

    Attributes:
        outcomes: one per test, in order: "passed"; "failed", a wrong answer; "error", it ended or raised before it
            answered; "timeout"; "memory". Empty where the sandbox failed.
        compiled: False where the program does not compile, or cannot be parsed, and where that is not known.
        verdict: the share of tests passed, in [0, 1]; its items are the tests. Unscored where the sandbox failed.
    """

    outcomes: tuple[Outcome, ...]
    compiled: bool
    verdict: Verdict


def run(
    program: str,
    tests: Any,
    language: str | Language = "python",
    limits: Limits | Mapping | None = None,
    sandbox: Sandbox | str | None = None,
    *,
    tolerance: float = 0.0,
    integers: bool = False,
    fresh: bool = False,
    total: float = 60.0,
) -> CodeResult:
    """Runs a program against tests and says what became of each.

        verdict.value = tests passed / tests

    Args:
        program: its source. Above 1 MB it is an error in every test.
        tests: a list, or JSON text of one, of
            `{"stdin": text, "stdout": text}`: one run; the outputs are equal up to blanks at the end of lines and
            empty lines at the end; the program ends with status 0.
            `{"call": "f", "args": [...], "kwargs": {...}, "returns": value}`: value and type are equal (see
            `compare.same`). `f` may be a method, `Solution.f`, of an instance that is made without arguments.
            `{"file": "test_x.py", "text": text}`: each test function is a test (see `docs/code.md` for what a
            unit test sees of the program).
        language: a name of `languages()`, or a `Language`.
        limits: of one test, `Limits` or a mapping of some of its fields; None: those of the language. There is always
            room for the output that is expected. A test that shared its run with earlier ones is never blamed for a
            limit: it is run again by itself.
        sandbox: None: the best that works here. A name, or a `Sandbox`.
        tolerance: of floats, relative above 1 and absolute below.
        integers: 1.0 and 1 are the same answer.
        fresh: each call and each unit test has a run of its own; else those of one program share an interpreter,
            and a program could carry state from one to the next.
        total: seconds for all tests; those that are left are timeouts.

    Returns:
        A `CodeResult`. The verdict's facts are the counts of each outcome, `why` (of the first test that did not
        pass), `compiled`, `compile_error` and `runs`; its items hold `test`, `kind`, `name`, `passed`, `outcome`,
        `why` and `seconds`, never an expected value. A sandbox that fails or a language that is not installed:
        unscored.

    Raises:
        RecordError: no tests, one that is none of the three forms, or a call in a language that takes none.
        UnknownNameError: no language of that name.

    Example:
        >>> done = run("def f(n): return n + 1", [{"call": "f", "args": [1], "returns": 2}])  # doctest: +SKIP
        >>> done.outcomes, done.verdict.value  # doctest: +SKIP
        (('passed',), 1.0)

    Elsewhere: harnesses that run asserts beside the program (HumanEval, MBPP, verl's prime_code) can be told that
    all went well; here there is nothing inside to persuade.
    Source: one verifier for every language that reads and writes: Agnostics; a matrix of tests: VeRPO (2601.03525).
    """
    if not isinstance(program, str):
        raise RecordError(f"run: a program of type {type(program).__name__}; its source as text is needed; decode it")
    lang = named(language)
    asked = read(tests)
    _refuse(asked, lang)
    same = compare_with(tolerance, integers or lang.one_number)
    limits = fitted(limits, lang.running)
    for file, text in dict.fromkeys((test.file, test.text) for test in asked if isinstance(test, Unit)):
        if why := unserved(file, text):
            return CodeResult((), False, Verdict.unscored(_unsound(file, why)))
    try:
        where = sandboxes.find(sandbox) if sandbox is None or isinstance(sandbox, str) else sandbox
        why = missing(lang, where)
        if why is not None:
            return CodeResult((), False, Verdict.unscored(why))
        session = _Session(program, lang, limits, where, same, tolerance, fresh, total, len(asked))
        session.all(asked)
    except SandboxFault as fault:
        return CodeResult((), False, Verdict.unscored(str(fault)))
    except _Unsound as fault:
        return CodeResult((), True, Verdict.unscored(str(fault)))
    return _result(asked, session)


def compare_with(tolerance: float, integers: bool) -> Callable[[Any, Any], bool]:
    """`compare.same` with its options set.

    Raises:
        RecordError: a tolerance below 0.
    """
    if not tolerance >= 0:
        raise RecordError(f"run: a tolerance of {tolerance}; 0 or more is needed; 0 is bit for bit")
    return lambda got, wanted: compare.same(got, wanted, tolerance, integers)


def _unsound(file: str, why: str) -> str:
    return f"run: the unit-test file {file}: {why}; mend the file, or leave that test out"


class _Unsound(Exception):
    """A unit-test file that cannot be run, whatever the program."""


def _refuse(asked: Sequence[Test], lang: Language) -> None:
    for test in asked:
        if isinstance(test, Call) and lang.calls is None:
            raise RecordError(
                f"run: a test that calls {test.name} in {lang.name}; calls are made in languages with a `calls` file; "
                "ask by stdin and stdout"
            )
        if isinstance(test, Unit) and lang.calls != "calls.py":
            raise RecordError(
                f"run: the unit-test file {test.file} for a program in {lang.name}; such files are Python; "
                "ask by stdin and stdout"
            )


def _result(asked: Sequence[Test], session: _Session) -> CodeResult:
    said = [session.said[i] for i in range(len(asked))]
    outcomes = tuple(s.outcome for s in said)
    items = [
        {
            "test": i, "kind": test.kind, "name": compare.shown(test.name), "passed": s.outcome == "passed",
            "outcome": s.outcome, "why": s.why, "seconds": s.seconds,
        }
        for i, (test, s) in enumerate(zip(asked, said, strict=True))
    ]  # fmt: skip
    facts: dict[str, Any] = {name: outcomes.count(name) for name in ("passed", "failed", "error", "timeout", "memory")}
    facts |= {"tests": len(said), "compiled": session.broken is None, "runs": session.runs}
    bad = next((s for s in said if s.outcome != "passed"), None)
    if session.broken is not None:
        facts |= {"why": "it does not compile", "compile_error": session.broken}
    elif bad is not None:
        facts["why"] = f"{bad.outcome}: {bad.why}"
    verdict = Verdict.score(outcomes.count("passed") / len(outcomes), items=items, **facts)
    return CodeResult(outcomes, session.broken is None, verdict)


@dataclass
class _Session:
    """One program against its tests: what was compiled, what is known, what time is left."""

    program: str
    lang: Language
    limits: Limits
    sandbox: Sandbox
    same: Callable[[Any, Any], bool]
    tolerance: float
    fresh: bool
    total: float
    tests: int
    said: dict[int, Said] = field(default_factory=dict)
    broken: str | None = None  # what the compiler, or the check, said against the program
    checked: bool = False
    runs: int = 0
    began: float = field(default_factory=time.monotonic)
    files: dict[str, bytes] = field(default_factory=dict)

    def all(self, asked: Sequence[Test]) -> None:
        source = self.program.encode("utf-8", "surrogatepass")
        if len(source) > LARGEST:
            self.rest(
                range(len(asked)), Said("error", f"the program has {len(source)} bytes; at most {LARGEST} are run")
            )
            return
        self.files = {self.lang.source: source}
        if self.lang.compile is not None and not self.compiles():
            self.rest(range(len(asked)), Said("error", "it does not compile"))
            return
        for i, test in enumerate(asked):
            if isinstance(test, Output):
                self.output(i, test)
        calls = [(i, test) for i, test in enumerate(asked) if isinstance(test, Call)]
        self.served(calls, self.call)
        files: dict[tuple, list] = {}
        for i, test in enumerate(asked):
            if isinstance(test, Unit):
                files.setdefault((test.file, test.text), []).append((i, test))
        for units in files.values():
            self.served(units, self.unit)

    def rest(self, which: Sequence[int] | range, said: Said) -> None:
        for i in which:
            self.said.setdefault(i, said)

    # One run.

    def start(self, argv: Sequence[str], limits: Limits, **more: Any) -> Ran:
        self.runs += 1
        return self.sandbox.run(Job(tuple(argv), limits=limits, **more))

    def timed(self, limits: Limits) -> Limits | None:
        """The limits within what is left of the time for all; None where nothing is."""
        left = self.total - (time.monotonic() - self.began)
        return None if left <= 0 else replace(limits, wall=min(limits.wall, max(left, 0.05)))

    def stopped(self, which: Sequence[int]) -> bool:
        """True where no more is run: the program does not parse, or the time for all is used up."""
        if self.broken is not None:
            self.rest(which, Said("error", "it does not compile"))
        elif self.timed(self.limits) is None:
            self.rest(which, Said("timeout", f"the time for all tests, {self.total:g} s, was used up"))
        else:
            return False
        return True

    def compiles(self) -> bool:
        ran = self.start(self.lang.compile or (), self.lang.compiling, files=self.files, keep=self.lang.made)
        if ran.ended == "exited" and ran.code == 0 and all(name in ran.files for name in self.lang.made):
            self.files = self.files | dict(ran.files)
            size = sum(map(len, self.files.values()))
            if size <= self.limits.disk:
                return True
            self.broken = f"what it compiles to has {size} bytes; {self.limits.disk} are there for it"
            return False
        said = self.ending(ran, self.lang.compiling)
        self.broken = _tail(ran.stderr or ran.stdout, 2000) or f"{said.outcome}: {said.why}"
        return False

    def check(self) -> None:
        """After a first error: is it that the program cannot be parsed?"""
        if self.checked or self.lang.check is None or not os.access(self.lang.check[0], os.X_OK):
            return
        self.checked = True
        limits = replace(self.lang.running, wall=10.0, cpu=10.0)
        ran = self.start(self.lang.check, limits, files={self.lang.source: self.files[self.lang.source]})
        if ran.ended != "exited" or ran.code != 0:
            said = self.ending(ran, limits)
            self.broken = _tail(ran.stderr or ran.stdout, 2000) or f"{said.outcome}: {said.why}"

    def ending(self, ran: Ran, limits: Limits) -> Said:
        """What a run that ended badly, or too early, is called."""
        if ran.ended == "timeout":
            return Said("timeout", f"it did not end within {limits.wall:g} s ({limits.cpu:g} s of processor time)")
        if ran.ended == "memory" or any(sign in ran.stderr[-4000:] for sign in self.lang.out_of_memory):
            return Said("memory", f"it used more than {limits.memory >> 20} MB")
        if ran.ended == "output":
            return Said("error", f"it wrote more than {limits.output} bytes")
        if ran.ended == "signalled":
            return Said("error", "it was ended by a signal" + (f", {abs(ran.code)}" if ran.code else ""))
        if ran.code:
            return Said("error", f"status {ran.code}: {_tail(ran.stderr, 200)}")
        return Said("error", "it ended before it answered")

    # Programs that read and write.

    def output(self, i: int, test: Output) -> None:
        if self.stopped([i]):
            return
        limits = self.timed(self.limits) or self.limits
        limits = roomy(limits, 2 * len(test.stdout.encode()))
        starter = {f"guerdon_{self.lang.main}": inside.text(self.lang.main)} if self.lang.main else {}
        ran = self.start(self.lang.run, limits, stdin=test.stdin, files=self.files | starter)
        if ran.ended != "exited" or ran.code != 0:
            said = self.ending(ran, limits)
            if said.outcome == "error":
                self.check()
                said = said if self.broken is None else Said("error", "it does not compile")
        elif compare.same_output(ran.stdout, test.stdout, self.tolerance):
            said = Said("passed")
        else:
            said = Said("failed", "it wrote " + (compare.shown(ran.stdout.decode("utf-8", "replace")) or "nothing"))
        self.said[i] = replace(said, seconds=ran.seconds)

    # Programs that answer: many tests in one run, each blamed only for what it did as the first of a run.

    def served(self, todo: Sequence[tuple[int, Test]], serve: Callable) -> None:
        while todo:
            if self.stopped([i for i, _ in todo]):
                return
            limits = self.timed(self.limits) or self.limits
            some = todo[:1] if self.fresh else todo
            ran, loaded, answers = serve(some, limits)
            alone = bool(answers) and answers[0].outcome == "memory"
            known = answers[:1] if alone else _before(answers, "memory")
            ending = self.ending(ran, limits)
            if not known and isinstance(loaded, Said):  # it said why it could not be loaded
                ending = loaded
            if len(known) < len(some) and ending.outcome == "error":
                self.check()
            each = ran.seconds / max(1, min(len(some), len(known) + 1))
            for (i, _), said in zip(some, known, strict=False):
                self.said[i] = replace(said, seconds=each)
            if known:
                todo = todo[len(known) :]
            elif loaded is True:
                self.said[todo[0][0]] = replace(ending, seconds=each)
                todo = todo[1:]
            else:  # it would not load for the others either
                ending = replace(ending, why=f"while it was loaded: {ending.why}", seconds=ran.seconds)
                if self.broken is None:
                    self.rest([i for i, _ in todo], ending)
                    return

    def call(self, some: Sequence[tuple[int, Call]], limits: Limits) -> tuple[Ran, Any, list[Said]]:
        lines = [
            json.dumps({"i": n, "n": len(t.args), "call": t.name, "args": t.args, "kwargs": t.kwargs})
            for n, (_, t) in enumerate(some)
        ]
        limits = roomy(limits, 2 * some[0][1].size)  # where later ones are as large, they are asked again
        files = self.files | inside.caller(self.lang.calls or "", self.lang.caller[0], self.sandbox)
        stdin = "\n".join(lines).encode() + b"\n"
        ran = self.start(self.lang.caller, limits, stdin=stdin, files=files, answers=True)
        loaded, replies = replied(ran.answers, len(some))
        return ran, loaded, [self.judged(reply, test.returns) for reply, (_, test) in zip(replies, some, strict=False)]

    def judged(self, reply: Mapping, wanted: Any) -> Said:
        if "ok" not in reply:
            if "raised" not in reply:
                return Said("failed", f"it returned what is no data: {compare.shown(reply.get('strange'))}")
            memory = reply.get("memory") is True
            return Said("memory" if memory else "error", f"it raised {compare.shown(reply['raised'])}")
        try:
            got = compare.decode(reply["ok"])
            if self.same(got, wanted):
                return Said("passed")
            return Said("failed", f"it returned {compare.shown(reply['ok'])}")
        except (ValueError, RecursionError, OverflowError) as error:
            return Said("failed", f"it returned what is no data: {compare.shown(str(error))}")

    def unit(self, some: Sequence[tuple[int, Unit]], limits: Limits) -> tuple[Ran, Any, list[Said]]:
        first, key = some[0][1], secrets.token_bytes(32)
        asked = {"file": first.file, "text": first.text, "names": [test.name for _, test in some], "key": key.hex()}
        # The tests come first: what a sandbox keeps in a buffer is then of a later file (units.py looks).
        files = {"guerdon_units.json": json.dumps(asked).encode()} | self.files
        files |= {f"guerdon/{name}": inside.text(name) for name in inside.UNITS}
        limits = replace(limits, processes=max(limits.processes, UNITS.processes))
        ran = self.start((*self.lang.caller[:-1], "/box/guerdon/units.py"), limits, files=files, answers=True)
        answers = sealed(ran.answers, key)
        loaded, replies = replied(answers, len(some))
        fault = next((line for line in answers.split(b"\n") if line.startswith(b'{"fault": ')), None)
        if fault is not None:
            why = compare.shown(parsed(fault).get("fault", ""))
            raise _Unsound(_unsound(first.file, why))
        if BEGUN not in answers and ran.ended != "timeout":  # before the program was started, so it is not to blame
            raise SandboxFault(f"run: the process of the unit tests did not begin: {_tail(ran.stderr, 200)}")
        said = [
            Said(r["outcome"], compare.shown(r.get("why", "")))
            if r.get("outcome") in ("passed", "failed", "error", "memory")
            else Said("error", "no outcome")
            for r in replies
        ]
        return ran, loaded, said


def _before(answers: list[Said], outcome: str) -> list[Said]:
    return answers[: next((n for n, said in enumerate(answers) if said.outcome == outcome), len(answers))]


def _tail(text: bytes, most: int) -> str:
    """The last line of a message that says something, or its end."""
    lines = [line for line in text[-4 * most :].decode("utf-8", "replace").splitlines() if line.strip()]
    return compare.shown(lines[-1] if most <= 200 and lines else " | ".join(lines)[:most], most)
