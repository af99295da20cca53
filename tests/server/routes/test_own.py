"""Guerdon's own route: records in, one answer each."""

import pytest

from guerdon.errors import RecordError
from guerdon.records import Step, Task, Trajectory
from guerdon.server import Answer, Config
from guerdon.server.routes.own import read, write
from guerdon.store import to_json

CONFIG = Config("reward.py:REWARD")


def test_a_record_is_what_a_line_of_jsonl_is():
    plays = [Trajectory("g", Task("?", "4", {"n": 1}), (Step("", "4", reward=0.5),), outcome=1.0), Trajectory(2)]
    assert list(read({"trajectories": [to_json(p) for p in plays]}, CONFIG).plays) == plays


def test_a_wrong_record_is_named_by_its_place():
    with pytest.raises(RecordError, match=r"trajectories\[1\]: there is no 'steps'"):
        read({"trajectories": [{"group": 0, "steps": []}, {"group": 1}]}, CONFIG)


def test_an_answer_has_steps_and_facts_only_where_there_are_any():
    answers = [Answer(1.0), Answer(None, "busy", {"a": None}, [None], {"f": 2.0})]
    assert write(read({"trajectories": []}, CONFIG), answers, CONFIG) == {
        "answers": [
            {"value": 1.0, "cause": None, "parts": {}},
            {"value": None, "cause": "busy", "parts": {"a": None}, "steps": [None], "facts": {"f": 2.0}},
        ]
    }
