"""What a server is told when it starts."""

import pytest

from guerdon.errors import UnknownNameError
from guerdon.server import Config


@pytest.mark.parametrize(
    "wrong", [{"body": 1}, {"items": 0}, {"scorers": 0}, {"timeout": 0}, {"grace": -1}, {"unscored_as": float("nan")}]
)
def test_what_cannot_work_is_said(wrong):
    with pytest.raises(UnknownNameError, match=next(iter(wrong))):
        Config("reward.py:REWARD", **wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("42", "42"), ("42<|im_end|>", "42"), ("42</s>", "42"), ("42 <|eot_id|>\n", "42"), ("x < y |> z", "x < y |> z"),
        ("<|im_end|>42", "<|im_end|>42"), ("", ""), ("42<|a|><|b|>", "42"), ("42<｜end▁of▁sentence｜>", "42"),
    ],
)  # fmt: skip
def test_what_ends_an_answer_is_cut_off(text, said):
    assert Config("reward.py:REWARD").said(text) == said


def test_or_what_the_operator_names():
    assert Config("reward.py:REWARD", strip=("END", "!")).said("42!END!<|im_end|>") == "42!END!<|im_end|>"
    assert Config("reward.py:REWARD", strip=("END", "!")).said("42!END!") == "42"
