"""The claims: each runs small with seeds, a spread and a control, and is the same for the same seed."""

import math

import numpy as np
import pytest

from guerdon import errors
from guerdon.bench import claimed, claims
from guerdon.bench.claims import base, branchgrpo, g_ra, igpo, meow_tea_taro, mrt, ota, pav, portool, pure, slate
from guerdon.bench.sample import Player
from guerdon.credit import centred
from guerdon.environments import tabular
from guerdon.recipes.slate import credit
from guerdon.rewards import fact, total

SMALL = claims.Effort(seeds=2, share=0.02)
FOUND: dict[str, claimed.Done] = {}


def small(slug):
    """A claim at its smallest, run once for all tests."""
    if slug not in FOUND:
        FOUND[slug] = claimed.check(slug, 0, SMALL)
    return FOUND[slug]


def same(a, b):
    """Equal, where missing values are equal too."""
    return np.allclose(a.values, b.values, rtol=1e-9, atol=0, equal_nan=True)


# Every claim.


@pytest.mark.parametrize("slug", claims.names())
def test_a_claim_runs_and_says_what_it_found(slug):
    claim, result = claims.get(slug), small(slug).result
    assert claim.slug == slug
    assert all((claim.title, claim.paper, claim.says, result.note))
    figures = (result.figure, result.control, *result.rows)
    assert len({m.name for m in figures}) == len(figures)
    for measured in figures:
        assert len(measured.values) == SMALL.seeds
        assert all(math.isfinite(v) for v in measured.values), measured.name
        assert measured.interval[0] <= measured.mean <= measured.interval[1]
    assert result.holds in (True, False)
    assert not same(result.figure, result.control), "a control that is the figure says nothing"


@pytest.mark.parametrize("slug", claims.names())
def test_no_claim_says_its_figures_by_hand(slug):
    claim = claims.get(slug)
    shown = {f"{m.mean:.3g}" for m in (small(slug).result.figure, small(slug).result.control)}
    assert not {number for number in shown if "." in number} & set(claim.says.split())


@pytest.mark.parametrize("slug", ["slate", "g-ra", "igpo"])
def test_the_same_seed_gives_the_same_figures_and_another_does_not(slug):
    again, other = claims.get(slug).run(0, SMALL), claims.get(slug).run(1, SMALL)
    first = small(slug).result
    assert all(same(a, b) for a, b in zip((first.figure, *first.rows), (again.figure, *again.rows), strict=True))
    assert not same(first.figure, other.figure)


@pytest.mark.slow
@pytest.mark.parametrize("slug", claims.names())
def test_a_claim_in_full_ends_in_time(slug):
    done = claimed.check(slug, 0, claims.FULL)
    assert len(done.result.figure.values) == claims.FULL.seeds
    assert done.seconds < 180


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["slate", "pure", "empg-entropy", "thr", "tp-grpo", "longwriter-zero"])
def test_what_mathematics_says_holds(slug):
    assert claimed.check(slug, 0, claims.FULL).result.holds


# Single experiments, against what is known of them.


def test_both_of_slates_estimates_have_the_exact_gradient_as_mean():
    rng = np.random.default_rng(0)
    reward, policy = rng.normal(size=(3, 2)), tabular.softmax(rng.normal(size=(3, 2)))
    drawn = (rng.random((40_000, 4, 3)) > policy[:, 0]).astype(int)
    exact = policy * (reward - (policy * reward).sum(1, keepdims=True)) * 3 / 4  # the own play is in the mean of 4
    whole = slate.whole_plays(reward, policy, drawn, centred(total(fact("reward"))))
    tried = slate.candidates(reward, policy, drawn, credit(scale=None))
    for estimates in (whole, tried):
        error = estimates.std(0) / np.sqrt(len(estimates))
        assert (np.abs(estimates.mean(0) - exact) < 5 * error + 1e-9).all()


def test_in_the_workshop_busy_work_neither_ends_nor_helps():
    world = g_ra.workshop()
    policy = np.zeros((len(world.R), 3))
    policy[:, g_ra.BUSY] = 1.0
    assert tabular.expected_return(world.model, policy) == 0.0
    assert tabular.occupancy(world.model, policy).sum() == pytest.approx(g_ra.HORIZON)


def test_the_sum_of_pure_is_the_return_to_go():
    score, play = np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1])
    assert pure.Sum(0.5)(score, play).tolist() == [2.0, 2.0, 4.0]


def test_provers_of_pav_know_what_they_should():
    world = pav.tree(np.random.default_rng(0))
    logits = np.zeros((world.keys, world.actions))
    own, best, sure = pav.own(world, logits), pav.best_of(world, logits), pav.given(world, logits, pav.best_next(world))
    assert own[0] == pytest.approx(pav.WINNERS / pav.BRANCHES**pav.DEPTH)
    assert (own <= best + 1e-12).all()
    assert sure[0] == 1.0
    assert pav.bound(world, logits, pav.own) == pytest.approx(2 * _variance_of_advantages(world, logits))


def _variance_of_advantages(world, logits):
    """E over states of the variance of A under the policy, the slow way."""
    policy = tabular.softmax(logits)
    seen, advantage = tabular.occupancy(world.model, policy), tabular.advantages(world.model, policy)
    return sum(
        seen[t, s] * policy[s, a] * advantage[t, s, a] ** 2
        for t in range(world.horizon)
        for s in range(len(policy))
        for a in range(world.actions)
    )


