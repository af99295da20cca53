"""Sum and Scaled: objectives add, and every objective obeys the laws that a trainer relies on."""

from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import KL, Clipped, Entropy, Imitate, Objective, On, StepRatio, Stream, Sum
from guerdon.objectives.base import UNITS
from guerdon.objectives.stream import PER_PLAY, PER_TOKEN, Pairs, Top

OPTIONAL = frozenset({"entropy", "ref_logprob", "teacher_logprob", "outcome", "group", "top", "pairs"})
HELD = ("old_logprob", "advantage", "ref_logprob", "teacher_logprob")


def learnt(stream):
    """The tensors that have a gradient, as fresh leaves, and the stream on them."""
    learning = [stream.logprob, stream.entropy, *([stream.top.logprob] if stream.top is not None else [])]
    learning += [other.logprob for other in stream.beside.values()]
    leaves = [x.detach().clone().requires_grad_() for x in learning]
    return leaves, rebuild(stream, *leaves)


def rebuild(stream, logprob, entropy, top=None, other=None):
    top = stream.top if top is None else Top(top, stream.top.teacher_logprob)
    beside = {name: replace(s, logprob=s.logprob if other is None else other) for name, s in stream.beside.items()}
    return replace(stream, logprob=logprob, entropy=entropy, top=top, beside=beside)


def all_of(stream):
    """What `take` needs to hear to leave the streams beside as they are."""
    return {name: torch.arange(len(s.logprob)) for name, s in stream.beside.items()}


def gradients(loss, leaves):
    got = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(got, leaves, strict=True)]


# Laws of every objective.


def test_gradient_is_that_of_finite_differences(smooth_objective, stream_of):
    leaves, stream = learnt(stream_of(3, weighted=True))
    assert torch.autograd.gradcheck(lambda *x: smooth_objective(rebuild(stream, *x))[0], leaves)


def test_gradient_is_finite(objective, stream):
    leaves, stream = learnt(stream)
    assert all(g.isfinite().all() for g in gradients(objective(stream)[0], leaves))


def split(stream, unit, seed):
    """Three micro-batches at random, no `unit` cut in two; one of them may well be empty."""
    owner = {"token": torch.arange(len(stream.logprob)), "step": stream.step, "sequence": stream.sequence}
    owner = owner[unit] if unit != "group" else stream.group[stream.sequence]
    place = torch.randint(0, 3, (int(owner.max()) + 1,), generator=torch.Generator().manual_seed(seed))
    return [(place[owner] == k).nonzero().flatten() for k in range(3)]


def test_micro_batches_add_up_to_the_whole(objective, stream):
    leaves, stream = learnt(stream)
    loss, terms = objective(stream)
    places = split(stream, objective.whole, seed=len(stream.logprob))
    beside = {name: split(s, objective.whole, seed=1) for name, s in stream.beside.items()}
    parts = [objective(stream.take(at, {name: x[k] for name, x in beside.items()})) for k, at in enumerate(places)]
    summed = sum(part_loss for part_loss, _ in parts)
    assert summed.item() == pytest.approx(loss.item(), abs=1e-12)
    for one, other in zip(gradients(loss, leaves), gradients(summed, leaves), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)
    for name, value in terms.items():
        assert sum(part[name].item() for _, part in parts) == pytest.approx(value.item(), abs=1e-7), name


