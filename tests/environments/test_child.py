"""The line between a vector and its processes: what is sent comes back the same, and lies are seen."""

import json
import math

import numpy as np
import pytest

from guerdon.environments.base import Seen
from guerdon.environments.child import cause, checked, load, read, written
from guerdon.errors import EnvironmentFault


def test_answers_survive_the_line():
    seen = Seen("é \ud800 \n x", "s", 0.1, False, True, {"a": 1.0, "b": None, "t": "go east; go west"}, 1.0)
    assert read(written(seen)) == seen
    assert read(written("go\neast")) == "go\neast"
    assert written(seen).count(b"\n") == 1 and json.loads(written(seen))[0] == "answer"


def test_a_fault_is_raised_where_it_is_read():
    with pytest.raises(EnvironmentFault, match=r"^KeyError: 'door'$"):
        read(written(EnvironmentFault("KeyError: 'door'")))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"7\n",
        b"[]\n",
        b"nonsense\n",
        b"\xff\n",
        b'["answer", {"strange": 1}]\n',
        b'["answer", [1]]\n',
        b"[" * 100_000 + b"\n",
        b'["answer", {"observation": "x", "reward": NaN}]\n',
    ],
)
def test_what_is_no_answer_is_a_fault(line):
    with pytest.raises(EnvironmentFault):
        read(line)


def test_checking_makes_numpy_plain_and_changes_nothing_else():
    seen = checked(Seen("x", "s", np.float64(0.5), np.bool_(False), False, {"n": np.int32(3), "t": "go", "u": None}, 1))
    assert seen == Seen("x", "s", 0.5, False, False, {"n": 3.0, "t": "go", "u": None}, 1.0)
    assert {type(seen.reward), type(seen.facts["n"]), type(seen.outcome)} == {float}
    assert type(seen.terminated) is bool


@pytest.mark.parametrize("wrong", [{"reward": math.inf}, {"outcome": "1"}, {"truncated": None}, {"facts": {"a": [1]}}])
def test_a_wrong_field_is_named(wrong):
    with pytest.raises(EnvironmentFault, match=next(iter(wrong)).removesuffix("s")):
        checked(Seen("x", **wrong))


def test_causes_read_as_the_exception_does():
    assert cause(ValueError()) == "ValueError"
    assert cause(ValueError("too long")) == "ValueError: too long"


def test_a_file_that_fails_leaves_no_half_module(tmp_path):
    import sys

    (tmp_path / "broken.py").write_text("x = 1\nraise ValueError('no')\n")
    with pytest.raises(ValueError, match="no"):
        load("broken_for_the_test", tmp_path / "broken.py")
    assert "broken_for_the_test" not in sys.modules
