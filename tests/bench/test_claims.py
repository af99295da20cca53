"""The claims: each runs small with seeds, a spread and a control, and is the same for the same seed."""

import math

import numpy as np
import pytest

from guerdon import errors
from guerdon.bench import claimed, claims, labs
from guerdon.bench.claims import (
    base,
    branchgrpo,
    clip_delta,
    dispo,
    fapo,
    g_ra,
    igpo,
    meow_tea_taro,
    mrt,
    noisy_rlvr,
    nsr,
    ota,
    par,
    pav,
    portool,
    pure,
    rapo,
    real,
    sdpo,
    slate,
)
from guerdon.bench.sample import Player
from guerdon.credit import centred
from guerdon.environments import tabular
from guerdon.objectives import K3, Forward, Reinforce
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
@pytest.mark.parametrize(
    "slug", ["slate", "pure", "empg-entropy", "thr", "tp-grpo", "longwriter-zero", "real", "noisy-rlvr"]
)
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


# Those of shaping and objectives.


def table(rows=3, words=4, seed=0):
    """A table of logits and some words that it said."""
    rng = np.random.default_rng(seed)
    logits, key = rng.normal(size=(rows, words)), np.repeat(np.arange(rows), 5)
    word, old = labs.draw(logits, key, rng)
    advantage = rng.normal(size=len(key))
    return logits, labs.Said(key, word, old, advantage, np.arange(len(key)), key)


def test_downhill_of_reinforce_is_the_policy_gradient():
    logits, said = table()
    by_hand, policy = np.zeros_like(logits), tabular.softmax(logits)
    for k, w, a in zip(said.key, said.word, said.advantage, strict=True):
        by_hand[k] += a * (np.eye(4)[w] - policy[k]) / len(said.key)
    np.testing.assert_allclose(labs.downhill(Reinforce(), logits, said), by_hand, atol=1e-12)


def test_pulls_are_what_downhill_passes_on():
    logits, said = table(seed=1)
    pull, policy = labs.pulls(nsr.nsr.METHOD.objective, logits + 0.1, said), tabular.softmax(logits + 0.1)
    on = sum(
        p * np.eye(3)[[k]].T * (np.eye(4)[w] - policy[k]) for p, k, w in zip(pull, said.key, said.word, strict=True)
    )
    np.testing.assert_allclose(labs.downhill(nsr.nsr.METHOD.objective, logits + 0.1, said), on, atol=1e-12)


def test_words_are_drawn_by_their_chances():
    logits = np.log([[0.7, 0.2, 0.1]])
    word, old = labs.draw(logits, np.zeros(50_000, int), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(word) / len(word), [0.7, 0.2, 0.1], atol=0.01)
    np.testing.assert_allclose(np.exp(old), np.array([0.7, 0.2, 0.1])[word])


def test_a_level_that_is_never_reached_gives_the_last_reading():
    rising, value = np.array([0.1, 0.2]), np.array([1.0, 2.0])
    assert labs.at_level(0.5, rising, value) == 2.0
    assert labs.at_level(0.05, rising, value) == 1.0
    assert labs.at_level(0.15, rising, value) == pytest.approx(1.5)


def test_a_mistake_in_the_chain_cannot_be_mended():
    world = clip_delta.chain()
    policy = np.zeros((len(world.R), 3))
    policy[:, clip_delta.RIGHT] = 1.0
    assert tabular.expected_return(world.model, policy) == 1.0
    policy[0] = [0.0, 1.0, 0.0]
    assert tabular.expected_return(world.model, policy) == 0.0
    uniform = np.full((len(world.R), 3), 1 / 3)
    assert 0 < tabular.expected_return(world.model, uniform) < 0.5**clip_delta.PLACES + 1e-12


def test_an_affine_shaping_has_the_optima_of_the_score():
    rng = np.random.default_rng(0)
    gold, proxy, start, _ = par.answers(rng)
    same = [par.at_equal_distance(a * proxy + b, gold, start) for a, b in ((1, 0), (0.01, 3), (50, -2))]
    assert same == pytest.approx([same[0]] * 3, abs=0.02)
    best = par.at_equal_distance(gold, gold, start)
    assert all(
        best >= par.at_equal_distance(r, gold, start) - 0.02 for r in (proxy, np.tanh(proxy), rng.normal(size=200))
    )


def test_exact_gradients_of_right_and_wrong_alone_are_one():
    logits, right = nsr.problems(np.random.default_rng(0))
    psr = nsr.exact(nsr.nsr.PSR, logits, right)
    for rule, unit in nsr.RULES.values():
        np.testing.assert_allclose(nsr.exact(rule, logits, right), unit * psr, atol=1e-12)


def test_right_answers_kept_is_how_many_share_the_mass():
    right = np.array([[1.0, 1.0, 0.0, 0.0]])
    assert nsr.scores(np.zeros((1, 4)), right)[[0, 2]] == pytest.approx([0.5, 2.0])
    assert nsr.scores(np.array([[30.0, 0.0, 0.0, 0.0]]), right)[[0, 2]] == pytest.approx([1.0, 1.0], abs=1e-6)


def test_an_answer_of_dispo_is_right_when_the_goal_is_said_in_order():
    words = dispo.WORDS + 1
    logits = np.full((words, words), -50.0)
    for last, word in ((dispo.END, 0), (0, 1), (1, 0), (2, dispo.END)):
        logits[last, word] = 0.0
    logits[0, 2] = 0.0  # 1 or 2 after 0: right only where 1 comes before 2
    play, _, word, again, right = dispo.speak(logits, 400, np.random.default_rng(0))
    for i in range(400):
        said = word[play == i].tolist()
        assert right[i] == (1 in said and said[-1] == dispo.END), said
    assert right.any() and not right.all() and not again.any()


