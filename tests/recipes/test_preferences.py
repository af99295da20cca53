"""The preference family and the classifiers as recipes: which way they pull, and what they reduce to."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Std, assign, centred
from guerdon.objectives import Clipped, Given, Imitate, Joint, PlayTotal, Preference, SequenceMean, Stream
from guerdon.objectives.plays import every_pair
from guerdon.objectives.stream import Pairs
from guerdon.recipes import dno, get, p3o, superhf, t_reg, tgdpo
from guerdon.rewards import fact
from strategies import ragged_batches

SLUGS = ("real", "pacs", "dpo", "p3o", "dno", "tgdpo", "t-reg", "superhf")
OUTCOMES = st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5), min_size=1, max_size=4)


def batch_of(groups, longest=3):
    """One play for each outcome, of one step of 1, 2, ... tokens in turn; the list of pairs says who did better."""
    outcome = np.concatenate([np.asarray(g, float) for g in groups])
    group = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    plays = np.arange(len(outcome))
    batch = Batch.from_steps(group=group, trajectory=plays, reward=outcome, tokens_per_step=1 + plays % longest)
    first, second = every_pair(group)
    judged = {"first": first, "second": second, "preference": outcome[first] - outcome[second]}
    return batch.with_relations(pairs=pa.table(judged))


def stream_of(recipe, batch, seed=0, near=0.0):
    """What the recipe's objective is shown of the batch; the policy is `near` the one that sampled."""
    rng = torch.Generator().manual_seed(seed)
    n, tensor = batch.size("token"), torch.from_numpy

    def normal():
        return torch.randn(n, generator=rng, dtype=torch.float64)

    old, step = -normal().abs(), batch.step_of_token
    play = tensor(batch.trajectory_of_step[step])
    advantage = batch.lift(assign(batch, recipe.credit)["advantage"], "token")
    table = batch.relations["pairs"]
    pairs = [tensor(table[name].to_numpy().copy()) for name in ("first", "second", "preference")]
    return Stream.of(
        (old + near * normal()).requires_grad_(), old, tensor(advantage.values.copy()), tensor(step), play,
        ref_logprob=old + 0.3 * normal(), teacher_logprob=old + 0.3 * normal(),
        weight=tensor(advantage.valid.astype(float)), outcome=tensor(batch["outcome"].filled(0.0)),
        group=tensor(batch.group_of_trajectory.copy()), pairs=Pairs(*pairs, total=len(table)),
    )  # fmt: skip


def two_prompts():
    return batch_of([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]])


def with_contrast(batch, seed=0):
    rng = np.random.default_rng(seed)
    columns = {name: -rng.random(batch.size("token")) for name in ("logprob_better", "logprob_worse")}
    return batch.with_columns(**{name: Column.of("token", x) for name, x in columns.items()})


def gradient(objective, stream):
    return torch.autograd.grad(objective(stream)[0], stream.logprob)[0]


def of_plays(stream, x):
    return torch.zeros(len(stream.tokens_of_sequence)).double().index_add(0, stream.sequence, x)


# Which way they pull.


@pytest.mark.parametrize("slug", SLUGS)
def test_a_success_rises_and_a_failure_does_not(slug):
    recipe, batch = get(slug), with_contrast(two_prompts())
    stream = stream_of(recipe, batch)
    moved = -of_plays(stream, gradient(recipe.objective, stream)).numpy()
    won = batch["outcome"].values > 0
    assert moved[won].max() > 1e-3
    if slug != "superhf":  # its KL has a pull of its own
        assert (moved[won] >= -1e-12).all() and (moved[~won] <= 1e-12).all() and moved[~won].min() < -1e-3


@pytest.mark.parametrize("slug", ["real", "dpo", "p3o", "dno", "tgdpo", "t-reg"])
@given(outcome=st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=4))
def test_a_group_that_agrees_does_not_move(slug, outcome):
    recipe = get(slug)
    stream = stream_of(recipe, with_contrast(batch_of([[outcome[0]] * len(outcome)])), near=0.2)
    loss, _ = recipe.objective(stream)
    assert loss.item() == 0 and (gradient(recipe.objective, stream) == 0).all()


@pytest.mark.parametrize("slug", SLUGS)
@given(batch=ragged_batches())
def test_what_was_not_scored_does_not_move(slug, batch):
    recipe = get(slug)
    stream = stream_of(recipe, batch, near=0.5)
    found = gradient(recipe.objective, stream)
    assert found.isfinite().all() and (found[stream.weight == 0] == 0).all()


# REAL and PACS.


@given(groups=OUTCOMES)
def test_real_weighs_the_rarer_class_of_a_prompt_more_but_less_so_than_grpo(groups):
    stream = stream_of(get("real"), batch_of(groups))
    got = of_plays(stream, gradient(get("real").objective, stream)).tolist()
    start = 0
    for g in groups:
        right, wrong = sum(g), len(g) - sum(g)
        for x in g:
            pull = -1 / (0.5 * (1 + right)) if x else 1 / (0.5 * (1 + wrong))
            assert got[start] == pytest.approx(pull / len(groups) if right and wrong else 0.0)
            start += 1


@given(groups=OUTCOMES)
def test_pacs_on_policy_moves_as_grpo_does(groups):
    """In each prompt with both classes: by 7 to 1 for one right of eight."""
    batch = batch_of(groups, longest=1)
    stream = stream_of(get("pacs"), batch)
    moved = -of_plays(stream, gradient(get("pacs").objective, stream)).numpy()
    grpo = centred(fact("outcome"), scale=Std(0.0))(batch).values
    for g in range(len(groups)):
        mine, other = (x[batch.group_of_trajectory == g] for x in (moved, grpo))
        assert np.linalg.norm(mine) * np.linalg.norm(other) == pytest.approx(float(mine @ other), abs=1e-9)
        assert (np.abs(mine).max() > 0) == (np.abs(other).max() > 0)


