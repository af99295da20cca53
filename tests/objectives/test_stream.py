"""Stream: its totals, its micro-batches, what a weight of zero means, and its errors."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError, ShapeError
from guerdon.objectives import Clipped, Stream


def ids(*values):
    return torch.tensor(values, dtype=torch.long)


def test_totals_by_hand():
    x = torch.zeros(6)
    s = Stream.of(x, x, x, step=ids(0, 0, 1, 2, 2, 2), sequence=ids(0, 0, 0, 1, 1, 1))
    assert (s.tokens, s.steps, s.sequences, s.longest) == (6, 3, 2, 3)
    assert s.tokens_of_step.tolist() == [2, 1, 3]
    assert s.tokens_of_sequence.tolist() == [3, 3]


def test_dropped_tokens_are_in_no_total_and_fractions_count_whole():
    x = torch.zeros(6)
    weight = torch.tensor([0.0, 0.0, 0.5, 2.0, 0.0, 1.0])
    s = Stream.of(x, x, x, step=ids(0, 0, 1, 2, 2, 2), sequence=ids(0, 0, 0, 1, 1, 1), weight=weight)
    assert (s.tokens, s.steps, s.sequences, s.longest) == (3, 2, 2, 2)
    assert s.tokens_of_step.tolist() == [0, 1, 2]


def test_a_given_constant_length_is_kept():
    x = torch.zeros(1)
    assert Stream.of(x, x, x, ids(0), ids(0), longest=40).longest == 40


def test_a_part_has_its_own_tokens_and_the_totals_of_the_whole(stream):
    index = torch.arange(0, len(stream.logprob), 2)
    part = stream.take(index)
    for name in ("logprob", "old_logprob", "advantage", "step", "sequence", "entropy", "ref_logprob"):
        assert torch.equal(getattr(part, name), getattr(stream, name)[index])
    for name in ("tokens", "steps", "sequences", "longest"):
        assert getattr(part, name) == getattr(stream, name)
    assert part.tokens_of_sequence is stream.tokens_of_sequence


def test_a_part_takes_its_rows_and_the_streams_beside_it_only_when_asked(stream):
    index = torch.arange(0, len(stream.logprob), 2)
    part = stream.take(index)
    assert torch.equal(part.top.logprob, stream.top.logprob[index])
    assert torch.equal(part.teacher_logprob, stream.teacher_logprob[index])
    assert part.outcome is stream.outcome and part.iteration == stream.iteration
    assert part.beside == {}
    beside = stream.take(index, {"replayed": torch.arange(2)}).beside["replayed"]
    assert len(beside.logprob) == 2 and beside.tokens == stream.beside["replayed"].tokens


def test_pairs_stay_where_both_plays_are(stream_of):
    s = stream_of()
    kept = s.take((s.sequence == 0) | (s.sequence == 2)).pairs
    assert (kept.first.tolist(), kept.second.tolist(), kept.preference.tolist()) == ([2], [0], [-2.0])
    assert kept.total == 3
    assert s.take(s.sequence == 4).pairs.first.tolist() == []
    assert s.take(torch.zeros(0, dtype=torch.long)).pairs.first.tolist() == []


def test_what_is_said_of_plays_comes_down_to_tokens(stream):
    got = stream.of_play("outcome", "me")
    assert torch.equal(got, stream.clean(stream.outcome[stream.sequence]))


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["outcome", "group"])
def test_one_entry_a_play_is_needed(name, stream):
    with pytest.raises(ShapeError, match=rf"{name} has shape \(2,\).*5 trajectory ids"):
        replace(stream, **{name: torch.zeros(2)})


def test_a_missing_outcome_is_named_with_the_way_out(stream):
    with pytest.raises(ColumnError, match=r"someone: .*no outcome; .*outcome="):
        replace(stream, outcome=None).of_play("outcome", "someone")


def test_an_empty_stream_has_empty_totals():
    none, no_ids = torch.zeros(0), torch.zeros(0, dtype=torch.long)
    s = Stream.of(none, none, none, no_ids, no_ids)
    assert (s.tokens, s.steps, s.sequences, s.longest) == (0, 0, 0, 0)


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["old_logprob", "advantage", "step", "sequence"])
def test_a_column_of_another_length_is_named(name):
    good = {"logprob": torch.zeros(3), "old_logprob": torch.zeros(3), "advantage": torch.zeros(3)}
    good |= {"step": ids(0, 0, 0), "sequence": ids(0, 0, 0)}
    with pytest.raises(ShapeError, match=rf"\(3,\) and {name} has shape \(2,\); .*select"):
        Stream.of(**(good | {name: good[name][:2]}))


def test_a_padded_array_is_refused():
    x, long = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ShapeError, match="flat"):
        Stream(x, x, x, long, long, 6, 2, 2, 3, torch.full((2,), 3.0))


def test_a_missing_tensor_is_named_with_the_way_out(stream_of):
    s = stream_of()
    bare = Stream.of(s.logprob, s.old_logprob, s.advantage, s.step, s.sequence)
    with pytest.raises(ColumnError, match=r"someone: .*no ref_logprob; .*ref_logprob="):
        bare.need("ref_logprob", "someone")


def test_importing_objectives_does_not_load_torch():
    code = (
        "import sys, guerdon.objectives as o; o.Clipped() + o.KL(0.1) + o.Entropy(0.1); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_old_policy_and_the_advantage_are_held_fixed(stream_of):
    s = stream_of()
    free = [x.clone().requires_grad_() for x in (s.old_logprob, s.advantage)]
    loss, _ = Clipped()(Stream.of(s.logprob, *free, s.step, s.sequence))
    loss.backward()
    assert s.logprob.grad is not None
    assert all(x.grad is None for x in free)