def test_feedback_names_the_first_wrong_word():
    answer = np.zeros((sdpo.PROMPTS, sdpo.LENGTH), int)
    logits = np.zeros((sdpo.PROMPTS * sdpo.LENGTH, sdpo.WORDS))
    played, _ = sdpo.play(logits, answer, np.random.default_rng(0))
    tips = sdpo.own(played, np.random.default_rng(0))
    for i in range(len(played.wrong)):
        miss = [t for t in range(sdpo.LENGTH) if played.word[i, t] != 0]
        assert played.wrong[i] == (miss[0] if miss else sdpo.LENGTH)
        for t in range(sdpo.LENGTH):
            want = sdpo.READS * ((t < played.wrong[i]) - float(t == played.wrong[i]))
            assert tips[i, t, played.word[i, t]] == want and np.count_nonzero(tips[i, t]) == (want != 0)


def test_a_sibling_never_teaches_itself():
    answer = np.zeros((sdpo.PROMPTS, sdpo.LENGTH), int)
    logits = np.zeros((sdpo.PROMPTS * sdpo.LENGTH, sdpo.WORDS))
    played, _ = sdpo.play(logits, answer, np.random.default_rng(0))
    assert not played.right.any() and not sdpo.sibling(played, np.random.default_rng(0)).any()
    played.word[0], played.wrong[0] = 0, sdpo.LENGTH
    tips = sdpo.sibling(played, np.random.default_rng(0))
    assert not tips[0].any() and (tips[1 : sdpo.PLAYS, :, 0] == sdpo.READS).all() and not tips[sdpo.PLAYS :].any()


def test_the_covering_policy_is_the_optimum():
    rng = np.random.default_rng(0)
    start, reward = rapo.problem(rng)
    at = 300
    policy, c = rapo.covering(start, reward)[at], rapo.COEFFICIENTS[at]

    def worth(x):
        return x @ reward + c * start @ np.log(x)

    for _ in range(20):
        other = policy * np.exp(0.01 * rng.normal(size=len(policy)))
        assert worth(other / other.sum()) < worth(policy)


def test_k3_as_a_loss_has_the_gradient_of_the_forward_kl_and_the_published_estimator_has_not():
    rng = np.random.default_rng(0)
    start, policy = tabular.softmax(rng.normal(size=(2, rapo.ANSWERS)))
    np.testing.assert_allclose(rapo.estimated(K3(), policy, start), start - policy, atol=1e-12)
    w = start / policy
    pull = policy * w * np.log(w)
    np.testing.assert_allclose(rapo.estimated(Forward(), policy, start), pull - policy * pull.sum(), atol=1e-12)


def test_moments_of_noisy_rlvr_are_those_of_samples():
    p, rng = noisy_rlvr.problem(np.random.default_rng(0), noisy_rlvr.SPREAD), np.random.default_rng(1)
    n = 200_000
    answer, _ = labs.draw(p.logits[None], np.zeros(n, int), rng)
    verdict = (rng.random(n) < p.passes[answer]).astype(float)
    policy = tabular.softmax(p.logits[None])[0]
    for name in ("raw", "backward, rates by answer", "forward, mean rate"):
        weight = noisy_rlvr.RULES[name](noisy_rlvr.judged(p, np.zeros(n, int), answer, verdict)).filled(0.0)
        each = weight[:, None] * (np.eye(noisy_rlvr.ANSWERS)[answer] - policy)
        mean, variance = noisy_rlvr.moments(p, noisy_rlvr.RULES[name])
        np.testing.assert_allclose(each.mean(0), mean, atol=6 * each.std(0).max() / np.sqrt(n))
        assert each.var(0).sum() == pytest.approx(variance * (mean @ mean), rel=0.05)


@pytest.mark.parametrize(("penalty", "turn"), [(1.0, 1.0), (0.5, 3.0), (2.0, 0.0)])
def test_flawed_answers_turn_where_algebra_says(penalty, turn):
    assert fapo.turns(penalty) == pytest.approx(turn, rel=0.02)


def test_chances_of_the_chain_are_those_of_samples():
    rng = np.random.default_rng(0)
    logits, seen = rng.normal(size=(fapo.PARTS, fapo.WAYS + 1)), []
    for _ in range(400):
        batch, _, _ = fapo.attempt(logits, rng)
        right, flawed = batch["outcome"].values > 0, batch["flawed"].filled(0.0) > 0
        assert not (flawed & ~right).any()
        seen.append([(right & ~flawed).mean(), flawed.mean()])
    np.testing.assert_allclose(np.mean(seen, 0), fapo.chances(logits), atol=0.01)


def test_no_play_of_real_pulls_harder_than_its_bound():
    rule, objective = real.RULES["real"]
    assert max(real.drifted(rule, objective, seed, drift) for seed in range(3) for drift in (0.0, 3.0)) <= 2 + 1e-9
    rule, objective = real.RULES["grpo"]
    assert real.drifted(rule, objective, 0, 4.0) > 2 * real.drifted(rule, objective, 0, 0.0)


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
             "meow-tea-taro", "clip-delta", "par", "nsr", "dispo", "thr", "sdpo", "rapo", "noisy-rlvr", "fapo",
             "real"}  # fmt: skip
    assert asked <= set(claims.names())
    assert len(claims.names()) >= len(asked) + 8
