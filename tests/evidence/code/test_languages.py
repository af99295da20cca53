"""Each language: accepted, rejected, does not compile, ends in an error, runs too long, uses too much memory."""

import pytest

from guerdon.errors import RecordError, UnknownNameError
from guerdon.evidence.code import Language, Limits, languages, run
from guerdon.evidence.code.languages import JAVASCRIPT, PYTHON, fitted, missing, named

DOUBLE = [{"stdin": "21\n", "stdout": "42\n"}, {"stdin": "0\n", "stdout": "0\n"}]
PROGRAMS = {
    "python": {
        "right": "print(2 * int(input()))",
        "wrong": "print(int(input()) + 21)",
        "broken": "print(2 * int(input())\nx = (",
        "fails": "print(42)\nraise RuntimeError('no')",
        "loops": "while True: pass",
        "eats": "x = bytearray(10**10)",
    },
    "c": {
        "right": '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", 2 * n); return 0; }',
        "wrong": '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", n + 21); return 0; }',
        "broken": "int main(void) { return nothing; }",
        "fails": '#include <stdio.h>\nint main(void) { puts("42"); fflush(stdout); return *(volatile int *)0; }',
        "loops": "int main(void) { for (volatile int i = 0;; i++) {} }",
        "eats": "#include <stdlib.h>\n#include <string.h>\n"
        "int main(void) { for (;;) { char *p = malloc(1 << 24); memset(p, 1, 1 << 24); } }",
    },
    "javascript": {
        "right": "console.log(2 * parseInt(require('fs').readFileSync(0, 'utf8')))",
        "wrong": "console.log(21 + parseInt(require('fs').readFileSync(0, 'utf8')))",
        "broken": "console.log(42); let x = ;",
        "fails": "console.log(42); nothing()",
        "loops": "for (;;) {}",
        "eats": "const x = []; for (;;) x.push(new Uint8Array(1 << 24).fill(1))",
    },
    "lua": {
        "right": "print(2 * io.read('n'))",
        "wrong": "print(21 + io.read('n'))",
        "broken": "print(42) x = ",
        "fails": "print(42) nothing()",
        "loops": "while true do end",
        "eats": "local x = {} for i = 1, 1e9 do x[i] = ('x'):rep(5e7) end",
    },
    "bash": {
        "right": "read n; echo $((2 * n))",
        "wrong": "read n; echo $((21 + n)) | cat",
        "broken": "if then fi done",
        "fails": "echo 42; exit 3",
        "loops": "while :; do :; done",
        "eats": "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done",
    },
}


@pytest.fixture(params=sorted(PROGRAMS))
def speaks(request, box):
    """Runs one of a language's programs against the two tests."""
    why = missing(named(request.param), box)
    if why:
        pytest.skip(why)

    def once(which, **limits):
        return run(PROGRAMS[request.param][which], DOUBLE, request.param, {"wall": 5.0, **limits}, box)

    return once


def test_right_is_accepted(speaks):
    done = speaks("right")
    assert done.outcomes == ("passed", "passed") and done.compiled and done.verdict.value == 1.0


def test_wrong_is_rejected(speaks):
    done = speaks("wrong")
    assert done.outcomes == ("passed", "failed") and done.compiled and done.verdict.value == 0.5
    assert done.verdict.items[1]["why"] == "it wrote 21"


def test_what_does_not_compile_says_so(speaks):
    done = speaks("broken")
    assert done.outcomes == ("error", "error") and not done.compiled and done.verdict.value == 0.0
    assert done.verdict.facts["why"] == "it does not compile" and len(done.verdict.facts["compile_error"]) > 10


def test_an_error_is_apart_from_what_was_written(speaks):
    done = speaks("fails")
    assert done.outcomes == ("error", "error") and done.compiled and done.verdict.value == 0.0


def test_a_loop_is_a_timeout(speaks):
    done = speaks("loops", wall=0.4)
    assert done.outcomes == ("timeout", "timeout") and done.compiled and done.verdict.value == 0.0


def test_memory_is_apart(speaks):
    done = speaks("eats", memory=128 << 20, wall=10.0)
    assert done.outcomes == ("memory", "memory") and done.compiled and done.verdict.value == 0.0


# Configuration.


def test_a_language_of_ones_own_is_a_few_lines(box):
    awk = Language(
        "awk", "main.awk", run=("/usr/bin/awk", "-f", "/box/main.awk"), version=("/usr/bin/awk", "BEGIN {}")
    )  # fmt: skip
    if missing(awk, box):
        pytest.skip("no awk here")
    assert run("{ print 2 * $1 }", DOUBLE, awk, sandbox=box).outcomes == ("passed", "passed")


def test_a_language_that_is_not_installed_is_a_sentence_and_no_score(box):
    nothing = Language("cobol", "main.cob", ("/usr/bin/cobol-x", "main.cob"), ("/usr/bin/cobol-x", "--version"),
                       install="install it, for example `apt install gnucobol`")  # fmt: skip
    done = run("x", DOUBLE, nothing, sandbox=box)
    assert done.outcomes == () and not done.verdict.scored
    assert "/usr/bin/cobol-x is missing" in done.verdict.cause and "apt install gnucobol" in done.verdict.cause


def test_limits_of_a_user_are_raised_to_what_a_language_needs():
    assert fitted(None, PYTHON.running) == Limits()
    assert fitted(Limits(wall=1.0), JAVASCRIPT.running).address == JAVASCRIPT.running.address
    assert fitted({"memory": 1 << 20, "processes": 64}, JAVASCRIPT.running).processes == 64
    assert fitted(Limits(address=1 << 30), PYTHON.running).address == 1 << 30


@pytest.mark.bad_input
def test_names_that_are_not_known_are_refused():
    with pytest.raises(UnknownNameError, match="one of bash, c, javascript, lua, python"):
        named("cobol")
    with pytest.raises(RecordError, match="known are wall, cpu"):
        fitted({"time": 1.0}, PYTHON.running)
    with pytest.raises(RecordError, match="above 0"):
        fitted({"wall": 0.0}, PYTHON.running)


def test_names_and_other_names():
    assert {named(n).name for n in ("py", "js", "sh", "C", "lua")} == set(languages())
