"""Evidence that the policy chose: what it may hand in, what the judge sees of it, and what it is worth."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.judges import Curated, NoReply, Reply, annealed, curated_score, submitted


def submit(evidence, message="done"):
    return json.dumps({"submit": {"message": message, "evidence": evidence}})


def judged(votes, evidence=(0,), form=None):
    seen = []

    async def ask(messages, n):
        seen.append(messages[0]["content"])
        code = seen[-1].split("bear the code ")[1][:12]
        return [
            vote
            if isinstance(vote, NoReply)
            else Reply(json.dumps({"code": code, "reason": "r", "success": vote[0], "valid": vote[1]}))
            for vote in votes
        ]

    material = {
        "prompt": "open the door",
        "action": ["look", "open", submit(list(evidence))],
        "observation": ["a shut door", "an open door", "a secret"],
    }
    return asyncio.run((form or Curated("t")).judge(ask, material)), seen


@pytest.mark.parametrize(
    "actions",
    [
        [], ["look"], [submit([0]), "look"], ["look", submit([0]), submit([0])], [submit([])], [submit([0])],
        ["look", submit([1])], ["look", submit([-1])], ["look", submit([True])], ["look", submit(["0"])],
        ["look", submit([0, 0])], ["look", submit(0)], ["look", submit([0], None)], ["look", '{"submit": 3}'],
    ],
)  # fmt: skip
def test_a_submission_out_of_order_is_the_candidates_fault(actions):
    assert isinstance(submitted(actions), str)
    form = Curated("t")
    verdict = asyncio.run(form.judge(None, {"action": actions, "observation": [""] * len(actions)}))
    assert verdict.value == -1.0 and verdict.facts["why"] == submitted(actions)


def test_the_judge_sees_only_what_was_handed_in():
    verdict, (text,) = judged([("yes", "yes")] * 3, evidence=[1])
    assert verdict.value == 1.0
    assert "evidence of step 1>>\nan open door" in text and "open the door" in text
    assert "a shut door" not in text and "a secret" not in text and "look" not in text


def test_the_last_observation_can_be_shown_against_stale_evidence():
    assert "a secret" in judged([("yes", "yes")] * 3, form=Curated("t", last=True))[1][0]


@pytest.mark.parametrize(
    ("votes", "value"),
    [
        ([("yes", "yes")] * 2 + [("no", "no")], 1.0),
        ([("no", "yes")] * 2 + [("yes", "no")], 0.0),
        ([("no", "no")] * 3, -1.0),
        ([("yes", "yes"), ("no", "no"), NoReply("a")], -1.0),
        ([("yes", "yes"), NoReply("a"), NoReply("a")], 1.0),
        ([NoReply("it broke")] * 3, None),
    ],
)
def test_tiers(votes, value):
    assert judged(votes)[0].value == value


def test_the_facts_let_a_reward_weigh_them_anew():
    facts = judged([("no", "yes")] * 3)[0].facts
    assert curated_score(facts["success"] > 0.5, facts["valid"] > 0.5, facts["evidence"], validity=0.25) == -0.75


@given(st.booleans(), st.booleans(), st.integers(0, 99), st.floats(0, 1))
def test_a_curated_score_is_in_its_range_and_never_better_for_more_evidence(success, valid, n, validity):
    assert -1.0 <= curated_score(success, valid, n + 1, validity) <= curated_score(success, valid, n, validity) <= 1.0


def test_annealing_ends():
    assert annealed(-5, 10) == 1.0 and annealed(10, 10) == annealed(99, 10) == 0.0
