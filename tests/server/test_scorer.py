"""What a scoring process is made of."""

from guerdon.server import Config
from guerdon.server.scorer import build


def test_the_reward_of_the_file_is_what_answers(rewards, tmp_path):
    answering = build(Config(f"{rewards}:REWARD", workers="1", cache=str(tmp_path / "cache"), merge=False))
    assert answering.scoring.term.observers[0].name == "right"
    assert answering.scoring.workers.workers == 1
    assert answering.scoring.cache is not None
    assert not answering.scoring.merge
