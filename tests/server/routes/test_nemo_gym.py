"""What NeMo-Gym asks: a response of the model, with its tool calls, as it came."""

import json

from guerdon.server import Answer, Config
from guerdon.server.protocol import Reply
from guerdon.server.routes.nemo_gym import read, write

CONFIG = Config("reward.py:REWARD")
CALL = {"type": "function_call", "name": "add", "arguments": '{"a": 2}', "call_id": "1"}
RESULT = {"type": "function_call_output", "call_id": "1", "output": "4"}
BODY = {
    "responses_create_params": {"input": [{"role": "user", "content": "2+2?"}]},
    "response": {"output": [{"type": "reasoning", "summary": []}, CALL, RESULT, {
        "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 4<|im_end|>"}]}]},
    "verifier_metadata": {"expected_answer": "4", "level": 2},
}  # fmt: skip


def test_a_step_ends_where_a_tool_answers():
    (play,) = read(BODY, CONFIG).plays
    first, last = play.steps
    assert json.loads(first.action) == {"name": "add", "arguments": '{"a": 2}'}
    assert first.extra["tool_calls"] == [{"name": "add", "arguments": '{"a": 2}'}]
    assert (last.observation, last.action) == ("4", "It is 4")
    assert (play.task.prompt, play.task.reference, play.task.extra["level"]) == ("2+2?", "4", 2)


def test_the_reference_is_under_the_key_that_the_operator_names():
    body = {**BODY, "gold": "five"}
    assert read(body, Config("r.py:R", references=("gold",))).plays[0].task.reference == "five"


def test_a_response_without_output_said_nothing():
    (play,) = read({"responses_create_params": {"input": "?"}, "response": {"output": []}}, CONFIG).plays
    assert [s.action for s in play.steps] == [""]


def test_the_request_comes_back_with_its_reward_and_its_parts():
    said = write(read(BODY, CONFIG), [Answer(1.5, None, {"a": 1.0, "b": 0.5})], CONFIG)
    assert said == {**BODY, "reward": 1.5, "reward_components": {"a": 1.0, "b": 0.5}}


def test_unscored_is_503_or_a_number_that_says_it_is_none():
    none = Answer(None, "busy", {"a": 1.0, "b": None})
    assert isinstance(write(read(BODY, CONFIG), [none], CONFIG), Reply)
    said = write(read(BODY, CONFIG), [none], Config("r.py:R", unscored_as=0.0))
    assert (said["reward"], said["mask_sample"], said["failure_reason"]) == (0.0, True, "busy")
    assert said["reward_components"] == {"a": 1.0, "b": 0.0}
