"""Classification losses on log-ratios: REAL's product form and bounds, PACS's closed gradient, SuperHF's winner."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from guerdon.objectives import (
    Anchored,
    BestAgainstWorst,
    Circle,
    Classified,
    Clipped,
    Given,
    Imitate,
    ImitateBest,
    ImplicitCritic,
    Outcome,
    PlayMean,
    PlayTotal,
    SequenceMean,
    SequenceRatio,
    Singly,
    Stream,
)
from guerdon.objectives.classify import logsumexp
from guerdon.objectives.plays import mean_of_play, there

FORMS = (Anchored(), Circle(), Singly())
forms = pytest.mark.parametrize("form", FORMS, ids=str)


def plays_of(score, good, group=None, tokens=1):
    """Plays of `tokens` tokens whose mean log-ratio is the score."""
    score = torch.as_tensor(score, dtype=torch.float64)
    ids = torch.repeat_interleave(torch.arange(len(score)), tokens)
    new, old = score[ids].clone().requires_grad_(), torch.zeros(len(ids)).double()
    group = torch.zeros(len(score), dtype=torch.long) if group is None else torch.tensor(group)
    return Stream.of(new, old, torch.tensor([0.5 if g else -0.5 for g in good]).double()[ids], ids, ids, group=group)


def gradient(objective, stream):
    return torch.autograd.grad(objective(stream)[0], stream.logprob)[0]


def by_group(stream, score):
    """(scores of the good, scores of the bad) of each group in plain Python."""
    worth, kept = mean_of_play(stream.clean(stream.advantage), stream).tolist(), there(stream).tolist()
    for g in range(2):
        mine = [i for i in range(5) if stream.group[i] == g and kept[i]]
        yield [score[i] for i in mine if worth[i] > 0], [score[i] for i in mine if worth[i] < 0]


# REAL.


@forms
def test_the_loss_is_the_formula(form, stream):
    z, slow = PlayMean()(stream).detach() / 0.3, 0.0
    for good, bad in by_group(stream, z):
        up, down = [torch.exp(-x) for x in good], [torch.exp(x) for x in bad]
        if form == Singly():
            each = [torch.log1p(x) for x in up + down]
            slow += sum(each) / max(len(each), 1)
        elif good and bad:
            apart = sum(up) * sum(down) if form == Circle() else (1 + sum(up)) * (1 + sum(down)) - 1
            slow += torch.log(1 + apart)
    assert Classified(0.3, form=form)(stream)[0].item() == pytest.approx(float(slow) / stream.groups)


def test_product_form():
    """exp(L) is a product of two brackets, with the anchor in each; the circle has their last summand."""
    z = torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    good = [True, False, False, True, True, False]
    s, up = plays_of(z, good), torch.tensor(good)
    bad, right = z[~up].exp().sum(), (-z[up]).exp().sum()
    assert Classified(1.0)(s)[0].exp().item() == pytest.approx(((1 + bad) * (1 + right)).item())
    assert Classified(1.0, form=Circle())(s)[0].exp().item() == pytest.approx((1 + bad * right).item())
    pairs = (z[~up][:, None] - z[up]).exp().sum()
    assert Classified(1.0, form=Circle())(s)[0].exp().item() == pytest.approx((1 + pairs).item())


@pytest.mark.parametrize(("right", "wrong"), [(1, 7), (4, 4), (6, 2)])
def test_on_policy_a_play_weighs_by_how_many_are_of_its_class(right, wrong):
    s = plays_of([0.0] * (right + wrong), [True] * right + [False] * wrong, tokens=3)
    found = gradient(Classified(0.5), s).reshape(-1, 3).sum(1)
    assert found[:right].tolist() == pytest.approx([-2 / (1 + right)] * right)
    assert found[right:].tolist() == pytest.approx([2 / (1 + wrong)] * wrong)


@pytest.mark.parametrize("form", [Anchored(), Circle()])
@pytest.mark.parametrize("far", [0.0, 1.0, 20.0, 500.0])
def test_gradients_are_bounded_however_stale_the_update(form, far):
    """By 1 / tau for a class of a group. A ratio times an advantage, on the same plays, is not."""
    score = far * torch.randn(8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    score[7] = far  # a wrong play that has become likelier
    s = plays_of(score, [True] * 4 + [False] * 4, group=[0, 1] * 4)
    found = gradient(Classified(0.5, form=form), s) * s.groups
    assert found.isfinite().all()
    assert (found[:4] <= 0).all() and (found[4:] >= 0).all()
    for part in (found[:4], found[4:]):
        for group in (0, 1):
            assert part[group::2].abs().sum() <= 2 + 1e-9
    if far == 20.0:
        assert gradient(Clipped(ratio=SequenceRatio()), s).abs().max() > 1e6


def test_the_worse_a_play_is_placed_the_more_it_weighs():
    placed = [plays_of([0.0, x], [True, False]) for x in (-3.0, -1.0, 0.0, 1.0, 3.0)]
    found = [gradient(Classified(0.5), s)[1].item() for s in placed]
    assert found == sorted(found) and 0 < found[0] < found[-1] < 2


@forms
def test_a_group_of_one_class_is_nothing_unless_each_play_stands_for_itself(form):
    for good in (True, False):
        s = plays_of([0.3, -0.2], [good, good])
        assert (Classified(form=form)(s)[0].item() == 0) == (form != Singly())
        assert gradient(Classified(form=form), s).isfinite().all()


def test_without_an_anchor_a_shift_of_a_group_does_not_matter():
    near, far = (plays_of([x + 0.1, x - 0.4, x], [True, False, False]) for x in (0.0, 7.0))
    circle, anchored = Classified(form=Circle()), Classified()
    assert circle(near)[0].item() == pytest.approx(circle(far)[0].item())
    assert anchored(near)[0].item() != pytest.approx(anchored(far)[0].item())


def test_each_play_for_itself_is_the_cross_entropy(stream_of):
    s = stream_of(2)
    z, worth = PlayMean()(s) / 0.5, mean_of_play(s.advantage, s)
    each = cross_entropy(z, (worth > 0).double(), reduction="none")
    wanted = sum(each[s.group == g].mean() for g in (0, 1)) / 2
    assert Classified(form=Singly())(s)[0].item() == pytest.approx(wanted.item())


@forms
def test_a_play_of_credit_zero_has_no_label(form, stream_of):
    s = stream_of(0)
    silent = replace(s, advantage=s.advantage.masked_fill(s.sequence == 1, 0.0))
    without = replace(s, weight=(s.sequence != 1).double())
    assert Classified(form=form)(silent)[0].item() == pytest.approx(Classified(form=form)(without)[0].item())


def test_the_share_that_moved_the_right_way():
    s = plays_of([0.3, -0.2, 0.1, 0.0], [True, False, False, True])
    assert Classified()(s)[1]["classification/right"].item() == 0.5


def test_logsumexp_of_segments_is_that_of_torch():
    x, ids = torch.tensor([3.0, -900.0, 800.0, 1.0]).double(), torch.tensor([0, 1, 1, 0])
    among = torch.tensor([True, True, True, False])
    assert logsumexp(x, among, ids).tolist() == pytest.approx([3.0, 800.0, 0.0, 0.0])
    zero = torch.zeros(1).double()
    wanted = [torch.cat([x[:1], zero]).logsumexp(0), torch.cat([x[1:3], zero]).logsumexp(0), 0.0, 0.0]
    assert logsumexp(x, among, ids, anchored=True).tolist() == pytest.approx([float(w) for w in wanted])
    low, one = torch.tensor([-900.0]).double(), torch.tensor([0])
    assert logsumexp(low, one == 0, one).tolist() == [-900.0]


@pytest.mark.bad_input
@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_unit_that_is_not_above_zero_is_refused(tau):
    with pytest.raises(ValueError, match="tau is"):
        Classified(tau)


# PACS.


@pytest.mark.parametrize("balanced", [True, False])
def test_pacs_is_the_weighted_cross_entropy_of_left_out_log_ratios(balanced, stream):
    r, slow = 0.7 * PlayTotal(Given("old_logprob"))(stream).detach(), 0.0
    for good, bad in by_group(stream, r):
        n = len(good) + len(bad)
        for mine, label in ((good, 1.0), (bad, 0.0)):
            for x in mine if n > 1 else []:
                psi = x - (sum(good) + sum(bad) - x) / (n - 1)
                w = n / (2 * len(mine)) if balanced and good and bad else 1.0
                slow = slow + w * cross_entropy(psi, torch.tensor(label).double())
    ours, _ = ImplicitCritic(0.7, balanced=balanced)(stream)
    assert ours.item() == pytest.approx(float(slow) / stream.sequences)


def test_at_zero_log_ratio_the_gradient_is_left_out_of_weighted_labels():
    """One right of eight: +2.29 and -0.33, which is 7 to 1, as in GRPO."""
    s = plays_of([0.0] * 8, [True] + [False] * 7)
    c = torch.tensor([8 / 2 * 0.5] + [8 / 14 * -0.5] * 7).double()
    wanted = -torch.stack([x - (c.sum() - x) / 7 for x in c])
    found = gradient(ImplicitCritic(), s) * 8
    torch.testing.assert_close(found, wanted)
    assert found.tolist() == pytest.approx([-16 / 7] + [16 / 49] * 7)


def test_pacs_is_blind_to_what_all_plays_of_a_prompt_share():
    near, far = (plays_of([x + 0.1, x - 0.4, x], [True, False, False]) for x in (0.0, 7.0))
    assert ImplicitCritic()(near)[0].item() == pytest.approx(ImplicitCritic()(far)[0].item())
    assert gradient(ImplicitCritic(), near).sum().item() == pytest.approx(0.0, abs=1e-12)


def test_pacs_on_one_class_and_on_one_play():
    """At equal log-ratios a class alone does not move; elsewhere it is pulled back; a play alone says nothing."""
    assert gradient(ImplicitCritic(), plays_of([0.4] * 3, [False] * 3)).abs().max() < 1e-12
    assert gradient(ImplicitCritic(), plays_of([1.0, -1.0], [True, True])).tolist() == pytest.approx(
        [x / 2 * 2 * torch.tensor(2.0).sigmoid().item() - x / 2 for x in (1, -1)]
    )
    loss, _ = ImplicitCritic()(plays_of([3.0], [True]))
    assert loss.item() == 0


@pytest.mark.parametrize("far", [0.0, 5.0, 500.0])
def test_no_error_of_the_implicit_critic_weighs_more_than_its_class(far):
    score = far * torch.randn(8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    s = plays_of(score, [True] + [False] * 7)
    assert gradient(ImplicitCritic(), s).abs().max() <= (4 + 4) / 8  # its own weight, and that of the others' baselines
    assert 0 <= ImplicitCritic()(s)[1]["implicit_critic/error"].item() <= 1


# SuperHF.


def test_without_kl_it_is_fine_tuning_on_the_best_play(stream_of):
    s = stream_of(1)
    best = [max((i for i in range(5) if s.group[i] == g), key=mean_of_play(s.advantage, s).tolist().__getitem__)
            for g in (0, 1)]  # fmt: skip
    kept = torch.isin(s.sequence, torch.tensor(best))
    sft = Imitate(reduce=SequenceMean())(replace(s, weight=kept.double(), sequences=2))[0]
    ours = ImitateBest()(s)[0]
    assert ours.item() == pytest.approx(sft.item())
    torch.testing.assert_close(*(torch.autograd.grad(x, s.logprob)[0] for x in (ours, sft)))


def test_a_group_that_agrees_has_no_best_play():
    loss, _ = ImitateBest(0.5)(plays_of([-1.0, -2.0, -3.0, -4.0], [True, False, True, True], group=[0, 0, 1, 1]))
    assert loss.item() == pytest.approx(0.5 * 1.0 / 2)


def test_needs_are_what_it_reads():
    assert Classified().needs == ImplicitCritic().needs == ImitateBest().needs == {"group"}
    assert (
        Classified(by=Outcome()).needs == ImitateBest(choice=BestAgainstWorst(Outcome())).needs == {"group", "outcome"}
    )
    assert ImplicitCritic(ratio=PlayTotal()).needs == {"group", "ref_logprob"}
