"""Agreement with verl 0.9: its policy losses, its KL penalties and its aggregations, values and gradients."""

import warnings

import pytest
import torch

from guerdon import objectives as o
from guerdon.objectives import Clipped, SequenceRatio, Stream, TokenGradient

AGGREGATIONS = [
    ("token-mean", o.TokenMean()),
    ("seq-mean-token-mean", o.SequenceMean()),
    ("seq-mean-token-sum-norm", o.ConstantLength(9)),
]


@pytest.fixture(scope="module")
def verl():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("verl")
        from verl.trainer.ppo import core_algos
        from verl.workers.config.actor import FSDPActorConfig

    core_algos.Config = FSDPActorConfig
    return core_algos


@pytest.fixture(params=range(6))
def padded(request):
    """Seven rows of up to nine tokens, as verl has them: old, new, advantages, reference, mask."""
    rng = torch.Generator().manual_seed(request.param)
    shape = (7, 9)

    def normal():
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    length = torch.randint(1, 10, (7, 1), generator=rng)
    mask = (torch.arange(9)[None] < length).double()
    old = -normal().abs()
    new = (old + 0.5 * normal()).requires_grad_()
    return old, new, normal(), old + 0.5 * normal(), mask


def flat(old, new, advantage, reference, mask):
    """The same numbers as a stream: a row is a trajectory of one step."""
    row, column = mask.nonzero(as_tuple=True)
    x = [t[row, column] for t in (new, old, advantage)]
    return Stream.of(*x, row, row, ref_logprob=reference[row, column])


def config(verl, low, high, dual, mode):
    return verl.Config(
        strategy="fsdp", rollout_n=1, use_dynamic_bsz=True,
        clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, clip_ratio_c=dual,
        loss_agg_mode=mode, global_batch_info={"loss_scale_factor": 9} if mode.endswith("norm") else {},
    )  # fmt: skip


def agree(ours, theirs, new):
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    got, wanted = (torch.autograd.grad(x, new, retain_graph=True)[0] for x in (ours, theirs))
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
    assert wanted.abs().max() > 1e-3


@pytest.mark.parametrize(("mode", "reduce"), AGGREGATIONS)
@pytest.mark.parametrize(("low", "high", "dual"), [(0.2, 0.2, 3.0), (0.2, 0.28, 10.0), (0.1, 0.3, 1.2)])
def test_vanilla_policy_loss(mode, reduce, low, high, dual, padded, verl):
    old, new, advantage, _, mask = padded
    theirs, metrics = verl.compute_policy_loss_vanilla(
        old, new, advantage, mask, loss_agg_mode=mode, config=config(verl, low, high, dual, mode)
    )
    ours, terms = Clipped(low, high, reduce=reduce, dual=dual)(flat(*padded))
    agree(ours, theirs, new)
    assert terms["ratio_clipped"].item() == pytest.approx(metrics["actor/pg_clipfrac"], abs=1e-6)
    assert terms["dual_clipped"].item() == pytest.approx(metrics["actor/pg_clipfrac_lower"], abs=1e-6)


@pytest.mark.parametrize(("mode", "reduce"), AGGREGATIONS)
def test_gspo_with_a_credit_per_token(mode, reduce, padded, verl):
    old, new, advantage, _, mask = padded
    theirs, metrics = verl.compute_policy_loss_gspo(
        old, new, advantage, mask, loss_agg_mode=mode, config=config(verl, 0.05, 0.08, 3.0, mode)
    )
    ours, terms = Clipped(0.05, 0.08, ratio=TokenGradient(SequenceRatio()), reduce=reduce)(flat(*padded))
    agree(ours, theirs, new)
    assert terms["ratio_clipped"].item() == pytest.approx(metrics["actor/pg_clipfrac"], abs=1e-6)


def test_gspo_with_a_credit_per_sequence_is_the_plain_sequence_ratio(padded, verl):
    old, new, advantage, reference, mask = padded
    advantage = advantage[:, :1].expand_as(mask).contiguous()
    mode = "seq-mean-token-mean"
    theirs, _ = verl.compute_policy_loss_gspo(
        old, new, advantage, mask, loss_agg_mode=mode, config=config(verl, 0.1, 0.1, 3.0, mode)
    )
    sequence = flat(old, new, advantage, reference, mask)
    ours, _ = Clipped(0.1, 0.1, ratio=SequenceRatio(), reduce=o.SequenceMean())(sequence)
    agree(ours, theirs, new)


@pytest.mark.parametrize(("name", "estimator"), [("k1", o.K1()), ("k2", o.K2()), ("k3", o.K3())])
def test_kl_penalty(name, estimator, padded, verl):
    _, new, _, reference, mask = padded
    penalty = verl.kl_penalty(new, reference, name)
    theirs = verl.agg_loss(penalty, mask, "token-mean")
    ours, _ = o.KL(1.0, estimator)(flat(*padded))
    torch.testing.assert_close(estimator(new, reference), penalty, atol=1e-6, rtol=1e-6)
    agree(ours, theirs, new)
