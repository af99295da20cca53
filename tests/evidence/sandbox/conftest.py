"""Every sandbox, and how a test runs a program in it."""

import pytest

from guerdon.evidence.sandbox import Job, Limits, find

PYTHON = "/usr/bin/python3"
MODES = ("bubblewrap", "zygote")


@pytest.fixture(params=MODES)
def sandbox(request):
    """Each mode; one that does not work here fails its tests with the sentence that says what to install."""
    return find(request.param)


@pytest.fixture
def python(sandbox):
    """Runs a program text: `python(text, answers=True, wall=1, processes=4)`."""
    return runner(sandbox)


@pytest.fixture
def modes():
    """Every mode, side by side: name -> the same as `python`."""
    return {name: runner(find(name)) for name in MODES}


def runner(sandbox):
    def run(text, *args, stdin=b"", files=None, keep=(), answers=False, **limits):
        given = {"wall": 5.0, "cpu": 4.0, **limits}
        files = {"main.py": text.encode(), **(files or {})}
        argv = (PYTHON, "-I", "-S", "/box/main.py", *args)
        return sandbox.run(Job(argv, stdin, files, keep, answers, Limits(**given)))

    return run
