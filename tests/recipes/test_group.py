"""Recipes that compare within groups and batches: each against its formula written slowly, and their kinships."""

import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Others, Randomly, Std, Turn, centred, whitened
from guerdon.credit.compare import ranked
from guerdon.credit.history import Ema, Multiplier
from guerdon.credit.pairs import PairStd, against, pairwise
from guerdon.recipes import (
    dapo,
    faker_air,
    gdpo,
    gpg,
    iterresearch_eapo,
    longwriter_zero,
    opo,
    passk,
    rapo_fathom,
    reinforce_pp,
    remax,
    wgrpo_pairing,
    writing_zero_brpo,
)
from guerdon.rewards import Term, fact
from strategies import make_batch, ragged_batches

whole = ragged_batches(missing=False, ends=False)
OUTCOME = fact("outcome")


def plays(group, outcome, **columns) -> Batch:
    """Plays of one step each, with trajectory columns."""
    batch = Batch.from_steps(group=group, trajectory=np.arange(len(group)), reward=np.array(outcome, float))
    return batch.with_columns(**{k: Column.of("trajectory", np.array(v, float)) for k, v in columns.items()})


def mates(batch, t):
    """The plays of t's group that have an outcome."""
    return np.flatnonzero((batch.group_of_trajectory == batch.group_of_trajectory[t]) & ~batch["failed"].values)


def of_groups(batch, x, f):
    """f(own x, x of the group) of each play that has a companion, copied to its steps; 0 elsewhere."""
    out = np.zeros(batch.size("trajectory"))
    for t in np.flatnonzero(~batch["failed"].values):
        group = mates(batch, t)
        if len(group) > 1:
            out[t] = f(x[t], x[group])
    return out[batch.trajectory_of_step]


def z(eps):
    """(x - mean) / (std + eps), 0 where the std is."""
    return lambda x, group: (x - group.mean()) / (group.std(ddof=1) + eps) if np.ptp(group) > 0 else 0.0


def credit(name, batch):
    """The recipe's advantages."""
    return recipes.get(name).credit(batch).values


def white(x, valid, eps=1e-8):
    """Mean 0 and variance 1 over what is valid."""
    kept = x[valid]
    if len(kept) < 2 or np.ptp(kept) == 0:
        return np.zeros(len(x))
    return np.where(valid, (x - kept.mean()) / np.sqrt(kept.var(ddof=1) + eps), 0.0)


# Formulas.


@given(ragged_batches())
def test_dapo(batch):
    column, group = dapo.RECIPE.credit(batch), batch.index("group", at="step")
    expected = of_groups(batch, batch["outcome"].values, z(1e-4))
    assert column.values == pytest.approx(expected, abs=1e-9)
    assert column.values.tolist() == credit("grpo", batch).tolist()
    speaks = np.array([(expected[group == g] != 0).any() for g in group])
    assert column.valid.tolist() == (speaks & ~batch["failed"].values[batch.trajectory_of_step]).tolist()


@given(ragged_batches(), st.sampled_from([1.0, 0.9]))
def test_reinforce_pp(batch, gamma):
    owner, outcome = batch.trajectory_of_step, batch["outcome"]
    left = np.concatenate([np.arange((owner == t).sum())[::-1] for t in range(batch.size("trajectory"))])
    ahead = gamma**left * outcome.values[owner]
    expected = white(ahead, outcome.valid[owner])
    assert reinforce_pp.credit(gamma)(batch).values == pytest.approx(expected, abs=1e-9)
    centre = of_groups(batch, outcome.values, lambda x, group: x - group.mean())
    assert reinforce_pp.group_credit()(batch).values == pytest.approx(white(centre, outcome.valid[owner]), abs=1e-9)


@given(ragged_batches())
def test_gdpo(batch):
    parts = [of_groups(batch, batch[name].values, z(1e-6)) for name in ("outcome", "format_score")]
    expected = white(sum(parts), ~batch["failed"].values[batch.trajectory_of_step])
    assert credit("gdpo", batch) == pytest.approx(expected, abs=1e-6)


