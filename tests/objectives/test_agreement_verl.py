"""Agreement with verl 0.9.1: every registered policy loss, its KL penalties, its aggregations; values and gradients.

What differs by design is in the tests whose names say so, with both numbers.
"""

import math
import warnings
from dataclasses import replace

import pytest
import torch

from guerdon import objectives as o
from guerdon.objectives import Clipped, Reinforce, SequenceRatio, Stream, TokenGradient
from guerdon.objectives.regularise import Given

AGGREGATIONS = [
    ("token-mean", o.TokenMean()),
    ("seq-mean-token-mean", o.SequenceMean()),
    ("seq-mean-token-sum-norm", o.ConstantLength(9)),
    ("seq-mean-token-sum", o.ConstantLength(1)),
    ("token-sum", o.ConstantCount(1)),
]
aggregations = pytest.mark.parametrize(("mode", "reduce"), AGGREGATIONS)


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


def config(verl, low, high, dual, mode, policy=None, **more):
    made = verl.Config(
        strategy="fsdp", rollout_n=1, use_dynamic_bsz=True,
        clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, clip_ratio_c=dual,
        loss_agg_mode=mode, global_batch_info={"loss_scale_factor": 9} if mode.endswith("norm") else {}, **more,
    )  # fmt: skip
    for name, value in (policy or {}).items():
        object.__setattr__(made.policy_loss, name, value)
    return made


def theirs_of(verl, loss, padded, mode, *bounds, policy=None, **more):
    """(loss, metrics) of the policy loss that verl has registered under a name."""
    old, new, advantage, _, mask = padded
    function = verl.get_policy_loss_fn(loss)
    return function(
        old_log_prob=old, log_prob=new, advantages=advantage, response_mask=mask, loss_agg_mode=mode,
        config=config(verl, *bounds, mode, policy, **more),
    )  # fmt: skip


def agree(ours, theirs, new):
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    got, wanted = (torch.autograd.grad(x, new, retain_graph=True)[0] for x in (ours, theirs))
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
    assert wanted.abs().max() > 1e-3


@aggregations
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


@aggregations
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


COVERED = {
    "vanilla", "gspo", "gpg", "cispo", "sapo", "geo_mean", "dppo_tv", "dppo_kl", "dro", "bypass_mode", "clip_cov",
    "kl_cov",
}  # fmt: skip


def test_these_are_all_its_policy_losses(verl):
    assert set(verl.POLICY_LOSS_REGISTRY) == COVERED


@aggregations
def test_gpg_is_the_plain_policy_gradient(mode, reduce, padded, verl):
    theirs, _ = theirs_of(verl, "gpg", padded, mode, 0.2, 0.2, 3.0)
    ours, _ = Reinforce(reduce=reduce)(flat(*padded))
    agree(ours, theirs, padded[1])


@aggregations
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.28), (1.0, 4.0), (0.1, 0.3)])
def test_cispo(mode, reduce, low, high, padded, verl):
    theirs, metrics = theirs_of(verl, "cispo", padded, mode, low, high, 3.0)
    ours, terms = Reinforce(o.Bounded(low, high), reduce=reduce)(flat(*padded))
    agree(ours, theirs, padded[1])
    assert terms["ratio_clipped"].item() == pytest.approx(metrics["actor/pg_clipfrac"], abs=1e-6)


@pytest.mark.parametrize(("hot", "cold"), [(1.0, 1.05), (0.5, 3.0)])
@pytest.mark.parametrize("mode", ["token-mean", "seq-mean-token-mean"])
def test_sapo_averages_by_trajectory_whatever_it_is_told(mode, hot, cold, padded, verl):
    theirs, _ = theirs_of(verl, "sapo", padded, mode, 0.2, 0.2, 3.0, tau_pos=hot, tau_neg=cold)
    ours, _ = o.SoftClipped(hot, cold)(flat(*padded))
    agree(ours, theirs, padded[1])


