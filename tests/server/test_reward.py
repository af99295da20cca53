"""What a command line names."""

import pytest

from guerdon.errors import GuerdonError, UnknownNameError
from guerdon.evidence.pool import Pool
from guerdon.server.reward import load_reward, open_cache, open_workers


def test_a_reward_is_a_term_of_a_file(rewards):
    assert load_reward(f"{rewards}:REWARD").name
    with pytest.raises(UnknownNameError, match="it defines GROUPS, PLAIN, REWARD, STEPS"):
        load_reward(f"{rewards}:NONE")
    with pytest.raises(UnknownNameError, match=r"FILE\.py:NAME is needed"):
        load_reward("match")
    with pytest.raises(UnknownNameError, match="there is no such file"):
        load_reward("nowhere.py:REWARD")


def test_a_file_that_does_not_run_is_wrong_usage_too(tmp_path):
    (tmp_path / "reward.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(UnknownNameError, match=r"nothing_of_that_name.* mend it"):
        load_reward(f"{tmp_path}/reward.py:REWARD")


def test_workers_are_what_the_command_line_says():
    pool = open_workers("3")
    assert isinstance(pool, Pool)
    assert pool.workers == 3
    with pytest.raises(GuerdonError, match="--workers"):
        open_workers("many")


def test_a_cache_is_a_folder_or_none(tmp_path):
    assert open_cache(None) is None
    assert open_cache(tmp_path / "cache") is not None
