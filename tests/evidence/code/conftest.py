"""The sandboxes that work on this machine: what is hostile is tried in each of them."""

import pytest

from guerdon.evidence import sandbox
from guerdon.evidence.code import run

SLOW = {"wasm"}  # a first run takes a minute; it has no descriptors and no other languages


@pytest.fixture(params=[name for name in sandbox.MODES if name not in SLOW])
def box(request):
    """Each sandbox in turn; one that does not work here fails its tests with what it said."""
    return sandbox.find(request.param)


@pytest.fixture
def tried(box):
    """Runs a program in the sandbox within two seconds a test."""

    def once(program, tests, language="python", **options):
        options = {"limits": {"wall": 2.0}, "sandbox": box, **options}
        done = run(program, tests, language, **options)
        assert done.verdict.scored, done.verdict.cause
        assert len(done.outcomes) == len(done.verdict.items)
        return done

    return once
