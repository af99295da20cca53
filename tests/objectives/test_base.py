"""Sum and Scaled: objectives add, and every objective obeys the laws that a trainer relies on."""

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import (
    K1,
    K2,
    K3,
    KL,
    Clipped,
    ConstantLength,
    Entropy,
    Imitate,
    Objective,
    SequenceMean,
    SequenceRatio,
    StepMean,
    StepRatio,
    Stream,
    Sum,
    TokenGradient,
    TokenMean,
    TokenRatio,
)

REDUCTIONS = (TokenMean(), SequenceMean(), StepMean(), ConstantLength(), ConstantLength(7))
RATIOS = (TokenRatio(), StepRatio(), SequenceRatio(), TokenGradient(StepRatio()), TokenGradient(SequenceRatio()))
MIXED = 0.5 * (Clipped(0.2, 0.28, reduce=SequenceMean()) + KL(0.04)) + Entropy(0.01)
OBJECTIVES = (
    *(Clipped(ratio=ratio, reduce=reduce) for ratio in RATIOS for reduce in REDUCTIONS),
    Clipped(dual=3.0),
    Clipped(0.1, 0.3, ratio=StepRatio(), dual=1.5),
    *(KL(0.1, estimator, reduce) for estimator in (K1(), K2(), K3()) for reduce in REDUCTIONS),
    *(Entropy(0.01, reduce) for reduce in REDUCTIONS),
    *(Imitate(0.5, reduce=reduce) for reduce in REDUCTIONS),
    MIXED,
)
every = pytest.mark.parametrize("objective", OBJECTIVES, ids=str)


def learnt(stream):
    """The tensors that have a gradient, as fresh leaves, and the stream on them."""
    leaves = [stream.logprob.detach().clone().requires_grad_(), stream.entropy.detach().clone().requires_grad_()]
    return leaves, rebuild(stream, *leaves)


def rebuild(s, logprob, entropy):
    return Stream.of(
        logprob, s.old_logprob, s.advantage, s.step, s.sequence, longest=s.longest,
        entropy=entropy, ref_logprob=s.ref_logprob, weight=s.weight,
    )  # fmt: skip


def gradients(loss, leaves):
    got = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(got, leaves, strict=True)]


# Laws of every objective.


@every
def test_gradient_is_that_of_finite_differences(objective, stream_of):
    leaves, stream = learnt(stream_of(3, weighted=True))
    if not isinstance(objective, Clipped) or not isinstance(objective.ratio, TokenGradient):
        assert torch.autograd.gradcheck(lambda *x: objective(rebuild(stream, *x))[0], leaves)
    else:  # stop-gradients are there so that the gradient is another one; see test_ratio.py
        assert all(g.isfinite().all() for g in gradients(objective(stream)[0], leaves))


def split(stream, unit, seed):
    """Three micro-batches at random, no `unit` cut in two; one of them may well be empty."""
    owner = {"token": torch.arange(len(stream.logprob)), "step": stream.step, "sequence": stream.sequence}[unit]
    place = torch.randint(0, 3, (int(owner.max()) + 1,), generator=torch.Generator().manual_seed(seed))
    return [(place[owner] == k).nonzero().flatten() for k in range(3)]


@every
def test_micro_batches_add_up_to_the_whole(objective, stream):
    leaves, stream = learnt(stream)
    loss, terms = objective(stream)
    parts = [objective(stream.take(index)) for index in split(stream, objective.whole, seed=len(stream.logprob))]
    summed = sum(part_loss for part_loss, _ in parts)
    assert summed.item() == pytest.approx(loss.item(), abs=1e-12)
    for one, other in zip(gradients(loss, leaves), gradients(summed, leaves), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)
    for name, value in terms.items():
        assert sum(part[name].item() for _, part in parts) == pytest.approx(value.item(), abs=1e-7), name


@every
def test_a_weight_of_zero_is_a_token_that_is_not_there(objective, stream_of):
    s = stream_of(5, weighted=True)
    dropped, kept = s.weight == 0, s.weight != 0
    assert 0 < int(dropped.sum()) < len(dropped)
    junk = {name: getattr(s, name).detach().masked_fill(dropped, torch.nan) for name in ("logprob", "entropy")}
    logprob, entropy = junk["logprob"].requires_grad_(), junk["entropy"].requires_grad_()
    other = {name: getattr(s, name).masked_fill(dropped, torch.inf) for name in ("old_logprob", "advantage")}
    poisoned = Stream.of(
        logprob, other["old_logprob"], other["advantage"], s.step, s.sequence, longest=s.longest,
        entropy=entropy, ref_logprob=s.ref_logprob.masked_fill(dropped, torch.nan), weight=s.weight,
    )  # fmt: skip
    without = Stream.of(
        s.logprob[kept], s.old_logprob[kept], s.advantage[kept], s.step[kept], s.sequence[kept], longest=s.longest,
        entropy=s.entropy[kept], ref_logprob=s.ref_logprob[kept], weight=s.weight[kept],
    )  # fmt: skip
    loss, terms = objective(poisoned)
    expected, expected_terms = objective(without)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert {k: v.item() for k, v in terms.items()} == pytest.approx({k: v.item() for k, v in expected_terms.items()})
    for gradient in gradients(loss, [logprob, entropy]):
        assert gradient.isfinite().all()
        assert (gradient[dropped] == 0).all()