@pytest.mark.parametrize(("low", "high"), [(0.4, 0.4), (0.1, 0.3)])
def test_geo_mean(low, high, padded, verl):
    """Its clip looks at the credit of each token; its loss takes the mean of the credits, as the reduction does."""
    theirs, metrics = theirs_of(verl, "geo_mean", padded, "token-mean", low, high, 3.0)
    s = flat(*padded)
    ours, _ = Clipped(1.0, math.inf, ratio=o.GeometricRatio(low, high), reduce=o.SequenceMean())(s)
    agree(ours, theirs, padded[1])
    out = (s.log_ratio() != s.log_ratio().clamp(-low, high)).double()
    for name, side in (("", s.advantage > 0), ("_lower", s.advantage < 0)):
        assert s.token_mean(out * side).item() == pytest.approx(metrics[f"actor/pg_clipfrac{name}"], abs=1e-6)


def likely(padded):
    """The same with chances below one: the trust regions read chances, not ratios."""
    old, new, *rest = padded
    return old - 0.05, new.detach().clamp(max=-0.01).requires_grad_(), *rest


@aggregations
@pytest.mark.parametrize(
    ("name", "low", "high", "cap", "distance"),
    [
        ("dppo_tv", 0.1, 0.15, 3.0, o.TotalVariation()),
        ("dppo_tv", 0.02, 0.01, 1.1, o.TotalVariation()),
        ("dppo_kl", 0.02, 0.05, 3.0, o.BinaryKL()),
        ("dppo_kl", 0.002, 0.001, 20.0, o.BinaryKL()),
    ],
)
def test_dppo(mode, reduce, name, low, high, cap, distance, padded, verl):
    padded = likely(padded)
    theirs, metrics = theirs_of(verl, name, padded, mode, low, high, cap)
    s, weight = flat(*padded), o.Within(low, high, distance, cap)
    ours, _ = Reinforce(weight, reduce=reduce)(s)
    agree(ours, theirs, padded[1])
    outside = (weight(s.log_ratio().detach(), s) == 0).double()
    assert s.token_mean(outside).item() == pytest.approx(metrics["actor/pg_clipfrac"], abs=1e-6)
    assert 0 < metrics["actor/pg_clipfrac"] < 1


@aggregations
@pytest.mark.parametrize("beta", [0.1, 2.0])
def test_dro_is_the_plain_policy_gradient_and_a_pull_to_the_old_policy(mode, reduce, beta, padded, verl):
    theirs, _ = theirs_of(verl, "dro", padded, mode, 0.2, 0.2, 3.0, policy={"dro_beta": beta})
    objective = Reinforce(reduce=reduce) + o.KL(beta, o.K2(), reduce, reference=Given("old_logprob"))
    agree(objective(flat(*padded))[0], theirs, padded[1])


def bypass(**more):
    return {"rollout_correction": {"rollout_rs": None, "rollout_is_batch_normalize": False, **more}}


@aggregations
@pytest.mark.parametrize(
    ("told", "objective"),
    [
        ({"loss_type": "ppo_clip"}, lambda reduce: Clipped(0.2, 0.28, reduce=reduce, dual=3.0)),
        ({"loss_type": "reinforce", "rollout_is": None}, lambda reduce: Reinforce(reduce=reduce)),
        (
            {"loss_type": "reinforce", "rollout_is": "token", "rollout_is_threshold": 2.0},
            lambda reduce: Reinforce(o.Bounded(1.0, 1.0), reduce=reduce),
        ),
        (
            {"loss_type": "reinforce", "rollout_is": "sequence", "rollout_is_threshold": 1.5},
            lambda reduce: Reinforce(o.Bounded(1.0, 0.5), o.SequenceProduct(), reduce),
        ),
    ],
)
def test_bypass_mode(mode, reduce, told, objective, padded, verl):
    theirs, _ = theirs_of(verl, "bypass_mode", padded, mode, 0.2, 0.28, 3.0, policy=bypass(**told))
    agree(objective(reduce)(flat(*padded))[0], theirs, padded[1])


def grouped(padded, group=(0,) * 7):
    """verl ranks the tokens of a micro-batch; here they are ranked in each group, so all are of one."""
    return replace(flat(*padded), group=torch.tensor(group))


def kl_cov(share, beta, reduce):
    pull = o.KL(beta, o.Absolute(), reduce, reference=Given("old_logprob"))
    return Clipped(1.0, math.inf, reduce=reduce) + o.Only(o.TopCovariance(share), pull)