@given(ragged_batches())
def test_opo(batch):
    tokens = np.bincount(batch.step_of_token[batch["sampled"].values], minlength=batch.size("step"))
    length = np.bincount(batch.trajectory_of_step, weights=tokens, minlength=batch.size("trajectory"))
    outcome, expected = batch["outcome"].values, np.zeros(batch.size("trajectory"))
    for t in np.flatnonzero(~batch["failed"].values):
        if len(group := mates(batch, t)) > 1:
            expected[t] = outcome[t] - np.average(outcome[group], weights=length[group])
    assert credit("opo", batch) == pytest.approx(expected[batch.trajectory_of_step], abs=1e-9)


@given(ragged_batches())
def test_gpg(batch):
    outcome, there = batch["outcome"].values, np.flatnonzero(~batch["failed"].values)
    differ = [t for t in there if np.ptp(outcome[mates(batch, t)]) > 0]
    alpha = len(there) / len(differ) if differ else 1.0
    expected = alpha * of_groups(batch, outcome, lambda x, group: x - group.mean())
    assert credit("gpg", batch) == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_passk(batch):
    def margin(x, group):
        first, second = np.sort(group)[::-1][:2]
        return (x - second) / (group.std(ddof=1) + 1e-6) if x == first > second else 0.0

    for name in ("outcome", "writing_score"):
        expected = of_groups(batch, batch[name].values, margin)
        assert passk.credit(fact(name))(batch).values == pytest.approx(expected, abs=1e-6)


@given(ragged_batches())
def test_remax(batch):
    away = batch["outcome"].values - batch["greedy_outcome"].values
    expected = np.where(batch["failed"].values, 0.0, away)[batch.trajectory_of_step]
    assert credit("remax", batch).tolist() == expected.tolist()


@given(ragged_batches())
def test_longwriter_zero(batch):
    names = ("length_score", "writing_score", "format_score")
    expected = sum(of_groups(batch, batch[name].values, z(1e-4)) for name in names) / 3
    assert credit("longwriter-zero", batch) == pytest.approx(expected, abs=1e-6)


