"""Checkpoints: whole or absent, and a damaged one is a sentence, whatever the damage."""

import random

import pytest
import torch

from guerdon.errors import RunFolderError
from guerdon.training import checkpoints

STATE = {
    "model": {"w": torch.arange(1000.0)}, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}, "critic": None,
    "reference": None, "counts": {"env_steps": 7, "seconds": 0.5}, "warm_up": {"loss": None},
}  # fmt: skip


def test_what_was_saved_is_loaded(tmp_path):
    state = checkpoints.load(checkpoints.save(tmp_path, 12, STATE))
    assert state["iteration"] == 12 and state["counts"] == STATE["counts"] and state["warm_up"] == {"loss": None}
    assert torch.equal(state["model"]["w"], STATE["model"]["w"])


def test_the_newest_few_are_kept(tmp_path):
    for i in (1, 2, 9, 10, 11):
        checkpoints.save(tmp_path, i, STATE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000010.pt", "000011.pt"]
    assert checkpoints.newest(tmp_path).name == "000011.pt"
    assert checkpoints.newest(tmp_path / "nowhere") is None


def test_a_half_written_file_is_not_a_checkpoint(tmp_path):
    (tmp_path / ".000099.pt.1-a.part").write_bytes(b"half")
    assert checkpoints.newest(tmp_path) is None


def test_any_damage_is_one_sentence_that_names_the_way_out(tmp_path):
    path = checkpoints.save(tmp_path, 1, STATE)
    whole = path.read_bytes()
    rng = random.Random(0)
    cuts = [whole[:n] for n in (0, 1, 10, len(whole) // 2, len(whole) - 1)]
    noise = [rng.randbytes(n) for n in (1, 8, 100, 5000) for _ in range(20)]
    texts = [b"hello", b"\x80\x02}", b"\x80\x02K\x01.", b"PK\x03\x04" + b"\0" * 50, b"{}"]
    refused = 0
    for bad in (*cuts, *noise, *texts):
        path.write_bytes(bad)
        with pytest.raises(
            RunFolderError, match=r"^checkpoint: .*000001\.pt cannot be read \(.+\); .*remove it.*$"
        ) as caught:
            checkpoints.load(path)
        assert "\n" not in str(caught.value)
        refused += 1
    assert refused == len(cuts) + len(noise) + len(texts)


def test_flipped_bits_never_surface_as_another_error(tmp_path):
    path = checkpoints.save(tmp_path, 1, STATE)
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(150):
        bad = bytearray(whole)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            state = checkpoints.load(path)
        except RunFolderError:
            continue
        assert set(state) >= checkpoints.HOLDS


def test_a_file_of_another_program_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / "000001.pt")
    with pytest.raises(RunFolderError, match="it holds no counts, critic, iteration"):
        checkpoints.load(tmp_path / "000001.pt")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    torch.save({**STATE, "iteration": 1, "model": Evil()}, tmp_path / "000001.pt")
    with pytest.raises(RunFolderError):
        checkpoints.load(tmp_path / "000001.pt")
    assert not ran.exists()