@aggregations
@pytest.mark.parametrize(("share", "beta"), [(0.3, 1.0), (0.0002, 2.0), (1.0, 0.5)])
def test_kl_cov(mode, reduce, share, beta, padded, verl):
    told = {"kl_cov_ratio": share, "ppo_kl_coef": beta}
    theirs, _ = theirs_of(verl, "kl_cov", padded, mode, 0.2, 0.2, 3.0, policy=told)
    agree(kl_cov(share, beta, reduce)(grouped(padded))[0], theirs, padded[1])


def clip_cov(share, least, most, reduce):
    return o.Only(o.BandCovariance(share, least, most, 0.2, 0.28), Clipped(0.2, 0.28, reduce=reduce))


@aggregations
@pytest.mark.parametrize(("least", "most"), [(0.1, 5.0), (-1.0, 0.5), (90.0, 99.0)])
def test_clip_cov_that_leaves_out_the_whole_band(mode, reduce, least, most, padded, verl):
    told = {"clip_cov_ratio": 1.0, "clip_cov_lb": least, "clip_cov_ub": most}
    theirs, metrics = theirs_of(verl, "clip_cov", padded, mode, 0.2, 0.28, 3.0, policy=told)
    s = grouped(padded)
    agree(clip_cov(1.0, least, most, reduce)(s)[0], theirs, padded[1])
    out = ~o.BandCovariance(1.0, least, most, 0.2, 0.28)(s)
    assert s.token_mean(out.double()).item() == pytest.approx(metrics["actor/pg_clipfrac"], abs=1e-6)


def test_differs_clip_cov_draws_a_part_of_the_band_anew_at_each_call_and_ours_once(padded, verl):
    """As many tokens, and others: by verl's draw, by a fixed shuffle here."""
    told = {"clip_cov_ratio": 0.1, "clip_cov_lb": 0.0, "clip_cov_ub": 5.0}
    s, where = grouped(padded), o.BandCovariance(0.1, 0.0, 5.0, 0.2, 0.28)
    out = s.token_mean((~where(s)).double()).item()
    drawn = set()
    for seed in range(4):
        torch.manual_seed(seed)
        theirs, metrics = theirs_of(verl, "clip_cov", padded, "token-mean", 0.2, 0.28, 3.0, policy=told)
        assert metrics["actor/pg_clipfrac"] == pytest.approx(out, abs=1e-6)
        drawn.add(round(theirs.item(), 9))
    mine = {clip_cov(0.1, 0.0, 5.0, o.TokenMean())(s)[0].item() for _ in range(4)}
    assert len(mine) == 1 and len(drawn) > 1


def test_differs_kl_cov_ranks_a_micro_batch_and_ours_each_group(padded, verl):
    """One token of the micro-batch in verl, one of each of two groups here: so the result is that of no cut."""
    told = {"kl_cov_ratio": 0.0002, "ppo_kl_coef": 1.0}
    theirs, _ = theirs_of(verl, "kl_cov", padded, "token-mean", 0.2, 0.2, 3.0, policy=told)
    ours = kl_cov(0.0002, 1.0, o.TokenMean())
    two = grouped(padded, (0, 0, 0, 0, 1, 1, 1))
    assert int(o.TopCovariance(0.0002)(two).sum()) == 2 and int(o.TopCovariance(0.0002)(grouped(padded)).sum()) == 1
    assert abs(ours(two)[0].item() - theirs.item()) > 1e-4
    first = two.sequence < 4
    cut = sum(ours(two.take(part))[0] for part in (first, ~first))
    assert cut.item() == pytest.approx(ours(two)[0].item(), abs=1e-12)


def test_differs_an_answer_without_tokens_is_in_the_mean_of_geo_mean_and_not_in_ours(padded, verl):
    old, new, advantage, reference, mask = padded
    mask = mask.clone()
    mask[0] = 0
    padded = (old, new, advantage, reference, mask)
    theirs, _ = theirs_of(verl, "geo_mean", padded, "token-mean", 0.4, 0.4, 3.0)
    ours, _ = Clipped(1.0, math.inf, ratio=o.GeometricRatio(), reduce=o.SequenceMean())(flat(*padded))
    agree(ours * 6 / 7, theirs, new)


