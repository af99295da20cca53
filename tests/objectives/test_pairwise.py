"""PairClipped: leave-one-out REINFORCE at ratio 1, where its clips bind, and what is unbiased off policy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from guerdon.objectives import (
    BestAgainstWorst,
    Clipped,
    ConstantLength,
    Given,
    Joint,
    Listed,
    PairClipped,
    PlayTotal,
    Separate,
    SequenceProduct,
    Stream,
)
from guerdon.objectives.pairwise import clipped
from guerdon.objectives.plays import every_pair
from guerdon.objectives.stream import Pairs

bounds = pytest.mark.parametrize("bound", [Separate(), Joint()], ids=str)
WIDE = 1e9


def plays_of(seed, groups, plays, *, shift=0.0, near=0.0):
    """`groups * plays` plays of uneven length, every pair of a group listed by reward; (stream, rewards)."""
    rng = torch.Generator().manual_seed(seed)
    n = groups * plays
    ids = torch.repeat_interleave(torch.arange(n), torch.randint(1, 5, (n,), generator=rng))
    old = -torch.randn(len(ids), generator=rng, dtype=torch.float64).abs()
    new = (old + near * torch.randn(len(ids), generator=rng, dtype=torch.float64)).requires_grad_()
    group = torch.arange(n) % groups
    reward = torch.randn(n, generator=rng, dtype=torch.float64) + shift * group
    first, second = map(torch.from_numpy, every_pair(group.numpy()))
    pairs = Pairs(first, second, reward[first] - reward[second], len(first))
    return Stream.of(new, old, reward[ids], ids, ids, group=group, pairs=pairs), reward


def gradient(objective, stream):
    return torch.autograd.grad(objective(stream)[0], stream.logprob)[0]


def left_out(reward, group):
    """The reward less the mean of the others of the group."""
    return torch.stack([
        r - reward[(group == g) & (torch.arange(len(reward)) != i)].mean()
        for i, (r, g) in enumerate(zip(reward, group, strict=True))
    ])  # fmt: skip


@bounds
@pytest.mark.parametrize("plays", [2, 3, 5])
def test_at_ratio_one_it_is_leave_one_out(bound, plays):
    s, reward = plays_of(0, groups=3, plays=plays)
    advantage = left_out(reward, s.group)[s.sequence]
    (reinforce,) = torch.autograd.grad(-(advantage * s.logprob).sum() / len(reward), s.logprob)
    torch.testing.assert_close(gradient(PairClipped(bound=bound), s), reinforce)


@pytest.mark.parametrize("seed", range(4))
def test_with_two_plays_and_a_clip_each_it_is_rloo_on_whole_plays_at_any_ratio(seed):
    s, reward = plays_of(seed, groups=4, plays=2, near=0.3)
    rloo = Clipped(0.2, 0.2, ratio=SequenceProduct(), reduce=ConstantLength(1))
    alone = replace(s, advantage=(left_out(reward, s.group) / s.tokens_of_sequence)[s.sequence])
    (wanted,) = torch.autograd.grad(rloo(alone)[0], s.logprob)
    torch.testing.assert_close(gradient(PairClipped(), s), wanted)
    assert wanted.abs().max() > 1e-3 and (wanted == 0).any()


@bounds
@pytest.mark.parametrize("plays", [2, 4])
def test_a_shift_of_the_rewards_of_a_prompt_does_not_matter(bound, plays):
    near, far = (plays_of(3, groups=3, plays=plays, shift=shift, near=0.2)[0] for shift in (0.0, 100.0))
    torch.testing.assert_close(gradient(PairClipped(bound=bound), near), gradient(PairClipped(bound=bound), far))


@pytest.mark.parametrize("choice", [Listed(), BestAgainstWorst()])
def test_the_loss_is_the_formula(choice, stream):
    chosen, ratio = choice(stream), PlayTotal(Given("old_logprob"))(stream).detach().exp()
    apart, both = 0.0, 0.0
    for i, j, d, w in zip(*(x.tolist() for x in (chosen.first, chosen.second, chosen.preference, chosen.weight))):
        a, q = d / 2, ratio[i] / ratio[j] if d > 0 else ratio[j] / ratio[i]
        apart -= w * q.clamp(max=1.3) * abs(a)
        both -= w * (min(ratio[i] * a, ratio[i].clamp(0.9, 1.3) * a) - max(ratio[j] * a, ratio[j].clamp(0.9, 1.3) * a))
    assert PairClipped(0.1, 0.3, Joint(), choice=choice)(stream)[0].item() == pytest.approx(float(apart))
    assert PairClipped(0.1, 0.3, Separate(), choice=choice)(stream)[0].item() == pytest.approx(float(both))


@bounds
def test_it_does_not_matter_which_of_a_pair_is_listed_first(bound, stream):
    p, objective = stream.pairs, PairClipped(bound=bound)
    swapped = replace(stream, pairs=Pairs(p.second, p.first, -p.preference, p.total))
    assert objective(stream)[0].item() == pytest.approx(objective(swapped)[0].item())
    torch.testing.assert_close(gradient(objective, stream), gradient(objective, swapped))


@pytest.mark.parametrize(("apart", "pulls"), [(0.15, True), (0.25, False), (-0.15, True), (-0.9, True)])
def test_the_joint_clip_looks_at_the_pair_alone(apart, pulls):
    """Both plays became ten times likelier: what counts is which more so. log 1.2 = 0.182."""
    ids, new = torch.arange(2), torch.tensor([2.3 + apart, 2.3], requires_grad=True)
    pairs = Pairs(ids[:1], ids[1:], torch.tensor([2.0]), total=1)
    s = Stream.of(new, torch.zeros(2), torch.zeros(2), ids, ids, group=torch.zeros(2, dtype=torch.long), pairs=pairs)
    assert (gradient(PairClipped(bound=Joint()), s) != 0).all() == pulls
    assert (gradient(PairClipped(bound=Separate()), s) != 0).tolist() == [False, True]


def test_off_policy_a_clip_each_is_unbiased_and_one_for_both_is_not():
    """A bandit of five arms, every two draws from the old policy, by enumeration."""
    rng = torch.Generator().manual_seed(0)
    old, logits, reward = (torch.randn(5, generator=rng, dtype=torch.float64) for _ in range(3))
    log_old, logits = old.log_softmax(0), logits.requires_grad_()
    (true,) = torch.autograd.grad(-(logits.softmax(0) * reward).sum(), logits)
    ids = torch.arange(2)

    def expected(bound):
        total = torch.zeros(5, dtype=torch.float64)
        for i, j in np.ndindex(5, 5):
            arms = torch.tensor([i, j])
            pairs = Pairs(ids[:1], ids[1:], (reward[i] - reward[j])[None], total=1)
            s = Stream.of(
                logits.log_softmax(0)[arms], log_old[arms], reward[arms], ids, ids,
                group=torch.zeros(2, dtype=torch.long), pairs=pairs,
            )  # fmt: skip
            loss, _ = PairClipped(1.0, WIDE, bound)(s)
            total += (log_old[i] + log_old[j]).exp() * torch.autograd.grad(loss, logits)[0]
        return total

    torch.testing.assert_close(expected(Separate()), true)
    assert (expected(Joint()) - true).abs().max() > 0.01


@bounds
def test_extreme_ratios_stay_finite(bound, stream_of):
    s = stream_of(0, far=500.0)
    loss, _ = PairClipped(bound=bound)(s)
    assert loss.isfinite() and torch.autograd.grad(loss, s.logprob)[0].isfinite().all()


def test_clipped_is_the_smaller_of_two():
    x = torch.tensor([0.5, 1.0, 2.0])
    assert clipped(x, torch.ones(3), 0.2, 0.3).tolist() == pytest.approx([0.5, 1.0, 1.3])
    assert clipped(x, -torch.ones(3), 0.2, 0.3).tolist() == pytest.approx([-0.8, -1.0, -2.0])