def test_a_weight_of_zero_is_a_token_that_is_not_there(objective, stream_of):
    s = stream_of(5, weighted=True)
    dropped, kept = s.weight == 0, s.weight != 0
    assert 0 < int(dropped.sum()) < len(dropped)
    junk = {name: getattr(s, name).detach().masked_fill(dropped, torch.nan) for name in ("logprob", "entropy")}
    logprob, entropy = junk["logprob"].requires_grad_(), junk["entropy"].requires_grad_()
    held = {name: getattr(s, name) for name in HELD if getattr(s, name) is not None}
    other = {name: x.masked_fill(dropped, torch.inf) for name, x in held.items()}
    rows = [x.detach().masked_fill(dropped[:, None], torch.nan) for x in (s.top.logprob, s.top.teacher_logprob)]
    junk_top = Top(rows[0].requires_grad_(), rows[1])
    poisoned, without = rebuild(replace(s, **other, top=junk_top), logprob, entropy), s.take(kept, all_of(s))
    assert without.tokens == len(without.logprob)
    loss, terms = objective(poisoned)
    expected, expected_terms = objective(without)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert {k: v.item() for k, v in terms.items()} == pytest.approx({k: v.item() for k, v in expected_terms.items()})
    for gradient in gradients(loss, [logprob, entropy, junk_top.logprob]):
        assert gradient.isfinite().all()
        assert (gradient[dropped] == 0).all()


def test_the_parts_add_up_to_the_loss_and_every_term_is_announced(objective, stream):
    loss, terms = objective(stream)
    assert tuple(sorted(terms)) == tuple(sorted(objective.reports))
    assert set(objective.parts) <= set(objective.reports)
    assert sum(terms[name] for name in objective.parts).item() == pytest.approx(loss.item(), abs=1e-12)
    assert not any(value.requires_grad for value in terms.values())
    assert all(value.dim() == 0 for value in terms.values())


def test_an_empty_micro_batch_is_a_zero_with_a_gradient(objective, stream):
    leaves, stream = learnt(stream)
    loss, terms = objective(stream.take(torch.zeros(0, dtype=torch.long)))
    assert loss.item() == 0
    assert all(value.item() == 0 for value in terms.values())
    assert all((g == 0).all() for g in gradients(loss, leaves))


def test_an_empty_step_divides_by_nothing(objective):
    no_ids = torch.zeros(0, dtype=torch.long)
    leaves = [torch.zeros(0, requires_grad=True) for _ in range(2)]
    none, top = torch.zeros(0), Top(torch.zeros(0, 3, requires_grad=True), torch.zeros(0, 3))
    s = Stream.of(
        leaves[0], none, none, no_ids, no_ids, entropy=leaves[1], ref_logprob=none, teacher_logprob=none, outcome=none,
        group=no_ids, top=top, pairs=Pairs(no_ids, no_ids, none, 0),
    )  # fmt: skip
    loss, _ = objective(s)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_and_extreme_ratios_stay_finite(objective, dtype, stream_of):
    s = stream_of(1, dtype=torch.float32)
    sign = torch.where(torch.arange(len(s.logprob)) % 2 == 0, 1.0, -1.0)
    for far in (0.0, 50.0, 500.0):
        columns = {"entropy": s.entropy, "outcome": s.outcome}
        columns |= {name: getattr(s, name) - far * sign for name in ("ref_logprob", "teacher_logprob")}
        x = [column.to(dtype) for column in (s.old_logprob + far * sign, s.old_logprob, s.advantage)]
        columns = {name: column.to(dtype) for name, column in columns.items()}
        apart = far * torch.arange(4) * sign[:, None]
        rows = (s.top.logprob + apart, s.top.teacher_logprob - apart)
        top = Top(*(row.log_softmax(-1).to(dtype) for row in rows))
        more = {"group": s.group, "top": top, "pairs": s.pairs}
        leaves, wide = learnt(Stream.of(*x, s.step, s.sequence, **columns, **more))
        wide = replace(wide, beside={"replayed": wide})
        loss, terms = objective(wide)
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        assert all(value.isfinite() for value in terms.values())
        # The gradient of a half-precision leaf has its range; the loss itself is computed in 32 bits.
        wide32 = [x.detach().float().requires_grad_() for x in leaves]
        assert all(g.isfinite().all() for g in gradients(objective(rebuild(wide, *wide32))[0], wide32))


