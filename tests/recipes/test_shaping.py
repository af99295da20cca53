"""Recipes that change the reward: each formula written slowly, and what its paper promises of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred
from guerdon.recipes import (
    carl,
    codev_tapo,
    fapo,
    grpo,
    gui_cursor,
    longrlvr,
    noisy_rlvr,
    par,
    ppr_renorm,
    router_r1,
    sar,
    search_r2,
    ssl,
    unidoc_rl,
)
from strategies import make_batch, ragged_batches

whole = ragged_batches(missing=False, ends=False)
EPS = 1e-4


def standard(batch, worth, eps=EPS):
    """Of each play: its worth less its group's mean, by its group's spread; zero in a group of one."""
    out = np.zeros(len(worth))
    for t, group in enumerate(batch.group_of_trajectory):
        alike = [worth[u] for u in np.flatnonzero(batch.group_of_trajectory == group)]
        if len(alike) > 1 and np.ptp(alike) > 1e-12:
            out[t] = (worth[t] - np.mean(alike)) / (np.std(alike, ddof=1) + eps)
    return out[batch.trajectory_of_step]


def steps_of(batch, t):
    return np.flatnonzero(batch.trajectory_of_step == t)


def mean_of(batch, score, kind, t, nothing=0.0):
    mine = [batch[score].values[s] for s in steps_of(batch, t) if batch[kind].values[s] > 0]
    return float(np.mean(mine)) if mine else nothing


def plays(n, **columns):
    """One group of n plays of one step, with these trajectory columns."""
    batch = Batch.from_steps(group=[0] * n, trajectory=range(n), reward=[0.0] * n)
    return batch.with_columns(**{k: Column.of("trajectory", v) for k, v in columns.items()})


def per_play(f):
    return lambda batch: np.array([f(batch, t) for t in range(batch.size("trajectory"))])


@per_play
def worth_fapo(batch, t):
    return 1.0 - (batch["flawed"].values[t] > 0) if batch["outcome"].values[t] > 0 else -1.0


@per_play
def worth_ssl(batch, t):
    return batch["outcome"].values[t] + 0.5 * math.floor(4 * batch["progress"].values[steps_of(batch, t)[-1]]) / 4


@per_play
def worth_longrlvr(batch, t):
    r, f = batch["outcome"].values[t], batch["grounding"].values[t]
    return r + 0.1 * f + 0.9 * r * f


@per_play
def worth_sar(batch, t):
    mine = batch.trajectory_of_step[batch.step_of_token] == t
    given, alone = (np.exp(-batch[n].values[mine].mean()) for n in ("logprob", "logprob_alone"))
    return batch["outcome"].values[t] + 0.2 * max((alone - given) / alone, -1.0)


@per_play
def worth_search_r2(batch, t):
    return batch["outcome"].values[t] * (1 + mean_of(batch, "useful", "searched", t))


@per_play
def worth_codev(batch, t):
    needed = batch["needs_tool"].values[batch.group_of_trajectory[t]] > 0
    low = batch.with_columns(tool_score=Column.of("step", np.minimum(batch["tool_score"].values, 0.0)))
    return batch["outcome"].values[t] + 0.5 * mean_of(batch if needed else low, "tool_score", "tool_used", t)


@per_play
def worth_unidoc(batch, t):
    form = batch["format_score"].values[t]
    form = 1.0 if form >= 1 else 0.5 if form >= 0.5 else 0.0
    if form == 0:
        return 0.0
    if batch["needs_tool"].values[batch.group_of_trajectory[t]] > 0:
        crop = mean_of(batch, "overlap", "cropped", t)
    else:
        crop = 0.0 if (batch["cropped"].values[steps_of(batch, t)] > 0).any() else 1.0
    stages = batch["retrieval_score"].values[t] + mean_of(batch, "hit", "selected", t) + crop + form
    return (0.6 * batch["outcome"].values[t] if form == 1 else 0.0) + 0.1 * stages


@per_play
def worth_gui(batch, t):
    steps = steps_of(batch, t)
    d, c = batch["distance"].values[steps], batch["centre_distance"].values[steps]
    state = batch["state"].values[steps].tolist()
    place = 1 - d[-1] if d[-1] > 0 else 1 + (1 - c[-1]) ** 2
    faults = [
        batch["stopped"].values[steps[-1]] > 0 and d[-1] > 0,
        (d == 0).any() and d[-1] > 0,
        d[-1] > d[0],
        len(set(state)) < len(state),
    ]
    return place - 0.5 * sum(map(float, faults)) + batch["format_score"].values[t]


WORTHS = {"fapo": worth_fapo, "ssl": worth_ssl, "longrlvr": worth_longrlvr, "sar": worth_sar,
          "search-r2": worth_search_r2, "codev-tapo": worth_codev, "unidoc-rl": worth_unidoc,
          "gui-cursor": worth_gui}  # fmt: skip


@pytest.mark.parametrize("name", WORTHS)
@given(batch=whole)
def test_the_worth_of_a_play_and_its_advantage(name, batch):
    recipe, worth = recipes.get(name), WORTHS[name](batch)
    assert recipe.reward(batch).values == pytest.approx(worth, abs=1e-9)
    if name == "sar":
        means = np.array([worth[batch.group_of_trajectory == g].mean() for g in batch.group_of_trajectory])
        expected = (worth - means)[batch.trajectory_of_step]
    else:
        expected = standard(batch, np.round(worth, 12), fapo.EPS if name == "fapo" else EPS)
    assert recipe.credit(batch).values == pytest.approx(expected, abs=1e-5)


@given(ragged_batches())
def test_a_group_of_one_says_nothing_where_paths_or_texts_tell_plays_apart(batch):
    one = np.bincount(batch.group_of_trajectory)[batch.index("group", at="step")] == 1
    for name in ("gui-cursor", "sar"):
        assert not recipes.get(name).credit(batch).values[one].any()


# FAPO.


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.sampled_from([0.5, 1.0, 1.5, 2.0]))
def test_the_advantage_of_a_flawed_answer_turns_where_it_says(clean, flawed, wrong, penalty):
    n = clean + flawed + wrong
    if not flawed or n < 2:
        return
    batch = plays(n, outcome=[1.0] * (clean + flawed) + [0.0] * wrong,
                  flawed=[0.0] * clean + [1.0] * flawed + [np.nan] * wrong)  # fmt: skip
    a = fapo.credit(fapo.reward(penalty))(batch).values[clean]
    turn = (2 - penalty) * wrong - penalty * clean
    assert np.sign(round(a, 9)) == np.sign(turn)
    if penalty == 2.0:
        assert a <= 1e-9


@given(whole)
def test_fapo_without_a_penalty_is_grpo_and_hard_rejection_is_grpo_of_clean_answers(batch):
    plain = standard(batch, batch["outcome"].values, fapo.EPS)
    assert fapo.credit(fapo.reward(0.0))(batch).values == pytest.approx(plain, abs=1e-4)
    clean = batch["outcome"].values * (1 - batch["flawed"].filled(0.0))
    assert fapo.credit(fapo.reward(2.0))(batch).values == pytest.approx(standard(batch, clean, fapo.EPS), abs=1e-4)


@given(ragged_batches())
def test_the_judge_is_not_asked_of_wrong_answers(batch):
    said = batch.with_columns(flawed=Column.of("trajectory", np.where(batch["outcome"].filled(0.0) > 0, 1.0, np.nan)))
    assert fapo.reward()(said).valid.tolist() == batch["outcome"].valid.tolist()


# SSL.


@given(whole)
def test_a_success_outranks_every_failure_and_zones_keep_the_order(batch):
    worth, won = ssl.RECIPE.reward(batch).values, batch["outcome"].values > 0
    if won.any() and not won.all():
        assert worth[won].min() > worth[~won].max()
    near = ssl.NEARNESS(batch).values
    for zones in (1, 2, 4, 8):
        zoned = ssl.zoned(zones=zones)(batch).values
        assert (np.diff(zoned[np.argsort(near, kind="stable")]) >= 0).all()
        assert (zoned <= near).all() and (near - zoned < 1 / zones).all()


# PPR's centring, now a term.


@given(ragged_batches())
def test_ppr_is_the_score_and_the_outcome_from_one_half_but_for_the_last_step(batch):
    r = ppr_renorm.reward()(batch)
    owner, o, p = batch.trajectory_of_step, batch["outcome"], batch["judge_score"]
    for t in np.flatnonzero(r.valid):
        last = t + 1 == len(owner) or owner[t + 1] != owner[t]
        assert r.values[t] == (o.values[owner[t]] if last else (p.values[t] - 0.5) + (o.values[owner[t]] - 0.5))


# Search-R2, Router-R1, UniDoc: gates.


@given(ragged_batches())
def test_a_wrong_answer_earns_nothing_by_searching_and_a_right_one_never_loses(batch):
    r, o = search_r2.reward()(batch), batch["outcome"]
    wrong, right = r.valid & (o.values == 0), r.valid & (o.values > 0)
    assert (r.values[wrong] == 0).all() and (r.valid >= (o.valid & (o.values == 0))).all()
    assert (r.values[right] >= 1).all() and (r.values[right] <= 2).all()


@given(ragged_batches())
def test_router_reads_form_then_the_answer_then_the_cost(batch):
    form, right, cost = (batch[n] for n in ("well_formed", "outcome", "cost"))
    r = router_r1.reward()(batch)
    counted = cost.values[cost.valid & ~batch["failed"].values]
    low, high = np.quantile(np.sqrt(counted), (0.05, 0.95)) if len(counted) else (0.0, 0.0)
    for t in range(len(r)):
        if form.values[t] == 0:
            assert r.values[t] == -1.0
        elif not right.valid[t]:
            assert not r.valid[t]
        elif right.values[t] == 0:
            assert r.values[t] == 0.0
        else:
            place = np.clip((math.sqrt(cost.values[t]) - low) / (high - low), 0, 1) if high > low else 0.5
            assert r.values[t] == pytest.approx(0.4 * right.values[t] + 0.6 * (1 - place))


def test_what_is_behind_a_shut_gate_of_router_may_be_missing():
    batch = plays(3, well_formed=[0.0, 1.0, 1.0], outcome=[None, 0.0, 1.0], cost=[None, None, 4.0])
    assert router_r1.reward()(batch).values == pytest.approx([-1.0, 0.0, 0.7])
    assert [n for n, _ in router_r1.reward()(batch).parts] == ["outcome", "cheapness", "well_formed"]


@given(ragged_batches(), st.floats(0, 1))
def test_the_hierarchy_of_router_holds_at_every_share_of_cost(batch, share):
    """Out of form < wrong <= right, and of two right ones the cheaper is never worth less."""
    r = router_r1.reward(share)(batch)
    form, right, cost = (batch[n].values for n in ("well_formed", "outcome", "cost"))
    bad, wrong = r.valid & (form == 0), r.valid & (form > 0) & (right == 0)
    good = np.flatnonzero(r.valid & (form > 0) & (right > 0) & ~batch["failed"].values)
    assert (r.values[bad] == -1).all() and (r.values[wrong] == 0).all() and (r.values[good] >= 0).all()
    order = good[np.argsort(cost[good], kind="stable")]
    assert (np.diff(r.values[order]) <= 1e-12).all()


def test_without_the_gate_a_free_guess_would_win_where_cost_weighs_most():
    """Two experts: right half of the time and cheap, right nine times in ten and dear; and a free guess."""
    p, c = np.array([0.05, 0.6, 0.9]), np.array([1.0, 0.5, 0.05])
    for share, gated, ungated in ((0.3, 2, 2), (0.9, 1, 0)):
        assert np.argmax(p * ((1 - share) + share * c)) == gated
        assert np.argmax((1 - share) * p + share * c) == ungated


@given(ragged_batches())
def test_out_of_form_unidoc_reads_nothing(batch):
    bare = batch.with_columns(
        format_score=Column.of("trajectory", np.zeros(batch.size("trajectory"))),
        **{n: Column(batch[n].level, batch[n].values, np.zeros(len(batch[n]), bool))
           for n in ("outcome", "retrieval_score", "hit", "overlap")},
    )  # fmt: skip
    assert (unidoc_rl.reward()(bare).values == 0).all()


# Weights of the verdict.


@given(ragged_batches())
def test_noisy_slowly(batch):
    seen, second, failed = batch["outcome"], batch["appeal"], batch["failed"].values
    ok = seen.valid & ~failed
    passed, refused = ok & (seen.values > 0), ok & (seen.values == 0)
    asked = refused & second.valid
    turned = asked & (second.values > 0)
    missed = turned.sum() * refused.sum() / max(asked.sum(), 1)
    fn = missed / (passed.sum() + missed) if passed.sum() + missed > 0 else 0.0
    expected = np.where(ok, seen.values - (1 - fn), 0.0)[batch.trajectory_of_step]
    assert noisy_rlvr.RECIPE.credit(batch).values == pytest.approx(expected)


@given(ragged_batches(), st.floats(0, 0.9))
def test_with_one_rate_it_is_the_verdict_less_a_constant(batch, fn):
    a = noisy_rlvr.credit(fn)(batch)
    verdict = batch["outcome"].values[batch.trajectory_of_step]
    assert a.values[a.valid] == pytest.approx((verdict - (1 - fn))[a.valid])


# PAR and CaRL.


@given(whole)
def test_par_slowly_with_a_critic_of_nothing(batch):
    batch = batch.with_columns(value=Column.of("step", np.zeros(batch.size("step"))))
    batch = batch.with_columns(next_value=Column.of("step", np.zeros(batch.size("step"))))
    refs = batch["reference_scores"].values[batch.group_of_trajectory]
    worth = (1 / (1 + np.exp(refs - batch["proxy"].values[:, None]))).mean(axis=1)
    owner = batch.trajectory_of_step
    ahead = np.array([(owner[t:] == owner[t]).sum() - 1 for t in range(len(owner))])
    a = worth[owner] * 0.95**ahead  # gamma 1: the error at the end, decayed by LAM a step
    a = (a - a.mean()) / np.sqrt(a.var(ddof=1) + 1e-8) if len(a) > 1 else a * 0
    assert par.RECIPE.credit(batch).values == pytest.approx(a, abs=1e-6)


@given(ragged_batches(), st.floats(-50, 50))
def test_par_is_blind_to_a_shift_and_bounded(batch, shift):
    moved = batch.with_columns(
        proxy=Column.of("trajectory", batch["proxy"].values + shift),
        reference_scores=Column.of("group", batch["reference_scores"].values + shift),
    )
    assert par.RECIPE.credit(moved).values == pytest.approx(par.RECIPE.credit(batch).values, abs=1e-6)
    assert ((par.reward()(moved).values > 0) & (par.reward()(moved).values < 1)).all()


@given(ragged_batches())
def test_carl_slowly(batch):
    r = carl.reward()(batch)
    names = ("progress", "lane_distance", "overspeed", "near_miss", "comfort", "violation")
    columns = {n: batch[n] for n in names}
    for t in range(batch.size("trajectory")):
        best, near, known, cautious = 0.0, 1.0, True, True
        for s in steps_of(batch, t):
            x = {n: (c.values[s] if c.valid[s] else None) for n, c in columns.items()}
            known, cautious = known and x["progress"] is not None, cautious and x["near_miss"] is not None
            gain = max(x["progress"] - best, 0.0) if known else None
            best = max(best, x["progress"]) if known else best
            near = min(near, 1 - 0.5 * x["near_miss"]) if cautious else near
            lane, fast = x["lane_distance"], x["overspeed"]
            factors = [
                gain,
                None if lane is None else 1 - 0.5 * min(max((lane - 0.5) / 1.25, 0.0), 1.0),
                None if fast is None else max(1 - fast / 2.23, 0.0),
                near if cautious else None,
                x["comfort"],
                None if x["violation"] is None else 1 - x["violation"],
            ]
            if x["violation"] is None or (0 not in factors and None in factors):
                assert not r.valid[s]
            else:
                kept = 0.0 if 0 in factors else math.prod(factors)
                assert r.valid[s] and r.values[s] == pytest.approx(kept - 0.01 * x["violation"])


@given(whole)
def test_a_parked_car_earns_nothing_whatever_it_keeps(batch):
    still = batch.with_columns(progress=Column.of("step", np.zeros(batch.size("step"))))
    assert (carl.reward(penalty=0.0)(still).values == 0).all()


@given(whole)
def test_carl_pays_no_more_than_the_route(batch):
    paid = np.bincount(batch.trajectory_of_step, carl.reward(penalty=0.0)(batch).values)
    best = np.array([batch["progress"].values[steps_of(batch, t)].max() for t in range(len(paid))])
    assert (paid <= best + 1e-12).all()


# SAR, GUI-Cursor: what gets worse never earns more.


@given(st.integers(1, 5), st.integers(1, 20))
def test_sar_prefers_the_answer_without_padding(words, padding):
    tokens = [words, words + padding]
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 1.0], tokens_per_step=tokens)
    lp = {"logprob": -0.5, "logprob_alone": -1.5}
    batch = batch.with_columns(
        **{n: Column.of("token", [x] * words + [x] * words + [-0.1] * padding) for n, x in lp.items()}
    )
    a = sar.RECIPE.credit(batch).values
    assert a[0] > 0 > a[1]


@given(ragged_batches())
def test_a_larger_penalty_never_raises_a_cursors_worth(batch):
    low, high = (gui_cursor.reward(penalty=w)(batch) for w in (0.25, 1.0))
    assert (high.values[high.valid] <= low.values[low.valid]).all()


# Where a hook acts.


@pytest.mark.parametrize("name", ["par", "noisy-rlvr", "fapo", "ssl", "carl", "sar", "search-r2", "router-r1",
                                  "gui-cursor", "unidoc-rl", "codev-tapo", "longrlvr", "ppr-renorm"])  # fmt: skip
def test_the_reward_changes_and_the_objective_is_a_composition_of_what_there_is(name):
    recipe = recipes.get(name)
    assert recipe.objective.__class__.__name__ == "Clipped"
    batch = make_batch(np.random.default_rng(0), [6, 6, 6], missing=False, ends=False)
    assert len(set(batch["progress"].values)) > 2  # more than reached or not
    a, b = recipe.credit(batch).values, recipe.baseline.credit(batch).values
    assert np.abs(a - b).max() > 1e-3, "the hook has no effect"


def test_a_judge_that_says_nothing_leaves_the_baseline():
    """Signals at their neutral value: the recipe is its baseline's comparison."""
    batch = make_batch(np.random.default_rng(1), [6, 6], missing=False, ends=False)
    zero = {
        n: Column.of(batch[n].level, np.zeros(len(batch[n]))) for n in ("useful", "tool_score", "grounding", "flawed")
    }
    quiet = batch.with_columns(**zero)
    plain = grpo.CREDIT(batch).values
    for term in (search_r2.reward(), codev_tapo.reward(), longrlvr.reward()):
        assert centred(term, scale=Std(EPS))(quiet).values == pytest.approx(plain)
    assert fapo.credit(fapo.reward())(quiet).values == pytest.approx(plain, abs=1e-3)
