"""What slime's remote_rm sends: one response, for one number."""

from guerdon.server import Answer, Config
from guerdon.server.protocol import Reply
from guerdon.server.routes.slime import read, write

CONFIG = Config("reward.py:REWARD")


def test_the_prompt_may_be_text_or_messages():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    for prompt, text in (("2+2?", "2+2?"), (messages, "Be brief.\n\n2+2?"), (None, "")):
        (play,) = read({"prompt": prompt, "response": "4<|im_end|>", "label": {"answer": 4}}, CONFIG).plays
        assert (play.task.prompt, play.steps[0].action, play.task.reference) == (text, "4", {"answer": 4})


def test_a_number_or_503_or_the_number_that_was_given():
    asked = read({"response": "4"}, CONFIG)
    assert write(asked, [Answer(0.0)], CONFIG) == 0.0
    refused = write(asked, [Answer(None, "busy")], CONFIG)
    assert isinstance(refused, Reply)
    assert (refused.status, refused.body) == (503, b'{"detail":"unscored: busy"}')
    assert write(asked, [Answer(None, "busy")], Config("r.py:R", unscored_as=-1)) == -1.0