def on_meta(stream):
    there = (*PER_TOKEN, *PER_PLAY, "tokens_of_sequence", "tokens_of_step")
    there = {name: getattr(stream, name).to("meta") for name in there if getattr(stream, name) is not None}
    top = Top(stream.top.logprob.to("meta"), stream.top.teacher_logprob.to("meta"))
    pairs = Pairs(*(getattr(stream.pairs, x).to("meta") for x in ("first", "second", "preference")), stream.pairs.total)
    return replace(stream, **there, top=top, pairs=pairs, beside={k: on_meta(s) for k, s in stream.beside.items()})


def test_nothing_waits_for_the_device(objective, stream):
    """A meta tensor has no numbers, so reading one on the host raises."""
    loss, terms = objective(on_meta(stream))
    assert loss.is_meta
    assert all(value.is_meta for value in terms.values())


def test_it_is_an_objective_that_can_be_compared(objective):
    assert isinstance(objective, Objective)
    assert objective == replace(objective) and hash(objective) == hash(replace(objective))
    assert objective.whole in UNITS


def test_everything_unscored_is_a_zero_with_a_gradient(objective, stream_of):
    leaves, stream = learnt(stream_of(6))
    none = {name: 0 * getattr(stream, name) for name in ("tokens_of_sequence", "tokens_of_step")}
    none |= dict.fromkeys(("tokens", "steps", "sequences", "longest"), 0)
    beside = {name: s.take(torch.zeros(0, dtype=torch.long)) for name, s in stream.beside.items()}
    stream = replace(stream, weight=torch.zeros_like(stream.advantage), beside=beside, **none)
    loss, terms = objective(stream)
    assert loss.item() == 0
    assert all(value.item() == 0 for value in terms.values())
    assert all((g == 0).all() for g in gradients(loss, leaves))


def test_it_reads_what_it_says_that_it_needs(objective, stream):
    less = replace(stream, **dict.fromkeys(OPTIONAL - objective.needs), iteration=stream.iteration)
    less = replace(less, beside={name: s for name, s in stream.beside.items() if name in objective.needs})
    assert objective(less)[0].item() == objective(stream)[0].item()


def test_one_token_is_enough(objective, stream_of):
    leaves, stream = learnt(stream_of(7))
    first = torch.arange(1)
    names = [name for name in PER_TOKEN if getattr(stream, name) is not None]
    one = {name: getattr(stream, name)[:1] for name in names} | {n: getattr(stream, n)[:1] for n in PER_PLAY}
    s = Stream.of(**one, top=stream.top.take(first), pairs=Pairs(first[:0], first[:0], torch.zeros(0), 0))
    loss, _ = objective(s)
    assert loss.isfinite()
    for gradient in gradients(loss, leaves):
        assert gradient.isfinite().all() and (gradient[1:] == 0).all()


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


# Streams beside the main one.


def test_on_another_stream_it_is_the_objective_there(stream_of):
    s = stream_of(3)
    loss, terms = On("replayed", Clipped())(s)
    there, those = Clipped()(s.beside["replayed"])
    assert loss.item() == there.item()
    assert terms == {f"replayed/{name}": value for name, value in those.items()}
    assert On("replayed", KL(0.1)).needs == {"replayed", "ref_logprob"}
    assert On("replayed", Clipped(ratio=StepRatio())).whole == "step"


def test_without_the_stream_beside_it_is_nothing(stream_of):
    """PIPO before it has a history, and SPEAR before it has a replay, are their base."""
    s = replace(stream_of(3), beside={})
    base, more = Clipped(), Clipped() + On("replayed", Clipped())
    assert more(s)[0].item() == base(s)[0].item()
    for one, other in zip(*(torch.autograd.grad(o(s)[0], [s.logprob]) for o in (base, more)), strict=True):
        torch.testing.assert_close(one, other)
    assert more(s)[1]["replayed/surrogate"].item() == 0


def test_the_iteration_is_told_to_the_stream_beside(stream_of):
    s = replace(stream_of(3), iteration=7)
    seen = []

    class Watching(Imitate):
        def __call__(self, stream):
            seen.append(stream.iteration)
            return super().__call__(stream)

    On("replayed", Watching())(s)
    assert seen == [7]
