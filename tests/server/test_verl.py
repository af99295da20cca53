"""verl's custom reward function, called as verl calls it, and through verl's own loader."""

import asyncio
import inspect
import math

import numpy as np
import pytest

from guerdon.errors import RecordError, UnscoredError
from guerdon.server import verl


def score(said, **more):
    return asyncio.run(verl.compute_score("gsm8k", said, "4", **more))


def test_a_score_its_parts_and_the_same_keys_always(server):
    good = score("4", extra_info={"index": np.int64(3), "split": "train", "num_turns": None}, url=server.url)
    none = score("raise", url=server.url, unscored_as=-1.0)
    assert good == {"score": 1.5, "unscored": 0.0, "cause": "", "part/right": 1.0, "part/there": 0.5}
    assert good.keys() == none.keys()
    assert (none["score"], none["unscored"]) == (-1.0, 1.0)
    assert math.isnan(none["part/right"])
    assert "no such thing" in none["cause"]


def test_unscored_raises_unless_a_number_is_given(server):
    with pytest.raises(UnscoredError, match="no such thing"):
        score("raise", url=server.url)


def test_the_server_and_the_token_may_be_in_the_environment(strict, monkeypatch, tmp_path):
    with pytest.raises(RecordError, match="GUERDON_URL"):
        score("4")
    monkeypatch.setenv("GUERDON_URL", strict.url)
    monkeypatch.setenv("GUERDON_TOKEN", "secret")
    assert score("4")["score"] == 1.0
    monkeypatch.delenv("GUERDON_TOKEN")
    (tmp_path / "token").write_text("secret")
    assert score("5", token_file=str(tmp_path / "token"))["score"] == 0.0


def test_many_at_once(server):
    async def all_of_them():
        return await asyncio.gather(
            *(verl.compute_score("x", "4" if i % 2 else "5", np.str_("4"), url=server.url) for i in range(50))
        )

    assert [r["score"] for r in asyncio.run(all_of_them())] == [1.5 if i % 2 else 0.5 for i in range(50)]


def test_verl_takes_it_for_a_coroutine_function():
    assert inspect.iscoroutinefunction(verl.compute_score)


@pytest.mark.slow
def test_through_verls_own_loader_and_reward_manager(server):
    omegaconf, torch = pytest.importorskip("omegaconf"), pytest.importorskip("torch")
    reward = pytest.importorskip("verl.trainer.ppo.reward")
    from verl import DataProto

    config = omegaconf.OmegaConf.create(
        {"reward": {
            "custom_reward_function": {
                "path": "pkg://guerdon.server.verl", "name": "compute_score", "reward_kwargs": {"url": server.url}},
            "reward_manager": {"name": "naive", "source": "register"}}}
    )  # fmt: skip

    class Tokenizer:
        def decode(self, ids, skip_special_tokens=True):
            return "".join(chr(i) for i in ids.tolist())

    data = DataProto.from_dict(
        tensors={"responses": torch.tensor([[ord("4"), 0]]), "attention_mask": torch.tensor([[1, 1, 0]])},
        non_tensors={
            "data_source": np.array(["gsm8k"], object), "reward_model": np.array([{"ground_truth": "4"}], object),
            "extra_info": np.array([{"index": 1}], object),
        },
    )  # fmt: skip

    async def run():
        return await reward.load_reward_manager(config, Tokenizer()).run_single(data)

    found = asyncio.run(run())
    assert found["reward_score"] == 1.5
    assert found["reward_extra_info"]["part/right"] == 1.0
