"""The doctor says what it tried, and an open door is seen."""

import subprocess

import pytest

from guerdon.evidence.sandbox import Ran, SandboxFault
from guerdon.evidence.sandbox.doctor import CHECKS, examine, languages, machine


class Open:
    """No sandbox at all: what the doctor has to notice. It runs the harmless programs alone."""

    name = "open"

    def run(self, job):
        text = job.files["main.py"].decode()
        if any(word in text for word in ("while True", "range(200)", "<< 30", "'/x'", "sleep", "/left")):
            return Ran("exited", 0, b"GOT")
        done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", text], capture_output=True)
        return Ran("exited", done.returncode, done.stdout, done.stderr)

    def close(self):
        pass


class Broken:
    """A sandbox that fails: nothing is known of it."""

    name = "broken"

    def run(self, job):
        raise SandboxFault("sandbox: gone")

    def close(self):
        pass


@pytest.mark.slow  # the command line's own test runs all of it once
def test_each_mode_holds_everything_here(sandbox):
    found = examine(sandbox)
    assert [one for one in found if not one.held] == []
    assert len(found) == len(CHECKS) + 2


def test_an_open_door_is_seen():
    assert [one.name for one in examine(Open()) if one.held and one.name != "grandchildren that hide"] == []


def test_a_broken_sandbox_holds_nothing_and_says_so():
    found = examine(Broken())
    assert {one.held for one in found} == {None} and all("gone" in one.said for one in found)


def test_languages_and_the_machine_are_named(sandbox):
    assert languages(sandbox)["python"].startswith("Python 3")
    assert set(machine()) == {"kernel", "machine", "user"}