@given(ragged_batches(), st.floats(0, 3))
def test_wgrpo(batch, weight):
    def weighed(x, group):
        return z(1e-4)(x, group) * (1.0 if x == 1 else weight)

    expected = of_groups(batch, batch["outcome"].values, weighed)
    assert wgrpo_pairing.credit(weight)(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_rapo_fathom(batch):
    worth = batch["outcome"].values + 0.1 * batch["format_score"].values
    alive = ~batch["failed"].values
    groups = {g: worth[alive & (batch.group_of_trajectory == g)] for g in batch.group_of_trajectory[alive]}
    good = sum(np.ptp(x) > 0 for x in groups.values())
    expected = (len(groups) / good if good else 1.0) * of_groups(batch, worth, z(1e-4))
    assert credit("rapo-fathom", batch) == pytest.approx(expected, abs=1e-6)


@given(ragged_batches(), st.floats(0, 1))
def test_faker_air(batch, share):
    worth = batch["outcome"].values + 0.2 * (batch["format_score"].values - 0.6)

    def rank(x, group):
        return 2 * ((group < x).sum() + ((group == x).sum() - 1) / 2) / (len(group) - 1) - 1

    g = batch.group_of_trajectory
    usual = (worth - batch["history_mean"].values[g]) / batch["history_std"].values[g]
    usual = np.where(batch["failed"].values, 0.0, usual)[batch.trajectory_of_step]
    expected = (1 - share) * of_groups(batch, worth, rank) + share * usual
    assert faker_air.credit(share=share)(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_agentflow(batch):
    expected = of_groups(batch, batch["outcome"].values, z(1e-6))
    assert credit("agentflow-flow-grpo", batch) == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_iterresearch(batch):
    owner, group = batch.trajectory_of_step, batch.index("group", at="step")
    left = np.concatenate([np.arange((owner == t).sum())[::-1] for t in range(batch.size("trajectory"))])
    r, expected = 0.95**left * batch["outcome"].values[owner], np.zeros(len(owner))
    for s in range(len(owner)):
        if len(set(owner[group == group[s]])) > 1:
            expected[s] = z(1e-4)(r[s], r[group == group[s]])
    assert credit("iterresearch-eapo", batch) == pytest.approx(expected, abs=1e-6)


@given(ragged_batches(), st.integers(0, 9))
def test_brpo(batch, seed):
    every, kept = writing_zero_brpo.credit(1.0, seed)(batch), writing_zero_brpo.credit(0.6, seed)(batch)
    first = np.searchsorted(batch.trajectory_of_step, np.arange(batch.size("trajectory")))
    a, known = every.values[first], every.valid[first]
    assert set(a) <= {-1.0, 0.0, 1.0}
    for s, t in enumerate(batch.trajectory_of_step):
        there = batch.group_of_trajectory == batch.group_of_trajectory[t]
        off = abs(a[there].sum()) > 0.6 * (there & known).sum()
        assert kept.valid[s] == (every.valid[s] and not off)
        assert kept.values[s] == (0.0 if off else every.values[s])


# Kinships.


@given(ragged_batches())
def test_opo_with_equal_lengths_is_grpo_without_std(batch):
    same = Term("same", lambda b: Column.of("trajectory", np.full(b.size("trajectory"), 7.0)))
    assert opo.credit(same)(batch).values == pytest.approx(credit("dr-grpo", batch), abs=1e-12)


@given(ragged_batches())
def test_gpg_is_grpo_without_std_times_one_number(batch):
    plain, a = credit("dr-grpo", batch), credit("gpg", batch)
    assert (a != 0).tolist() == (plain != 0).tolist()
    ratio = a[plain != 0] / plain[plain != 0]
    assert (ratio >= 1).all() and (len(ratio) == 0 or np.ptp(ratio) < 1e-9)


@given(ragged_batches())
def test_gpg_and_rapo_have_one_factor_where_groups_are_of_one_size(batch):
    batch = make_batch(np.random.default_rng(batch.size("step")), [4, 4, 4], ends=False)
    alpha = [credit("gpg", batch), rapo_fathom.credit(OUTCOME)(batch).values]
    plain = [credit("dr-grpo", batch), credit("grpo", batch)]
    factor = [a[p != 0] / p[p != 0] for a, p in zip(alpha, plain, strict=True)]
    assert factor[0] == pytest.approx(factor[1])


@given(whole)
def test_think_rm_on_differences_is_grpo(batch):
    x, group = batch["writing_score"].values, batch.group_of_trajectory
    first, second = np.nonzero((group[:, None] == group) & (np.arange(len(x))[:, None] < np.arange(len(x))))
    table = pa.table({"first": first, "second": second, "preference": x[first] - x[second]})
    a = pairwise(PairStd(0.0))(batch.with_relations(pairs=table))
    assert a.values == pytest.approx(centred(fact("writing_score"), scale=Std(0.0))(batch).values, abs=1e-6)
    near = credit("think-rm", batch.with_relations(pairs=table))  # eps inside the root: the same but for tiny spreads
    assert near == pytest.approx(a.values, rel=1e-3, abs=1e-9)


def test_an_undecided_group_is_small_in_think_rm_and_of_unit_size_for_win_rates():
    # A circle of four, but for one verdict.
    rows = {"first": [0, 1, 2, 3, 0, 1], "second": [1, 2, 3, 0, 2, 3], "preference": [1.0, 1, 1, 1, 1, -1]}
    batch = plays([0] * 4, [0] * 4).with_relations(pairs=pa.table(rows))
    rates, a = recipes.get("think-rm-baseline").credit(batch).values, credit("think-rm", batch)
    assert np.std(rates, ddof=1) == pytest.approx(1, abs=1e-3) and np.std(a, ddof=1) < 0.9
    assert np.corrcoef(rates, a)[0, 1] == pytest.approx(1)


@given(ragged_batches(), st.integers(0, 99))
def test_agentflow_does_not_weigh_plays_by_their_turns(batch, seed):
    copies = np.random.default_rng(seed).integers(1, 5, batch.size("trajectory"))[batch.trajectory_of_step]
    steps = np.repeat(np.arange(batch.size("step")), copies)
    columns = {name: batch[name] for name in ("outcome", "failed")}
    longer = Batch(np.zeros(0, int), batch.trajectory_of_step[steps], batch.group_of_trajectory, columns)
    assert credit("agentflow-flow-grpo", longer).tolist() == credit("agentflow-flow-grpo", batch)[steps].tolist()


@given(ragged_batches(), st.sampled_from([0.01, 100.0]))
def test_longwriter_does_not_see_the_scale_of_a_component(batch, unit):
    x = batch["writing_score"]
    other = batch.with_columns(writing_score=Column("trajectory", unit * x.values, x.valid))
    scores = longwriter_zero.SCORES
    exact = [sum(centred(s, scale=Std(0.0))(b).values for s in scores) for b in (batch, other)]
    assert exact[1] == pytest.approx(exact[0], abs=1e-9)
    if unit > 1:  # with EPS, up to EPS / std
        assert credit("longwriter-zero", other) == pytest.approx(credit("longwriter-zero", batch), rel=0.01, abs=0.01)


def test_in_a_sum_the_largest_scale_rules_and_in_longwriter_it_does_not():
    batch = plays([0] * 3, [0] * 3, length_score=[1, 0, 0], writing_score=[0, 100, 100], format_score=[0, 0, 0])
    assert credit("longwriter-zero", batch) == pytest.approx([0.0, 0.0, 0.0], abs=1e-3)
    assert recipes.get("longwriter-zero-baseline").credit(batch).values[0] < -1


@given(ragged_batches(), st.floats(0.1, 5))
def test_in_a_z_score_the_weight_of_failures_cancels(batch, weight):
    """W-GRPO's weight inside the reward: {0, 1} -> {-weight, 1} is affine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which the next test looks for
        inside = wgrpo_pairing.as_reward(weight, 0.0)(batch).values
    assert inside == pytest.approx(centred(OUTCOME, scale=Std(0.0))(batch).values, abs=1e-9)


def test_and_the_library_says_so():
    with pytest.warns(UserWarning, match="no effect"):
        wgrpo_pairing.as_reward(0.5)(plays([0, 0], [1, 0]))


@given(ragged_batches())
def test_wgrpo_with_equal_weights_is_grpo(batch):
    assert wgrpo_pairing.credit(1.0)(batch).values == pytest.approx(credit("grpo", batch))


def test_wgrpo_amplifies_what_is_rare():
    rare, brittle = plays([0] * 8, [1] + [0] * 7), plays([0] * 8, [1] * 7 + [0])
    assert wgrpo_pairing.credit()(rare).values[0] == pytest.approx((7 / 8) / np.std([1] + [0] * 7, ddof=1), abs=1e-2)
    assert wgrpo_pairing.credit()(brittle).values[7] == pytest.approx(-0.5 * credit("grpo", rare)[0])


@given(whole)
def test_over_the_draw_of_the_reference_brpo_is_every_play_against_every_other(batch):
    x, group = batch["writing_score"].values, batch.group_of_trajectory
    first, second = np.nonzero((group[:, None] == group) & (np.arange(len(x))[:, None] < np.arange(len(x))))
    batch = batch.with_relations(pairs=pa.table({"first": first, "second": second, "preference": x[first] - x[second]}))
    mean = sum(against(batch, np.arange(len(x)) == ref)[0] for ref in range(len(x))) / np.bincount(group)[group]
    assert np.bincount(group, weights=mean) == pytest.approx(0, abs=1e-9)
    every = recipes.get("writing-zero-brpo-baseline").credit(batch).values
    assert mean[batch.trajectory_of_step] == pytest.approx(every)


@given(ragged_batches())
def test_faker_air_without_history_is_the_rank(batch):
    assert faker_air.credit(OUTCOME, 0.0)(batch).values == pytest.approx(ranked(OUTCOME)(batch).values)


def test_equal_plays_get_nothing_from_faker_airs_ranks():
    assert (
        faker_air.credit(OUTCOME, 0.0)(
            plays([0] * 4, [1] * 4).with_columns(
                history_mean=Column.of("group", [0.0]), history_std=Column.of("group", [1.0])
            )
        ).values.tolist()
        == [0.0] * 4
    )


def test_faker_airs_history_from_batch_to_batch():
    state = Ema(faker_air.REWARD, decay=0.5)
    for outcome in ([1, 0], [0, 0]):
        state = state.update(plays([0, 0], outcome, format_score=[0.6, 0.6]))
    batch = state.columns(plays([0], [1], format_score=[0.6]))
    # m: 0.5 then 0.25; v = 0.5 * 0.5 * 0.25, so the std is 0.25 and the play stands three of them above.
    assert faker_air.RECIPE.credit(batch).values == pytest.approx([0.5 * (1 - 0.25) / 0.25])


def test_faker_airs_constraints_by_hand():
    recall, alarms = fact("recall"), fact("alarms")
    batch = plays([0, 0], [1, 0], recall=[0.5, 0.9], alarms=[0.28, 0.1])
    held = ((0.2, faker_air.floor(recall)), (0.3, faker_air.ceiling(alarms)))
    # 1 + 0.2 * (0.5 - 0.6) - 0.3 * (0.28 - 0.18) and 0 + 0.2 * (0.9 - 0.6) - 0
    assert faker_air.constrained(OUTCOME, *held)(batch).values == pytest.approx([0.95, 0.06])
    dearer = Multiplier(faker_air.PRICE).update(0.1)
    assert dearer.value > faker_air.PRICE > Multiplier(faker_air.PRICE).update(-0.1).value


@given(whole)
def test_eapo_without_a_discount_and_rounds_compared_by_index_says_nothing_of_plays_that_agree(batch):
    batch = batch.with_columns(outcome=Column.of("trajectory", np.ones(batch.size("trajectory"))))
    assert (iterresearch_eapo.credit(1.0)(batch).values == 0).all()
    equal = batch.select(np.bincount(batch.trajectory_of_step) == np.bincount(batch.trajectory_of_step).max())
    assert iterresearch_eapo.credit(by=("prompt", Turn()))(equal).values == pytest.approx(0)


def test_eapo_pooled_blames_the_first_rounds_of_plays_that_all_succeed():
    """gamma 0.9, ten rounds, all right: from -1.35 to 1.79, as derived by hand; it says nothing of the plays."""
    batch = Batch.from_steps(group=[0] * 20, trajectory=[0] * 10 + [1] * 10, reward=([0.0] * 9 + [1.0]) * 2)
    a = iterresearch_eapo.credit(0.9)(batch).values
    r = np.array(list(0.9 ** np.arange(10)[::-1]) * 2)
    assert a == pytest.approx((r - r.mean()) / (r.std(ddof=1) + 1e-4))
    assert a[0] == pytest.approx(-1.35 * np.sqrt(19 / 20), abs=0.01)
    assert a[9] == pytest.approx(1.79 * np.sqrt(19 / 20), abs=0.01)


@given(ragged_batches())
def test_a_group_of_one_gets_nothing_from_eapo(batch):
    lonely = np.bincount(batch.group_of_trajectory)[batch.index("group", at="step")] == 1
    assert (credit("iterresearch-eapo", batch)[lonely] == 0).all()


@given(ragged_batches())
def test_passk_in_its_own_unit_is_what_the_best_adds_to_the_maximum(batch):
    a = passk.credit(fact("writing_score"), None)(batch).values
    x = batch["writing_score"].values

    def added(own, group):
        rest = np.delete(group, np.flatnonzero(group == own)[0])
        return group.max() - rest.max()

    assert a == pytest.approx(of_groups(batch, x, added))


@given(ragged_batches())
def test_remax_against_the_mean_of_the_others_is_rloo(batch):
    outcome, group = batch["outcome"], batch.group_of_trajectory
    mean = np.full(len(group), np.nan)
    for t in range(len(group)):
        others = outcome.valid & (group == group[t]) & (np.arange(len(group)) != t)
        mean[t] = outcome.values[others].mean() if others.any() else outcome.values[t]
    batch = batch.with_columns(greedy_outcome=Column.of("trajectory", mean))
    assert remax.credit()(batch).values == pytest.approx(centred(OUTCOME, baseline=Others())(batch).values)


@given(ragged_batches())
def test_gdpo_of_one_reward_is_grpo_whitened(batch):
    once = gdpo.credit((OUTCOME,))(batch).values
    assert once == pytest.approx(whitened(centred(OUTCOME, scale=Std(1e-6)))(batch).values)
    assert once == pytest.approx(gdpo.sum_first((OUTCOME,))(batch).values)


def test_gdpo_tells_apart_what_a_sum_does_not():
    # Totals 1, 1, 1 and 0 in the sum; the parts say that being right is rarer than the form.
    batch = plays([0] * 4, [1, 0, 0, 0], format_score=[0, 1, 1, 0])
    a, b = credit("gdpo", batch), recipes.get("gdpo-baseline").credit(batch).values
    assert b[0] == pytest.approx(b[1]) and a[0] > a[1] + 0.1


def test_rapos_steered_reward_by_hand():
    batch = plays([0] * 4, [1, 1, 0, 0], format_score=[1, 0, 1, 0], repeated=[0.2, 0.9, 0.0, 0.5],
                  searches=[0.0, 0.0, 2.0, -0.5], queries=[0.0, 0.0, 0.25, 0.5])  # fmt: skip
    worth = rapo_fathom.steered(fact("repeated"), fact("searches"), fact("queries"))(batch)
    # right: 0.1 + 0.8; 0 + max(0.1, 0.5). wrong: 0.1 + 0.2 * 1 + 0.2 * 0.25; 0.2 * -0.5 + 0.2 * 0.5
    assert worth.values == pytest.approx([0.9, 0.5, 0.35, 0.0])


@given(ragged_batches(), st.floats(-2, 2), st.floats(0.5, 2))
def test_what_is_blind_to_shift_and_scale(batch, shift, unit):
    x = batch["outcome"]
    moved = batch.with_columns(outcome=Column("trajectory", unit * x.values + shift, x.valid))
    for name in ("dapo", "agentflow-flow-grpo", "passk", "reinforce-pp"):
        assert credit(name, moved) == pytest.approx(credit(name, batch), abs=2e-3)
    one = gdpo.credit((OUTCOME,))  # where two rewards cancel, whitening makes what eps left of them large
    assert one(moved).values == pytest.approx(one(batch).values, abs=2e-3)
    for name in ("opo", "gpg"):
        assert credit(name, moved) == pytest.approx(unit * credit(name, batch), abs=1e-9)


def test_no_random_bucket_is_meant_by_one_at_random():
    """The names of credits that are drawn by chance say so, which the conformance suite reads."""
    assert "at random" in writing_zero_brpo.RECIPE.credit.name
    assert "at random" in centred(OUTCOME, by=Randomly(4)).name


# Agreement with verl, where it has the same formula.

algos = pytest.importorskip("verl.trainer.ppo.core_algos")
torch = pytest.importorskip("torch")


@pytest.fixture(params=range(8))
def sample(request):
    """Groups of 2 to 5 plays of 1 to 6 steps of one token, with rewards."""
    rng = np.random.default_rng(request.param)
    many = rng.integers(2, 6, 4)
    length = rng.integers(1, 7, many.sum())
    owner = np.repeat(np.arange(len(length)), length)
    group = np.repeat(np.arange(4), many)
    end = np.append(owner[1:] != owner[:-1], True)
    reward = np.where(end, rng.normal(size=len(owner)), 0.0)
    batch = Batch.from_steps(group=group[owner], trajectory=owner, reward=reward, tokens_per_step=1)
    return batch.with_columns(
        format_score=Column.of("trajectory", rng.normal(size=len(length))),
        greedy_outcome=Column.of("trajectory", rng.normal(size=len(length))),
    )


def padded(batch):
    """Rewards and mask as (plays, longest)."""
    out = batch.to_padded("reward")
    return torch.tensor(out["reward"], dtype=torch.float64), torch.tensor(out["mask"]).double()


def test_verl_opo(sample):
    reward, mask = padded(sample)
    theirs, _ = algos.compute_opo_outcome_advantage(reward, mask, sample.group_of_trajectory)
    assert credit("opo", sample) == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_verl_passk(sample):
    for std in (True, False):
        reward, mask = padded(sample)
        config = {"norm_adv_by_std_in_grpo": std}
        theirs, _ = algos.compute_grpo_passk_outcome_advantage(reward, mask, sample.group_of_trajectory, config=config)
        ours = passk.credit(scale=Std(1e-6) if std else None)(sample)
        assert ours.values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_verl_reinforce_plus_plus(sample, gamma):
    reward, mask = padded(sample)
    config = algos.AlgoConfig(gamma=gamma)
    theirs, _ = algos.compute_reinforce_plus_plus_outcome_advantage(reward, mask, config)
    assert reinforce_pp.credit(gamma)(sample).values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_verl_reinforce_plus_plus_baseline(sample):
    reward, mask = padded(sample)
    theirs, _ = algos.compute_reinforce_plus_plus_baseline_outcome_advantage(reward, mask, sample.group_of_trajectory)
    assert reinforce_pp.group_credit()(sample).values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_verl_remax(sample):
    reward, mask = padded(sample)
    greedy = torch.tensor(sample["greedy_outcome"].values)
    theirs, _ = algos.compute_remax_outcome_advantage(reward, greedy, mask)
    assert credit("remax", sample) == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_verl_gdpo(sample):
    reward, mask = padded(sample)
    group = sample.group_of_trajectory
    ends = mask.sum(dim=1).long() - 1
    form = torch.zeros_like(reward)
    form[torch.arange(len(form)), ends] = torch.tensor(sample["format_score"].values)
    parts = [algos.compute_grpo_outcome_advantage(x.clone(), mask, group)[0] for x in (reward, form)]
    theirs = algos.verl_F.masked_whiten(parts[0] + parts[1], mask)
    assert credit("gdpo", sample) == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_verl_gdpo_driven_whole(sample):
    """Their function takes rewards by name; they come back in 32 bits."""
    reward, mask = padded(sample)
    group, n = sample.group_of_trajectory, len(sample.group_of_trajectory)
    prompts = torch.zeros(n, 1)
    # It reads the last place as that of the attention mask less the prompt.
    batch = {"prompts": prompts, "attention_mask": torch.cat([torch.ones(n, 1).double(), mask], dim=1).long()}
    rewards = {"a": sample["outcome"].values, "b": sample["format_score"].values}
    config = {"gdpo_reward_keys": ["a", "b"]}
    theirs, _ = algos.compute_gdpo_outcome_advantage(
        reward.float(), mask.float(), group, config=config, non_tensor_batch=rewards, batch=batch
    )
    assert credit("gdpo", sample) == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-4)


def test_verl_gpg_has_another_factor(sample):
    """verl's alpha counts rewards that are not 0, ours (the paper's) plays in groups that differ."""
    batch = sample.with_columns(outcome=Column.of("trajectory", (sample["outcome"].values > 0).astype(float)))
    reward, mask = padded(batch)
    sums = torch.tensor(batch["outcome"].values)
    last = torch.zeros_like(reward)
    last[torch.arange(len(last)), mask.sum(dim=1).long() - 1] = sums
    theirs, _ = algos.compute_gpg_outcome_advantage(last, mask, batch.group_of_trajectory)
    plain = centred(OUTCOME)(batch).values
    n, right = len(sums), int((sums != 0).sum())
    assert theirs[mask.bool()].numpy() == pytest.approx(n / max(right, 1) * plain, abs=1e-6)  # theirs is in 32 bits
    differ = [t for t in range(n) if 0 < sums[batch.group_of_trajectory == batch.group_of_trajectory[t]].mean() < 1]
    assert gpg.credit()(batch).values == pytest.approx(n / max(len(differ), 1) * plain, abs=1e-9)
