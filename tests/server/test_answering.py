"""Requests of several routes in one run."""

import json

import pytest

from guerdon.errors import RecordError
from guerdon.evidence import Grading
from guerdon.records import Verdict
from guerdon.rewards import fact
from guerdon.server import Config, Scoring
from guerdon.server.answering import Answering

BODY = json.dumps({"trajectories": [{"group": 0, "task": {"reference": "4"}, "steps": [{"action": "4"}]}]}).encode()


def answering(grade=lambda said, wanted: Verdict.score(said == wanted), **config):
    return Answering(Scoring(fact(Grading("exact", grade, deadline=None))), Config("reward.py:REWARD", **config))


def test_each_request_gets_the_reply_of_its_own_protocol():
    requests = [
        ("/score", BODY), ("/slime", b'{"response": "5", "label": "4"}'), ("/score", b"{"),
        ("/get_reward", b'{"query": ["4"], "labels": ["4"]}'),
    ]  # fmt: skip
    replies = answering().answer(requests)
    assert [r.status for r in replies] == [200, 200, 400, 200]
    assert json.loads(replies[0].body)["answers"][0]["value"] == 1.0
    assert replies[1].body == b"0.0"
    assert json.loads(replies[3].body)["rewards"] == [1.0]
    assert [r.items for r in replies] == [1, 1, 0, 1]


def test_what_is_unscored_is_graded_again_for_those_who_would_not_ask():
    asked = []

    def once(said, wanted):
        asked.append(said)
        return Verdict.unscored("the judge answered 429") if len(asked) == 1 else Verdict.score(1)

    assert answering(once, retries=1).answer([("/slime", b'{"response": "4", "label": "4"}')])[0].body == b"1.0"
    asked.clear()
    assert answering(once, retries=0).answer([("/slime", b'{"response": "4", "label": "4"}')])[0].status == 503
    asked.clear()
    assert answering(once).answer([("/score", BODY)])[0].unscored == {"judge": 1}


def test_a_self_test_that_scores_nothing_is_a_warning_with_the_reason():
    said = Answering(Scoring(fact("progres")), Config("reward.py:REWARD")).warm()
    assert said["self_test"] == "0 of 3 scored"
    assert "no column 'progres'" in said["warning"]
    assert "--probe" in said["warning"]
    assert "warning" not in answering().warm()


def test_the_plan_names_what_grades():
    assert answering().plan() == "the self-test: plays are graded by exact"
    assert (
        Answering(Scoring(fact("outcome")), Config("r.py:R", probe="p"))
        .plan()
        .endswith("--probe are graded by outcome")
    )


def test_the_probe_of_the_operator_has_to_be_scored(tmp_path):
    file = tmp_path / "plays.jsonl"
    file.write_bytes(json.dumps({"group": 0, "steps": [{"action": "4"}]}).encode() + b"\n")
    with pytest.raises(RecordError, match="none is scored"):
        answering(probe=str(file)).warm()
    file.write_bytes(json.dumps(json.loads(BODY)["trajectories"][0]).encode() + b"\n")
    assert answering(probe=str(file)).warm()["self_test"] == "1 of 1 scored"