def test_a_play_of_igpo_adds_up_to_its_plans_belief_and_outcome():
    turns, belief, outcome = np.array([[2, 4]]), np.array([[0.5, 0.75]]), np.array([[1.0, 0.25]])
    batch = igpo.played(np.zeros(2, int), np.array([0, 1]), turns, belief, outcome)
    assert total(igpo.igpo.published())(batch).values.tolist() == [1.5, 1.0]
    assert total(igpo.igpo.closed())(batch).values.tolist() == [1.0, 0.25]


def test_portools_truth_is_the_slope_of_the_chance_to_win():
    logits = np.random.default_rng(0).normal(size=(portool.DEPTH, portool.TOOLS))
    action = np.zeros((1, 1, portool.DEPTH), int)
    _, slope = portool.exact(tabular.softmax(logits), action)

    def chance(x):
        return tabular.softmax(x)[list(portool.DECISIVE), 0].prod()

    for place in ((0, 0), (1, 0), (1, 3), (4, 2)):
        moved = logits.copy()
        moved[place] += 1e-6
        assert slope[place] == pytest.approx((chance(moved) - chance(logits)) / 1e-6, abs=1e-5)


def test_portools_advantages_are_zero_where_nothing_is_decided_or_all_is_lost():
    policy = np.full((portool.DEPTH, portool.TOOLS), 1 / portool.TOOLS)
    lost = np.array([[[0, 1, 0, 0, 0, 0]]])
    truth, _ = portool.exact(policy, lost)
    assert (truth[0, 0] != 0).tolist() == [False, True, False, False, False, False]
    assert truth[0, 0, 1] == pytest.approx(-1 / portool.TOOLS**2)


def test_a_tree_of_branchgrpo_shares_what_it_should():
    drawn = np.arange(2 * branchgrpo.STEPS * branchgrpo.LEAVES).reshape(2, branchgrpo.STEPS, branchgrpo.LEAVES)
    action, node = branchgrpo.tree(2, drawn)
    alive = [len(np.unique(node[0, :, t])) for t in range(branchgrpo.STEPS)]
    assert alive == branchgrpo.WAYS.tolist() and sum(alive) == branchgrpo.CALLS
    assert all(len(np.unique(action[1, :, t])) == alive[t] for t in range(branchgrpo.STEPS))
    assert len(np.unique(node)) == branchgrpo.CALLS


def test_boxes_are_found_in_the_end_and_stopping_is_worth_what_it_pays():
    world = mrt.search()
    policy = np.zeros((len(world.R), 3))
    policy[: mrt.BOXES, mrt.OPEN] = policy[mrt.FOUND :, mrt.ANSWER] = 1.0
    assert tabular.expected_return(world.model, policy) == pytest.approx(1.0)
    plays = Player(world, np.full((len(world.R), 3), 1 / 3)).play(200, np.random.default_rng(0))
    facts = mrt.facts(plays, np.zeros(0))
    answered = plays.action == mrt.ANSWER
    assert set(facts["next_stop_value"].values[answered]) == {0.0, 1.0}
    gain = facts["next_stop_value"].values - facts["stop_value"].values
    assert abs(gain[answered].mean()) < 0.1  # what stopping is worth is right on average


def test_the_critic_of_the_quest_learns_the_value_of_its_policy():
    world = meow_tea_taro.quest(1, 400)
    critic, rng = meow_tea_taro.TableCritic(len(world.R)), np.random.default_rng(0)
    policy = np.full(np.shape(world.R), 1 / meow_tea_taro.OBJECTS)
    for _ in range(60):
        critic(Player(world, policy).play(4, rng), np.zeros(0))
    left = 1 - np.arange(meow_tea_taro.SUBGOALS) / meow_tea_taro.SUBGOALS
    np.testing.assert_allclose(critic.value[:-1], left, atol=0.02)  # there is time for all of it


def test_values_of_options_are_the_staircase():
    for option in ota.OPTIONS:
        value = ota.exact_values(option)
        for distance in (option, 10 * option, 45 * option):
            left = distance // option
            assert value[distance - 1] == pytest.approx(-(1 - ota.ota.GAMMA ** (left - 1)) / (1 - ota.ota.GAMMA))


# Figures and names.


def test_measured_compares_seed_by_seed():
    low, high = base.Measured("low", (0.0, 1.0, 5.0)), base.Measured("high", (0.5, 1.6, 5.6))
    assert high.above(low) and low.below(high) and not low.above(high)
    assert not high.above(1.0) and high.above(-5.0)
    assert (high - low).values == pytest.approx((0.5, 0.6, 0.6))


def test_over_seeds_is_independent_of_how_many():
    few, many = (base.over_seeds(lambda rng: {"x": rng.random()}, 3, n)["x"].values for n in (2, 4))
    assert many[:2] == few and len(set(many)) == 4


def test_an_unknown_claim_names_a_close_one():
    with pytest.raises(errors.UnknownNameError, match="did you mean 'slate'"):
        claims.get("slaet")


def test_at_least_sixteen_claims_and_those_that_were_asked_for():
    asked = {"slate", "slate-std", "g-ra", "pure", "pav", "empg-entropy", "empg", "salt", "igpo", "igpo-zscore",
             "meow-tea-taro"}  # fmt: skip
    assert asked <= set(claims.names())
    assert len(claims.names()) >= len(asked) + 8
