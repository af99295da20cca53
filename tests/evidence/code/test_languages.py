"""Each language: accepted, rejected, does not compile, ends in an error, runs too long, uses too much memory."""

# ruff: noqa: E501  (the programs that are tried stand whole)

import time

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

    def once(which, tests=DOUBLE, **limits):
        return run(PROGRAMS[request.param][which], tests, request.param, {"wall": 5.0, **limits}, box)

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
    done = speaks("loops", DOUBLE[:1], wall=0.4)
    assert done.outcomes == ("timeout",) and done.compiled and done.verdict.value == 0.0


def test_memory_is_apart(speaks):
    done = speaks("eats", DOUBLE[:1], memory=96 << 20, wall=10.0)
    assert done.outcomes == ("memory",) and done.compiled and done.verdict.value == 0.0


# Attacks, in the language's own ways.

ATTACKS = {
    "c": {
        "the host's files": '#include "/etc/passwd"\nint main(void) {}',
        "an endless header": '#include "/dev/zero"\nint main(void) {}',
        "itself": '#include "main.c"\n#include "main.c"',
        "a file put in": '__asm__(".incbin \\"/etc/shadow\\"");\nint main(void) {}',
        "a gigabyte in the program": "char x[1 << 30] = {1};\nint main(void) {}",
        "assembly without end": '__asm__(".rept 1000000000\\n.quad 1\\n.endr");\nint main(void) {}',
        "before main": "#include <unistd.h>\n__attribute__((constructor)) void a(void) { _exit(0); }\nint main(void) {}",
        "forks": "#include <unistd.h>\nint main(void) { for (;;) fork(); }",
        "deaf": "#include <signal.h>\nint main(void) { for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (;;) {} }",
        "traces": '#include <stdio.h>\n#include <sys/ptrace.h>\nint main(void) { if (!ptrace(PTRACE_TRACEME, 0, 0, 0)) puts("42"); }',
        "kills all": "#include <signal.h>\nint main(void) { kill(-1, 9); kill(0, 9); }",
    },
    "javascript": {
        "children": "require('child_process').spawnSync('/bin/sh', ['-c', 'setsid sleep 99 & echo 42 > /proc/$PPID/fd/9'])",
        "kills": "try { process.kill(process.ppid, 9); process.kill(-1, 9) } catch {}; console.log(1)",
        "the host": "try { console.log(require('fs').readFileSync('/etc/passwd')) } catch { console.log(Object.keys(process.env).length) }",
        "the network": "require('net').connect(80, '127.0.0.1', () => console.log(42)).on('error', () => console.log('no'))",
        "the debugger": "const i = require('inspector'); try { i.open() } catch {}; process.kill(process.pid, 'SIGUSR1'); console.log(i.url() ? 42 : 'no')",
        "promises without end": "(function f() { Promise.resolve().then(f) })()",
        "workers": "const { Worker } = require('worker_threads'); for (let i = 0; i < 99; i++) new Worker('for (;;);', { eval: true })",
        "shared memory": "const a = []; for (;;) a.push(new Uint8Array(new SharedArrayBuffer(1 << 26)).fill(1))",
    },
    "lua": {
        "a shell": "print(os.execute('echo 42') and 42)",
        "a pipe": "print(io.popen('echo 42'):read('a'))",
        "a library": "print(package.loadlib('/lib/x86_64-linux-gnu/libc.so.6', 'system')('echo 42') or 1)",
        "bytecode": "print(load('\\27Lua' .. ('x'):rep(99), 'x', 'b')())",
        "patterns": "print((('a'):rep(40)):find(('a*'):rep(40) .. 'b'))",
        "the collector": "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
    },
    "bash": {
        "a bomb": ":() { :|:& }; :; wait",
        "the network": "exec 5<>/dev/tcp/127.0.0.1/80 && echo 42; echo x > /dev/udp/127.0.0.1/53 && echo 42",
        "others' descriptors": "for i in /proc/[0-9]*/fd/*; do [ $i -ef /dev/stdout ] || echo 42 > $i; done 2> /dev/null; exit 1",
        "deaf": "trap '' $(seq 1 64); while :; do :; done",
        "limits raised": "ulimit -v unlimited && ulimit -u unlimited && echo 42",
        "survivors": "(setsid nohup sh -c 'sleep 9; echo 42' &); exit 0",
        "a fifo as its program": "rm main.sh; mkfifo main.sh; exec bash main.sh",
        "the host's environment": "cat /proc/1/environ /proc/$PPID/environ | tr -d '\\0' | grep -q SECRET && echo 42",
        "a tidy machine": "rm -rf --no-preserve-root /usr/bin /box /dev 2> /dev/null; ls /usr/bin | wc -l > /dev/null; echo 1",
    },
}  # fmt: skip


@pytest.mark.parametrize(("language", "name"), [(lang, name) for lang in ATTACKS for name in ATTACKS[lang]])
def test_an_attack_in_it_passes_nothing_and_ends(box, language, name, monkeypatch):
    monkeypatch.setenv("SECRET", "SECRET")
    if why := missing(named(language), box):
        pytest.skip(why)
    began = time.monotonic()
    done = run(ATTACKS[language][name], DOUBLE[:1], language, {"wall": 0.4, "memory": 128 << 20}, box)
    assert done.verdict.scored and done.outcomes[0] != "passed", done
    assert "root:" not in str(done.verdict) and time.monotonic() - began < 12.0


def test_values_of_javascript_that_json_has_no_word_for(box):
    if why := missing(JAVASCRIPT, box):
        pytest.skip(why)
    program = "function f() { return [new Float64Array([1, 2.5]), new Date(0), new Set([1]), undefined, 2n ** 70n] }"
    wanted = [[1, 2.5], "1970-01-01T00:00:00.000Z", {1}, None, 2**70]
    assert run(program, [{"call": "f", "returns": wanted}], "js", sandbox=box).outcomes == ("passed",)


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
    for limit in ({"wall": 0.0}, {"wall": "2"}, {"wall": float("nan")}, {"cpu": float("inf")}, {"disk": 10},
                  {"memory": 1.5}, {"open": 1}, {"processes": 0}, {"output": -1}, {"wall": True}):  # fmt: skip
        with pytest.raises(RecordError, match=f"limits.{next(iter(limit))} of .* or above is needed"):
            fitted(limit, PYTHON.running)
    with pytest.raises(RecordError, match="limits of type int"):
        fitted(3, PYTHON.running)


def test_names_and_other_names():
    assert {named(n).name for n in ("py", "js", "sh", "C", "lua")} == set(languages())
