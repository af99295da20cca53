"""The job: what is taken, what comes back, and what is never read back."""

# ruff: noqa: E501 (programs stand in one line each)

import pytest

from guerdon.evidence.sandbox import Job, Limits, Sandbox, SandboxFault
from guerdon.evidence.sandbox.base import checked

TRUE = ("/bin/true",)


@pytest.mark.parametrize(
    "job",
    [
        Job(()),
        Job(("true",)),
        Job(("/bin/true", "a\0b")),
        *(
            Job(TRUE, files={name: b""})
            for name in ("../x", "/x", "a/../../x", "", ".", "a//b", "a/", "x\0", "n" * 300)
        ),
        *(Job(TRUE, keep=(name,)) for name in ("../x", "/etc/passwd", "a/../b")),
        Job(TRUE, files={"a": b"", "a/b": b""}),
        Job(TRUE, files={str(n): b"" for n in range(300)}),
        Job(TRUE, files={"a": b"x" * 100}, limits=Limits(disk=10)),
        Job(TRUE, limits=Limits(processes=0)),
        Job(TRUE, limits=Limits(wall=0)),
    ],
)
def test_what_cannot_be_taken_is_a_fault_before_anything_starts(job, sandbox):
    with pytest.raises(SandboxFault, match="sandbox: "):
        checked(job)
    with pytest.raises(SandboxFault):
        sandbox.run(job)


def test_the_modes_are_sandboxes(sandbox):
    assert isinstance(sandbox, Sandbox)


def test_a_program_gets_its_files_input_and_arguments(python):
    text = "import sys; print(sys.argv[1:], sys.stdin.read(), open('a/b/c.txt').read())"
    ran = python(text, "x", "y z", stdin=b"in", files={"a/b/c.txt": b"inside", "a/d": b""})
    assert ran.stdout == b"['x', 'y z'] in inside\n" and ran.ended == "exited" and ran.code == 0


def test_input_larger_than_any_pipe_does_not_block(python):
    assert python("import sys; print(len(sys.stdin.read()))", stdin=b"x" * (20 << 20)).stdout == b"20971520\n"
    assert python("print('unread')", stdin=b"x" * (20 << 20)).stdout == b"unread\n"


def test_the_input_cannot_be_written(python):
    text = "import os\ntry: os.write(os.open('/proc/self/fd/0', os.O_RDWR), b'x'); print('ESCAPED')\nexcept OSError: print('HELD')"
    assert python(text, stdin=b"in").stdout == b"HELD\n"


def test_answers_come_over_descriptor_three_alone(python):
    ran = python("import os; os.write(3, b'answer'); print('out'); os.write(2, b'err')", answers=True)
    assert (ran.answers, ran.stdout, ran.stderr) == (b"answer", b"out\n", b"err")
    assert b"Bad file descriptor" in python("import os; os.write(3, b'answer')").stderr


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exit_codes(python, status):
    ran = python(f"import sys; sys.exit({status})")
    assert (ran.ended, ran.code) == ("exited", status)


def test_signals_are_told_apart(python):
    ran = python("import os; os.kill(os.getpid(), 15)")
    assert (ran.ended, ran.code) == ("signalled", 15)


def test_programs_that_are_missing_are_faults_and_those_that_are_brought_are_not(sandbox):
    with pytest.raises(SandboxFault, match="is not on this machine"):
        sandbox.run(Job(("/usr/bin/no-such-language",)))
    with pytest.raises(SandboxFault, match="is not on this machine"):
        sandbox.run(Job(("/root/bin/python",)))
    assert sandbox.run(Job(("/box/a",), files={"a": b"\x7fELF junk"})).code in (2, 126, 127)
    assert sandbox.run(Job(("/box/none",))).code in (126, 127)


# Reading back.


def test_kept_files_come_back(python):
    ran = python(
        "import os; os.mkdir('d'); open('d/a', 'wb').write(bytes(3)); open('b', 'w')", keep=("d/a", "b", "none")
    )
    assert ran.files == {"d/a": bytes(3), "b": b""}


HOSTILE = {
    "link to a host file": "os.symlink('/etc/passwd', 'k')",
    "link through proc": "os.symlink('/proc/1/root/etc/passwd', 'k')",
    "link to itself": "os.symlink('k', 'k')",
    "link to a fine file": "open('x', 'w').write('1'); os.symlink('x', 'k')",
    "folder": "os.mkdir('k')",
    "fifo": "os.mkfifo('k')",
    "socket": "import socket; s = socket.socket(socket.AF_UNIX); s.bind('k')",
    "device": "os.symlink('/dev/zero', 'k')",
    "no permission": "open('k', 'w').write('1'); os.unlink('k')",
    "sparse and huge": "f = open('k', 'wb'); f.truncate(1 << 40)",
}


@pytest.mark.parametrize("how", HOSTILE)
def test_what_is_no_file_is_not_read_back(python, how):
    ran = python(f"import os\ntry:\n    {HOSTILE[how]}\nexcept OSError: pass", keep=("k",), processes=2)
    assert ran.files.get("k", b"") == b"" and ran.seconds < 3


def test_a_folder_that_is_a_link_is_not_followed(python):
    assert python("import os; os.symlink('/etc', 'd')", keep=("d/passwd", "d/alternatives/cc")).files == {}


def test_a_file_as_large_as_it_may_be_comes_back_whole(python):
    ran = python("open('k', 'wb').write(bytes(1 << 20))", keep=("k",), file=1 << 20)
    assert len(ran.files["k"]) == 1 << 20


# Descriptors.


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.close(3)",
        "import os\nfor n in range(64):\n    try: os.dup2(1, n)\n    except OSError: pass",
        "import os; os.closerange(0, 64)",
        "import os\nfor n in range(64):\n    try: os.write(n, b'{\"passed\": true}')\n    except OSError: pass",
        "import os\nfor n in range(3, 64):\n    try: os.dup2(os.open('/dev/null', 1), n)\n    except OSError: pass",
    ],
)
def test_descriptors_that_are_closed_copied_or_forged_end_as_exited(python, text):
    ran = python(text, answers=True)
    assert ran.ended == "exited" and ran.seconds < 3
    assert python("import os; os.write(3, b'1')", answers=True).answers == b"1"
