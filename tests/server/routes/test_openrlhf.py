"""What OpenRLHF sends: the prompt and the answer as one text, decoded with its special tokens."""

from guerdon.server import Answer, Config
from guerdon.server.routes.openrlhf import read, write

CONFIG = Config("reward.py:REWARD")


def said(query, prompt):
    (play,) = read({"query": [query], "prompts": [prompt], "labels": ["4"]}, CONFIG).plays
    return play.steps[0].action


def test_the_answer_is_what_comes_after_the_prompt_without_what_ends_it():
    prompt = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    assert said(f"{prompt}4<|im_end|>", prompt) == "4"
    assert said(f"<s>{prompt}4</s>", prompt) == "4"
    assert said(f"{prompt}4<|im_end|>\n<|endoftext|>", prompt) == "4"
    assert said(f"{prompt}<think>4</think> 4", prompt) == "<think>4</think> 4"
    assert said("no prompt in it", prompt) == "no prompt in it"


def test_prompts_and_labels_may_be_left_out():
    asked = read({"query": ["4", "5"]}, CONFIG)
    assert [(p.task.reference, p.group) for p in asked.plays] == [(None, 0), (None, 1)]


def test_null_where_unscored_and_only_whole_parts_become_tensors():
    answers = [Answer(1.5, None, {"a": 1.0, "b": 0.5}), Answer(None, "busy", {"a": 0.0, "b": None})]
    assert write(read({"query": ["x", "y"]}, CONFIG), answers, CONFIG) == {
        "rewards": [1.5, None],
        "scores": [1.5, None],
        "extra_logs": {"unscored": [0.0, 1.0], "a": [1.0, 0.0]},
    }