def test_differs_the_bound_on_a_far_ratio_is_ten_in_verls_gspo_and_twenty_here(padded, verl):
    """In logs, and from above alone. A bad answer e^15 times as likely: its share is e^10 there, e^15 here."""
    old, _, advantage, reference, mask = padded
    far = (old + 15.0).detach().requires_grad_()
    bad = -torch.ones_like(advantage)
    theirs, _ = theirs_of(verl, "gspo", (old, far, bad, reference, mask), "seq-mean-token-mean", 0.1, 0.1, 3.0)
    ours, _ = Clipped(0.1, 0.1, SequenceRatio(), o.SequenceMean())(flat(old, far, bad, reference, mask))
    assert theirs.item() == pytest.approx(math.exp(10)) and ours.item() == pytest.approx(math.exp(15))


def test_differs_verls_cispo_and_vanilla_share_a_default_of_02(padded, verl):
    """A weight in [0.8, 1.2] where none is set; the recipe has [0, 5]."""
    from guerdon.recipes import get

    weight = get("cispo").objective.weight
    theirs, _ = theirs_of(verl, "cispo", padded, "token-mean", *[verl.Config(strategy="fsdp", rollout_n=1,
        use_dynamic_bsz=True).clip_ratio_low] * 2, 3.0)  # fmt: skip
    agree(Reinforce(o.Bounded(0.2, 0.2))(flat(*padded))[0], theirs, padded[1])
    assert (1 - weight.low, 1 + weight.high) == (0.0, 5.0)


MEAN = o.TokenMean()
IN_32_BITS = {
    "vanilla": (Clipped(0.2, 0.28, dual=3.0), {}),
    "gspo": (Clipped(0.2, 0.28, TokenGradient(SequenceRatio())), {}),
    "gpg": (Reinforce(), {}),
    "cispo": (Reinforce(o.Bounded(0.2, 0.28)), {}),
    "sapo": (o.SoftClipped(), {}),
    "geo_mean": (Clipped(1.0, math.inf, o.GeometricRatio(0.2, 0.28), o.SequenceMean()), {}),
    "dppo_tv": (Reinforce(o.Within(0.2, 0.28, cap=3.0)), {}),
    "dppo_kl": (Reinforce(o.Within(0.2, 0.28, o.BinaryKL(), 3.0)), {}),
    "dro": (Reinforce() + o.KL(0.5, o.K2(), reference=Given("old_logprob")), {"dro_beta": 0.5}),
    "bypass_mode": (Clipped(0.2, 0.28, dual=3.0), bypass(loss_type="ppo_clip")),
    "clip_cov": (clip_cov(1.0, 0.1, 5.0, MEAN), {"clip_cov_ratio": 1.0, "clip_cov_lb": 0.1, "clip_cov_ub": 5.0}),
    "kl_cov": (kl_cov(0.3, 1.0, MEAN), {"kl_cov_ratio": 0.3, "ppo_kl_coef": 1.0}),
}


@pytest.mark.parametrize("name", IN_32_BITS)
def test_in_32_bits_each_agrees_to_a_hundred_thousandth(name, padded, verl):
    assert IN_32_BITS.keys() == COVERED
    objective, policy = IN_32_BITS[name]
    padded = tuple(x.detach().float() for x in likely(padded))
    padded[1].requires_grad_()
    theirs, _ = theirs_of(verl, name, padded, "token-mean", 0.2, 0.28, 3.0, policy=policy)
    ours, _ = objective(grouped(padded))
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)
    got, wanted = (torch.autograd.grad(x, padded[1])[0] for x in (ours, theirs))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "estimator"), [("k1", o.K1()), ("k2", o.K2()), ("k3", o.K3())])
def test_kl_penalty(name, estimator, padded, verl):
    _, new, _, reference, mask = padded
    penalty = verl.kl_penalty(new, reference, name)
    theirs = verl.agg_loss(penalty, mask, "token-mean")
    ours, _ = o.KL(1.0, estimator)(flat(*padded))
    torch.testing.assert_close(estimator(new, reference), penalty, atol=1e-6, rtol=1e-6)
    agree(ours, theirs, new)
