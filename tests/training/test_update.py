"""update: the gradient is the plain one, however the batch is cut, merged or masked."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, DivergedError
from guerdon.objectives import (
    K2,
    KL,
    Clipped,
    Distil,
    Given,
    Linear,
    On,
    PairClipped,
    PlayTotal,
    Preference,
    Scheduled,
    SequenceRatio,
    StepMean,
    TokenMean,
)
from guerdon.policies import LastState, WholeHistory
from guerdon.policies.score import Inputs, branches
from guerdon.training.config import Config
from guerdon.training.loop import gather
from guerdon.training.update import Tokens, unmet, update
from guerdon.training.warmup import warm_up


class Still(torch.optim.SGD):
    """An optimiser that remembers each gradient and, with lr=0, changes nothing."""

    def __init__(self, model, lr=0.0):
        super().__init__(model.parameters(), lr=lr)
        self.model, self.seen = model, []

    def step(self, closure=None):
        self.seen.append(gradient(self.model))
        super().step(closure)


def gradient(model):
    """All gradients as one vector."""
    return torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in model.parameters()])


PLAIN = Config(minibatches=1, clip_gradient=1e9)


@pytest.fixture(params=[False, True], ids=["last state", "whole history"])
def played(request, make):
    """A policy, and a batch that it has just played, with random advantages."""
    run = make(history=request.param, prompts=4, warm_up_epochs=20)
    run.open(False)
    warm_up(run, lambda run, metrics: None)
    batch = gather(run)
    advantage = np.random.default_rng(0).normal(size=batch.size("step"))
    assert isinstance(run.policy.context, WholeHistory if request.param else LastState)
    return run.policy.model, batch.with_columns(advantage=Column.of("step", advantage))


def slow_loss(model, batch):
    """-mean over sampled tokens of advantage * logprob: one model input at a time, nothing shared."""
    sequence = batch["sequence"].values[batch.step_of_token]
    advantage = batch.lift(batch["advantage"], "token")
    sampled = batch["sampled"].values
    kept = sampled & advantage.valid
    loss = 0.0
    for s in np.unique(sequence):
        at = np.flatnonzero(sequence == s)
        ids = torch.from_numpy(batch["token_id"].values[at].astype(np.int64))
        log = model(ids[None]).logits[0].log_softmax(-1)
        for place, token in enumerate(at):
            if kept[token]:
                loss = loss - float(advantage.values[token]) * log[place - 1, ids[place]] / kept.sum()
    return loss


def fast_gradient(model, batch, config=PLAIN, objective=None):
    """What `update` gives the optimiser, one vector per step."""
    still = Still(model)
    update(model, still, objective or Clipped(), batch, config, seed=0)
    return still.seen


# Against the slow way.


def test_at_ratio_one_the_gradient_is_that_of_reinforce_written_as_a_loop(played):
    model, batch = played
    model.zero_grad()
    slow_loss(model, batch).backward()
    slow = gradient(model)
    (fast,) = fast_gradient(model, batch)
    assert slow.norm() > 1e-3
    assert torch.allclose(fast, slow, atol=1e-6 * float(slow.abs().max()) + 1e-6)


def test_invalid_advantages_are_left_out_of_the_sum_and_of_the_count(played):
    model, batch = played
    valid = np.random.default_rng(1).random(batch.size("step")) < 0.5
    values = np.where(valid, batch["advantage"].values, np.nan)
    masked = batch.with_columns(advantage=Column("step", values, valid))
    model.zero_grad()
    slow_loss(model, masked).backward()
    slow = gradient(model)
    (fast,) = fast_gradient(model, masked)
    assert torch.allclose(fast, slow, atol=1e-6)
    # What stands under an invalid entry does not matter.
    other = batch.with_columns(advantage=Column("step", np.where(valid, values, 1e9), valid))
    assert torch.equal(fast_gradient(model, other)[0], fast)


def test_a_batch_that_says_nothing_changes_nothing(played):
    model, batch = played
    n = batch.size("step")
    silent = batch.with_columns(advantage=Column("step", np.full(n, np.nan), np.zeros(n, bool)))
    still = Still(model, lr=1.0)
    assert update(model, still, Clipped(), silent, PLAIN, 0) == {} and still.seen == []


# However it is cut.


@pytest.mark.parametrize("reduce", [TokenMean(), StepMean()])
def test_the_size_of_a_forward_pass_does_not_change_the_gradient(played, reduce):
    model, batch = played
    (whole,) = fast_gradient(model, batch, PLAIN, Clipped(reduce=reduce))
    for chunk in (1, 64, 200):
        (cut,) = fast_gradient(model, batch, replace(PLAIN, chunk=chunk), Clipped(reduce=reduce))
        assert torch.allclose(cut, whole, atol=1e-6)
    assert whole.norm() > 1e-3


def test_minibatches_are_parts_whose_mean_is_the_whole_batch(played):
    model, batch = played
    (whole,) = fast_gradient(model, batch)
    parts = fast_gradient(model, batch, replace(PLAIN, minibatches=4))
    assert len(parts) == 4
    assert torch.allclose(torch.stack(parts).mean(0), whole, atol=1e-6)
    assert not torch.allclose(parts[0], whole, atol=1e-4)


def test_each_epoch_takes_every_minibatch_in_another_order(played):
    model, batch = played
    parts = fast_gradient(model, batch, replace(PLAIN, minibatches=2, epochs=3))
    assert len(parts) == 6
    epochs = [(parts[i] + parts[i + 1]) / 2 for i in (0, 2, 4)]
    assert torch.allclose(epochs[0], epochs[1], atol=1e-6) and torch.allclose(epochs[0], epochs[2], atol=1e-6)
    assert not torch.allclose(parts[0], parts[2], atol=1e-4)


def test_what_is_reported_is_the_mean_of_the_whole_batch(played):
    model, batch = played
    one = update(model, Still(model), Clipped(), batch, PLAIN, 0)
    four = update(model, Still(model), Clipped(), batch, replace(PLAIN, minibatches=4), 0)
    assert one["loss"] == pytest.approx(four["loss"], abs=1e-6)
    assert one["entropy"] == pytest.approx(four["entropy"], rel=1e-5)
    assert one["ratio_clipped"] == 0.0 and one["kl_old"] == pytest.approx(0, abs=1e-6)
    at = batch["sampled"].values
    assert one["loss"] == pytest.approx(-batch.lift(batch["advantage"], "token").values[at].mean(), abs=1e-5)


def test_the_gradient_is_clipped_and_its_norm_before_that_is_reported(played):
    model, batch = played
    (whole,) = fast_gradient(model, batch)
    still = Still(model)
    said = update(model, still, Clipped(), batch, replace(PLAIN, clip_gradient=0.01), 0)
    assert said["grad_norm"] == pytest.approx(float(whole.norm()), rel=1e-4)
    assert float(still.seen[0].norm()) == pytest.approx(0.01, rel=1e-3)


def test_with_fewer_inputs_than_minibatches_there_are_fewer_steps_of_the_right_size(played):
    model, batch = played
    (whole,) = fast_gradient(model, batch)
    parts = fast_gradient(model, batch, replace(PLAIN, minibatches=10_000))
    assert 1 < len(parts) <= batch.size("step")
    assert torch.allclose(torch.stack(parts).mean(0), whole, atol=1e-6)
    one = update(model, Still(model), Clipped(), batch, PLAIN, 0)
    assert update(model, Still(model), Clipped(), batch, replace(PLAIN, minibatches=10_000), 0)[
        "loss"
    ] == pytest.approx(one["loss"], abs=1e-6)


# Trajectories whole.


@dataclass(frozen=True)
class Spy:
    """Writes down which trajectories, and how much of each, an objective sees at once."""

    inner: Clipped
    log: list

    @property
    def whole(self):
        return self.inner.whole

    @property
    def needs(self):
        return self.inner.needs

    @property
    def reports(self):
        return self.inner.reports

    def __call__(self, stream):
        ids, count = stream.sequence.unique(return_counts=True)
        self.log.append({int(i): (int(n), int(stream.tokens_of_sequence[i])) for i, n in zip(ids, count, strict=True)})
        return self.inner(stream)


def test_an_objective_of_sequences_sees_each_of_them_whole(played):
    model, batch = played
    cut = replace(PLAIN, minibatches=3, chunk=1)
    whole, pieces = Spy(Clipped(ratio=SequenceRatio()), []), Spy(Clipped(), [])
    update(model, Still(model), whole, batch, cut, 0)
    update(model, Still(model), pieces, batch, cut, 0)
    assert len(whole.log) == 3 and all(n == of for seen in whole.log for n, of in seen.values())
    assert sorted(i for seen in whole.log for i in seen) == list(range(batch.size("trajectory")))
    shared = len(set(batch["sequence"].values.tolist())) > batch.size("trajectory")  # last state: pieces of plays
    assert shared == any(n < of for seen in pieces.log for n, of in seen.values())


def test_an_objective_of_groups_sees_each_of_them_whole(played):
    model, batch = played
    whole = Spy(Preference(ratio=PlayTotal(Given("old_logprob"))), [])
    update(model, Still(model), whole, batch, replace(PLAIN, minibatches=3, chunk=1), 0)
    assert len(whole.log) == 3 and all(n == of for seen in whole.log for n, of in seen.values())
    seen = [{int(batch.group_of_trajectory[i]) for i in part} for part in whole.log]
    assert sorted(g for part in seen for g in part) == list(range(batch.size("group")))


def test_pairs_are_those_of_the_batch_or_every_two_plays_of_a_group(played):
    model, batch = played
    objective = PairClipped(1.0, 1e9)

    def pairs_of(batch):
        return Tokens(batch, Inputs.of(batch, branches(model)), "cpu", objective.needs).pairs

    group = batch.group_of_trajectory
    every = pairs_of(batch)
    assert every.total == len(every.first) == sum(n * (n - 1) // 2 for n in np.bincount(group))
    assert (group[every.first] == group[every.second]).all()
    judged = pa.table({"first": [1, 0], "second": [0, 1], "preference": [3.0, 1.0]})
    listed = pairs_of(batch.with_relations(pairs=judged))
    assert (listed.first.tolist(), listed.second.tolist(), listed.preference.tolist()) == ([0], [1], [-1.0])
    assert fast_gradient(model, batch, objective=objective)[0].abs().max() > 1e-6


def test_at_ratio_one_a_sequence_ratio_spreads_the_mean_advantage(played):
    model, batch = played
    advantage = np.random.default_rng(2).normal(size=batch.size("trajectory"))
    even = batch.with_columns(advantage=Column.of("trajectory", advantage))
    (token,) = fast_gradient(model, even)
    (sequence,) = fast_gradient(model, even, PLAIN, Clipped(ratio=SequenceRatio()))
    assert torch.allclose(token, sequence, atol=1e-6)


# It stops where numbers do.


def test_nan_weights_stop_the_update_before_the_step(played):
    model, batch = played
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    still = Still(model)
    with pytest.raises(DivergedError, match=r"loss.*lower the learning rate"):
        update(model, still, Clipped(), batch, PLAIN, 0)
    assert still.seen == []


def test_weights_that_a_step_broke_stop_it_after(played):
    model, batch = played

    class Breaks(Still):
        def step(self, closure=None):
            with torch.no_grad():
                next(self.model.parameters()).fill_(math.inf)

    with pytest.raises(DivergedError, match=r"after it.*not finite"):
        update(model, Breaks(model), Clipped(), batch, PLAIN, 0)


def test_a_batch_in_which_nothing_was_said_changes_nothing(played):
    model, batch = played
    bare = Batch(batch.step_of_token[:0], batch.trajectory_of_step, batch.group_of_trajectory, {})
    still = Still(model, lr=1.0)
    assert update(model, still, Clipped(), bare, PLAIN, 0) == {} and still.seen == []


# Streams beside the main one, and what an update cannot fill.


def test_a_stream_beside_has_its_own_tokens_and_totals(played):
    model, batch = played
    old = np.arange(batch.size("trajectory")) % 3 == 0
    batch = batch.with_columns(replayed=Column.of("trajectory", old))
    (fresh,) = fast_gradient(model, drop(batch, old))
    (again,) = fast_gradient(model, drop(batch, ~old))
    (both,) = fast_gradient(model, batch, objective=Clipped() + 0.5 * On("replayed", Clipped()))
    torch.testing.assert_close(both, fresh + 0.5 * again, atol=1e-6, rtol=1e-4)
    small = replace(PLAIN, chunk=64)
    (pieces,) = fast_gradient(model, batch, small, Clipped() + 0.5 * On("replayed", Clipped()))
    torch.testing.assert_close(pieces, both, atol=1e-6, rtol=1e-4)


def drop(batch, plays):
    """The batch with the plays unscored."""
    advantage = batch["advantage"]
    valid = advantage.valid & ~plays[batch.trajectory_of_step]
    return batch.with_columns(advantage=Column("step", advantage.values, valid))


def test_a_teacher_and_an_iteration_reach_the_objective(played):
    model, batch = played
    teacher = Column("token", batch["logprob"].values - 1.0, batch["logprob"].valid)
    pull = Scheduled(KL(1.0, K2(), reference=Given("teacher_logprob")), Linear(0.0, 1.0, over=4))
    terms = update(model, Still(model), pull, batch.with_columns(teacher_logprob=teacher), PLAIN, 0, iteration=2)
    assert terms["kl_ref"] == pytest.approx(0.5, abs=1e-3)  # the square of one, halved
    assert terms["kl_ref_loss"] == pytest.approx(0.25, abs=1e-3)


def test_what_a_batch_lacks_is_named(played):
    model, batch = played
    with pytest.raises(ColumnError, match=r"'top'.*another objective"):
        update(model, Still(model), Distil(), batch, PLAIN, 0)
    assert unmet(Distil().needs, {"top"}) == ["top"]  # whatever a column is called
    assert unmet((On("replayed", KL(0.1)) + Clipped()).needs, {"outcome"}) == ["replayed"]
