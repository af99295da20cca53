"""Log-ratios and worth of whole plays, and which plays are held against each other."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ColumnError
from guerdon.objectives import BestAgainstWorst, FromTeacher, Given, Listed, Outcome, PlayMean, PlayTotal, Stream
from guerdon.objectives.plays import counts, every_pair, first_largest, mean_of_play, softplus, there
from guerdon.objectives.stream import Pairs


def weights(s):
    return torch.ones(len(s.logprob)).double() if s.weight is None else s.weight


def test_the_ratio_of_a_play_is_a_sum_or_a_mean_over_its_tokens(stream):
    s, w = stream, weights(stream)
    for name in ("ref_logprob", "old_logprob"):
        apart = w * (s.logprob - getattr(s, name))
        slow = torch.stack([apart[s.sequence == i].sum() for i in range(5)])
        kept = torch.stack([(w[s.sequence == i] != 0).sum() for i in range(5)]).clamp(min=1)
        torch.testing.assert_close(PlayTotal(Given(name))(s), slow)
        torch.testing.assert_close(PlayMean(Given(name))(s), slow / kept)
        torch.testing.assert_close(PlayTotal(Given(name))(s, 2.0), 2 * slow)


def test_a_teacher_is_compared_with_the_reference(stream):
    got = FromTeacher()(stream, "me")
    torch.testing.assert_close(got, stream.clean(stream.teacher_logprob - stream.ref_logprob))
    assert not got.requires_grad


def test_what_a_play_is_worth_is_the_mean_of_its_tokens(stream):
    x = stream.clean(stream.advantage)
    kept = weights(stream) != 0
    for i, got in enumerate(mean_of_play(x, stream).tolist()):
        mine = x[kept & (stream.sequence == i)]
        assert got == pytest.approx(mine.mean().item() if len(mine) else 0.0)
    assert (there(stream) == (counts(stream) > 0)).all()


@given(length=st.lists(st.integers(1, 60), min_size=2, max_size=6), credit=st.floats(-9, 9, width=32))
def test_plays_of_one_credit_tie_whatever_their_length(length, credit):
    ids = torch.repeat_interleave(torch.arange(len(length)), torch.tensor(length))
    x = torch.full((len(ids),), credit)
    worth = mean_of_play(x, Stream.of(x, x, x, ids, ids))
    assert worth.tolist() == [credit] * len(length)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_best_play_of_a_group_is_held_against_its_worst(margin, stream):
    worth, kept = mean_of_play(stream.clean(stream.advantage), stream), there(stream)
    chosen = BestAgainstWorst(margin=margin)(stream)
    for g in (0, 1):
        mine = [i for i in range(5) if stream.group[i] == g and kept[i]]
        best, worst = max(mine, key=worth.__getitem__), min(mine, key=worth.__getitem__)
        if worth[best] - worth[worst] > margin:
            assert (chosen.first[g], chosen.second[g]) == (best, worst)
            assert chosen.preference[g].item() == pytest.approx((worth[best] - worth[worst]).item())
            assert chosen.weight[g].item() == 1 / stream.groups
        else:
            assert chosen.weight[g] == 0
    assert (chosen.weight[2:] == 0).all()


def test_of_several_best_and_worst_plays_the_first_is_taken(stream_of):
    s = replace(stream_of(0), outcome=torch.tensor([0.0, 1.0, 1.0, 0.5, 0.5]))
    chosen = BestAgainstWorst(Outcome())(s)
    assert (chosen.first[0], chosen.second[0]) == (1, 0)
    assert chosen.weight.tolist() == [0.5, 0.0, 0.0, 0.0, 0.0]  # the second group agrees


def test_first_largest_is_among_those_that_are_there():
    among = torch.tensor([True, False, True, False])
    got = first_largest(torch.tensor([1.0, 9.0, 1.0, 9.0]), among, torch.tensor([0, 0, 0, 1]))
    assert got[0] == 0 and 0 <= got[1] < 4


def test_listed_pairs_without_one_of_their_plays_do_not_count(stream_of):
    s = stream_of(1)
    gone = replace(s, weight=(s.sequence != 0).double())
    assert Listed()(s).weight.tolist() == pytest.approx([1 / 3] * 3)
    assert Listed()(gone).weight.tolist() == pytest.approx([0.0, 0.0, 1 / 3])
    assert Listed()(gone).preference.tolist() == [1.0, -2.0, 0.5]


@given(group=st.lists(st.integers(0, 4), max_size=12))
def test_every_pair_is_every_two_of_a_group_once(group):
    found = every_pair(np.array(group, int))
    slow = {(i, j) for i, j in combinations(range(len(group)), 2) if group[i] == group[j]}
    assert found.shape == (2, len(slow)) and set(map(tuple, found.T.tolist())) == slow


def test_softplus_is_log_one_plus_exp_everywhere():
    x = torch.tensor([-1e4, -30.0, 0.0, 30.0, 1e4], dtype=torch.float64, requires_grad=True)
    y = softplus(x)
    torch.testing.assert_close(y, torch.nn.functional.softplus(x))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, x.sigmoid())


@pytest.mark.parametrize(("choice", "name"), [(BestAgainstWorst(), "group"), (Listed(), "pairs")])
def test_without_groups_or_pairs_it_says_so(choice, name, stream_of):
    with pytest.raises(ColumnError, match=f"no {name}"):
        choice(replace(stream_of(0), **{name: None}))


def test_half_precision_preferences_are_widened(stream_of):
    pairs = Pairs(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5], dtype=torch.bfloat16), 1)
    assert Listed()(replace(stream_of(0), pairs=pairs)).preference.dtype == torch.float32