# P3O.


@pytest.mark.parametrize("bound", [None, Joint()])
@given(groups=st.lists(st.tuples(*[st.floats(-9, 9)] * 2), min_size=1, max_size=4), shift=st.floats(-99, 99))
def test_p3o_with_two_plays_is_rloo_and_a_shift_of_a_prompt_does_not_matter(bound, groups, shift):
    objective = p3o.objective(bound=bound)
    batch = batch_of(groups, longest=1)
    stream = stream_of(get("p3o"), batch)
    found = of_plays(stream, gradient(objective, stream)).numpy()
    rloo = get("rloo").credit(batch).values
    np.testing.assert_allclose(found, -rloo / len(rloo), atol=1e-9)
    moved = batch_of([tuple(x + shift for x in groups[0]), *groups[1:]], longest=1)
    np.testing.assert_allclose(found, of_plays(stream, gradient(objective, stream_of(get("p3o"), moved))), atol=1e-6)


# DPO and its kin.


def same(one, other, stream):
    assert one(stream)[0].item() == pytest.approx(other(stream)[0].item())
    torch.testing.assert_close(gradient(one, stream), gradient(other, stream))
    assert gradient(one, stream).abs().max() > 1e-4


def test_dno_is_dpo_with_the_sampler_as_reference():
    stream = stream_of(get("dno"), two_prompts(), near=0.3)
    same(get("dno").objective, Preference(dno.ETA), replace(stream, ref_logprob=stream.old_logprob))
    assert get("dno").objective == Preference(dno.ETA, PlayTotal(Given("old_logprob")))


def test_dno_prefers_what_wins_most_also_where_a_judge_goes_round():
    """Rock beats scissors twice as often as it loses to paper; no score of plays would say so."""
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
    judged = pa.table({"first": [0, 1, 2, 0], "second": [1, 2, 0, 3], "preference": [1.0, 1.0, 1.0, 1.0]})
    four = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[0.0] * 4)
    cycle = batch.with_relations(pairs=judged.slice(0, 3))
    assert np.abs(get("dno").credit(cycle).values).max() < 1e-12
    assert get("dno").credit(four.with_relations(pairs=judged)).values.argmax() == 0


def test_tgdpo_and_t_reg_without_their_weight_are_dpo():
    stream = stream_of(get("dpo"), two_prompts(), near=0.3)
    same(tgdpo.objective(alpha=0.0), get("dpo").objective, stream)
    same(t_reg.objective(alpha=0.0), get("dpo").objective, stream)
    with pytest.raises(AssertionError):
        same(tgdpo.objective(alpha=5.0), get("dpo").objective, stream)


def test_the_token_rewards_of_t_reg_lie_within_a_half():
    batch = with_contrast(two_prompts())
    r = t_reg.credit()(batch)
    apart = batch["logprob_better"].values - batch["logprob_worse"].values
    np.testing.assert_allclose(r.values, 1 / (1 + np.exp(-apart)) - 0.5)
    assert np.abs(r.values).max() < 0.5


# SuperHF.


def test_superhf_without_kl_is_fine_tuning_on_the_best_plays():
    stream = stream_of(get("superhf"), two_prompts(), near=0.3)
    best = ((stream.sequence == 0) | (stream.sequence == 5)).double()  # the first right play of each prompt
    sft = replace(stream, weight=best, sequences=2)
    loss, wanted = superhf.objective(c=0.0)(stream)[0], Imitate(reduce=SequenceMean())(sft)[0]
    assert loss.item() == pytest.approx(wanted.item())
    torch.testing.assert_close(*(torch.autograd.grad(x, stream.logprob)[0] for x in (loss, wanted)))


@pytest.mark.parametrize(("c", "limit"), [(0.1, 0.91), (0.5, 0.67)])
def test_superhf_stops_where_the_winner_has_the_mixed_share(c, limit):
    """At (1 + c * p0) / (1 + c) its pull on a winner and that of the KL cancel, in expectation, by enumeration."""
    first = torch.tensor([0.01, 0.5, 0.3, 0.19], dtype=torch.float64)
    share = (torch.eye(4, dtype=torch.float64)[0] + c * first) / (1 + c)
    assert share[0].item() == pytest.approx(limit, abs=0.01)
    logits = share.log().requires_grad_()
    logprob, ids = logits.log_softmax(0), torch.arange(4)
    best = -logprob[0]
    _, kl = superhf.objective(c).addends
    loss = kl(Stream.of(logprob, logprob.detach(), ids.double(), ids, ids, ref_logprob=first.log(),
                        weight=4 * share))[0]  # fmt: skip
    (found,) = torch.autograd.grad(best + loss, logits)
    assert found.abs().max() < 1e-9
    (alone,) = torch.autograd.grad(-logits.log_softmax(0)[0], logits)
    assert alone.abs().max() > 0.05


# All of them.


@pytest.mark.parametrize("slug", SLUGS)
def test_the_baseline_lacks_the_idea(slug):
    recipe = get(slug)
    assert recipe.baseline.objective != recipe.objective or recipe.baseline.credit is not recipe.credit
    assert not isinstance(recipe.objective, Clipped)
    assert recipe.objective.whole == "group"