@every
def test_the_parts_add_up_to_the_loss_and_every_term_is_announced(objective, stream):
    loss, terms = objective(stream)
    assert tuple(sorted(terms)) == tuple(sorted(objective.reports))
    assert set(objective.parts) <= set(objective.reports)
    assert sum(terms[name] for name in objective.parts).item() == pytest.approx(loss.item(), abs=1e-12)
    assert not any(value.requires_grad for value in terms.values())
    assert all(value.dim() == 0 for value in terms.values())


@every
def test_an_empty_micro_batch_is_a_zero_with_a_gradient(objective, stream):
    leaves, stream = learnt(stream)
    loss, terms = objective(stream.take(torch.zeros(0, dtype=torch.long)))
    assert loss.item() == 0
    assert all(value.item() == 0 for value in terms.values())
    assert all((g == 0).all() for g in gradients(loss, leaves))


@every
def test_an_empty_step_divides_by_nothing(objective):
    no_ids = torch.zeros(0, dtype=torch.long)
    leaves = [torch.zeros(0, requires_grad=True) for _ in range(2)]
    none = torch.zeros(0)
    s = Stream.of(leaves[0], none, none, no_ids, no_ids, entropy=leaves[1], ref_logprob=none)
    loss, _ = objective(s)
    loss.backward()
    assert loss.item() == 0


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_and_extreme_ratios_stay_finite(objective, dtype, stream_of):
    s = stream_of(1, dtype=torch.float32)
    sign = torch.where(torch.arange(len(s.logprob)) % 2 == 0, 1.0, -1.0)
    for far in (0.0, 50.0, 500.0):
        columns = {"entropy": s.entropy, "ref_logprob": s.ref_logprob - far * sign}
        x = [column.to(dtype) for column in (s.old_logprob + far * sign, s.old_logprob, s.advantage)]
        columns = {name: column.to(dtype) for name, column in columns.items()}
        leaves, wide = learnt(Stream.of(*x, s.step, s.sequence, **columns))
        loss, terms = objective(wide)
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        assert all(value.isfinite() for value in terms.values())
        # The gradient of a half-precision leaf has its range; the loss itself is computed in 32 bits.
        wide32 = [x.detach().float().requires_grad_() for x in leaves]
        assert all(g.isfinite().all() for g in gradients(objective(rebuild(wide, *wide32))[0], wide32))


@every
def test_nothing_waits_for_the_device(objective, stream):
    """A meta tensor has no numbers, so reading one on the host raises."""
    columns = ("logprob", "old_logprob", "advantage", "step", "sequence", "tokens_of_sequence", "tokens_of_step")
    meta = {name: getattr(stream, name).to("meta") for name in (*columns, "entropy", "ref_logprob")}
    weight = None if stream.weight is None else stream.weight.to("meta")
    totals = {name: getattr(stream, name) for name in ("tokens", "steps", "sequences", "longest")}
    loss, terms = objective(Stream(**meta, **totals, weight=weight))
    assert loss.is_meta
    assert all(value.is_meta for value in terms.values())


@every
def test_it_is_an_objective_that_can_be_compared(objective):
    assert isinstance(objective, Objective)
    assert hash(objective) == hash(OBJECTIVES[OBJECTIVES.index(objective)])
    assert objective.whole in ("token", "step", "sequence")


# Addition.


def test_a_sum_is_the_sum_of_losses_and_of_gradients(stream_of):
    leaves, stream = learnt(stream_of(2))
    a, b, c = Clipped(), KL(0.3), Entropy(0.2)
    expected = a(stream)[0] + 0.5 * b(stream)[0] + 2 * c(stream)[0]
    loss, _ = (a + 0.5 * b + c * 2.0)(stream)
    assert loss.item() == pytest.approx(expected.item())
    for one, other in zip(gradients(loss, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(one, other)


def test_scaling_moves_the_part_and_not_the_measurement(stream_of):
    stream = stream_of()
    before, after = Entropy(0.1)(stream)[1], (3.0 * Entropy(0.1))(stream)[1]
    assert after["entropy_loss"].item() == pytest.approx(3 * before["entropy_loss"].item())
    assert after["entropy"].item() == before["entropy"].item()


def test_sums_are_flat_and_know_their_needs():
    a, b, c = Clipped(ratio=StepRatio()), KL(0.1), Entropy(0.1)
    assert (a + b) + c == a + (b + c) == Sum((a, b, c))
    assert (a + b + c).needs == {"ref_logprob", "entropy"}
    assert a.needs == frozenset()
    assert (b + a).whole == "step"
    assert (b + c).whole == "token"


def test_two_terms_of_one_name_are_refused_and_a_name_is_the_way_out(stream_of):
    with pytest.raises(ValueError, match=r"surrogate.*name="):
        Clipped() + Clipped(ratio=StepRatio())
    both = Clipped() + Clipped(ratio=StepRatio(), name="step_surrogate")
    assert set(both(stream_of())[1]) == set(both.reports)
    assert "step_surrogate/ratio_clipped" in both.reports


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no addend"):
        Sum(())


@pytest.mark.parametrize("other", [1, "kl", None])
def test_only_objectives_add(other):
    with pytest.raises(TypeError):
        Clipped() + other


@pytest.mark.parametrize(("objective", "name"), [(KL(0.1), "ref_logprob"), (Entropy(0.1), "entropy")])
def test_a_stream_without_what_is_needed_is_refused(objective, name, stream_of):
    s = stream_of()
    with pytest.raises(ColumnError, match=f"no {name}"):
        objective(Stream.of(s.logprob, s.old_logprob, s.advantage, s.step, s.sequence))
