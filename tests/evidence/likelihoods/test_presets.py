"""Presets by paper: each on an example worked out with full passes of the model, and through the recipe of its name."""

import numpy as np
import pytest

from guerdon import recipes
from guerdon.batch import Column
from guerdon.errors import UnknownNameError
from guerdon.evidence import observe
from guerdon.evidence.likelihoods import (
    AfterMark,
    AtEnd,
    Geometric,
    MeanLog,
    Rests,
    darl,
    dro_r3,
    flr,
    grpo_vps,
    igpo,
    jepo,
    jepo_group,
    log_prob,
    p2s,
    ref_likelihood,
    rlp,
    rlpr,
    rlpr_gain,
    sar,
    verifree,
)
from likely import direct, fresh, played, taught, values

MARK = AfterMark("=")
SAID = ("so 3 = 0 1", "hm 3 = 3", "so 1 = 3")
CHAINS = ("ask <say> so 3 =", "ask <say> hm 3 =", "ask <say> so 1 =")
BARE, REFERENCE = "ask <say> =", "3 = 3"


def group():
    """One question, three chains."""
    return played(taught(), *[(REFERENCE, [("ask", said)]) for said in SAID])


def logs(policy=None, contexts=CHAINS):
    """(chains, tokens of the reference) log-probabilities, one full pass a chain."""
    return np.array([direct(policy or taught(), context, REFERENCE) for context in contexts])


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5)


# One number a chain.


def test_rlpr_is_the_mean_probability_of_a_token_with_the_chain_and_without():
    seen = rlpr(taught(), MARK).observe(group())
    close(seen["next_belief"].values, np.exp(logs()).mean(1))
    close(seen["belief"].values, np.exp(direct(taught(), BARE, REFERENCE)).mean())


def test_rlpr_gain_takes_off_what_the_initial_policy_says_without_the_chain():
    initial = fresh(1)
    expected = np.exp(logs()).mean(1) - np.exp(direct(initial, BARE, REFERENCE)).mean()
    close(values(rlpr_gain(taught(), initial, MARK), group()), expected)


def test_verifree_is_the_probability_of_the_whole_reference():
    close(verifree(taught(), MARK).observe(group())["next_belief"].values, np.exp(logs().sum(1)))


def test_log_prob_is_its_logarithm_and_can_be_had_a_token():
    close(values(log_prob(taught(), MARK), group()), logs().sum(1))
    close(values(ref_likelihood(taught(), slot=MARK, aggregate=MeanLog()), group()), logs().mean(1))


def test_jepo_is_the_log_of_the_mean_less_that_of_the_others():
    p = np.exp(logs().sum(1))
    close(values(jepo_group(taught(), MARK), group()), np.log(p.mean()))
    close(values(jepo(taught(), MARK), group()), [np.log(p.mean()) - np.log(np.delete(p, i).mean()) for i in range(3)])


def test_dro_weighs_tokens_by_how_much_chains_move_them_less_the_masked_chain():
    masked = logs(contexts=["ask <say> <unk> <unk> ="] * 3)
    sigma = logs().std(0)
    cut = float(np.median(sigma))
    for least in (0.0, cut):
        weight = np.where(sigma > least, sigma, 0.0)
        weight /= weight.sum()
        close(values(dro_r3(taught(), MARK, cut=least), group()), ((logs() - masked) * weight).sum(1))
    plain = values(dro_r3(taught(), MARK, mask=None), group())
    less = values(dro_r3(taught(), MARK), group())
    close(plain - plain.mean(), less - less.mean())  # chains of one length are masked alike: it cancels in a group


def test_darl_pays_a_little_for_an_own_answer_that_is_less_likely_than_the_reference():
    reference = np.exp(logs()).mean(1)
    own = np.array([np.exp(direct(taught(), c, a)).mean() for c, a in zip(CHAINS, ("0 1", "3", "3"), strict=True)])
    apart = np.maximum(reference - own, 0.0)
    for gamma in (8.0, 1.0):
        expected = 0.9 * reference + 0.5 * np.where(apart <= reference / gamma, apart, 0.0)
        observer = darl(taught(), MARK, alpha=0.9, beta=0.5, gamma=gamma)
        seen = observer.observe(group())
        close(seen["darl"].values, expected)
        assert (seen["darl"].values <= observer.high).all()
    rows = seen.relations["darl/items"].to_pylist()
    close([row["value"] for row in rows], np.stack((reference, own), 1).ravel())
    assert (expected > 0.9 * reference + 1e-3).any()


def test_darl_gives_an_action_without_an_answer_the_likelihood_of_the_reference_alone():
    batch = played(taught(), (REFERENCE, [("ask", "so 3")]), (None, [("ask", "so 3")]))
    close(values(darl(taught(), MARK), batch), [np.exp(logs()[0]).mean(), np.nan])


def test_flr_is_good_follow_ups_less_bad_ones_a_token():
    found = values(flr(taught(), ("thanks", "so thanks"), ("wrong",)), group())
    contexts = [f"ask <say> {said} <end>" for said in SAID]
    good = [np.mean([direct(taught(), c, reply).mean() for reply in ("thanks", "so thanks")]) for c in contexts]
    close(found, np.array(good) - [direct(taught(), c, "wrong").mean() for c in contexts])


def test_rlp_is_what_a_thought_adds_for_the_next_words_over_an_averaged_policy():
    average = fresh(1)
    expected = logs().sum(1) - direct(average, BARE, REFERENCE).sum()
    close(values(rlp(taught(), average, MARK), group()), expected)
    other = values(rlp(taught(), fresh(2), MARK), group())
    close(other - other.mean(), expected - expected.mean())  # in a group the average cancels


# One number a step.

TURNS = [("ask", "hm 1"), ("ask", "so 3")]
BELIEFS = ("ask <say> =", "ask <say> =", "ask <say> so 3 =")  # in last-state context, before and after each action


@pytest.mark.parametrize("preset", [igpo, grpo_vps])
def test_beliefs_are_one_over_the_perplexity_before_and_after_each_step(preset):
    seen = preset(taught(), AtEnd("=")).observe(played(taught(), ("3 = 3", TURNS)))
    belief = np.exp(logs(contexts=BELIEFS).mean(1))
    close(seen["belief"].values, belief[:2])
    close(seen["next_belief"].values, belief[1:])
    close(seen["belief/gain"].values, np.diff(belief))


def test_p2s_is_the_best_rest_over_the_masked_play_and_then_the_answer():
    rests, masked = ("so 3 = 3", "= 3"), "ask <say> <unk> <unk>"
    gains = [direct(taught(), "ask <say> hm 1", r).mean() - direct(taught(), masked, r).mean() for r in rests]
    found = p2s(taught(), AtEnd("="), Rests(parts=2)).observe(played(taught(), ("3", TURNS)))["path_score"].values
    close(found, [max(gains), direct(taught(), "ask <say> so 3 =", "3").mean()])


def test_sar_reads_each_action_as_if_nothing_had_been_asked():
    batch = played(taught(), ("3", [("ask", "so 3")]))
    close(sar(taught()).observe(batch)["logprob_alone"].filled()[-3:], direct(taught(), "<say>", "so 3 <end>"))


# Through the recipes that read them.


def rewards(name, batch, *observers):
    seen = observe(batch, observers)
    ones = Column.of("trajectory", np.ones(batch.size("trajectory")))
    return recipes.get(name).reward(seen.with_columns(format_score=ones)).values


def test_what_recipes_pay_for_observed_likelihoods():
    policy, batch = taught(), group()
    reference = np.exp(logs()).mean(1)
    added = np.clip(reference - np.exp(direct(policy, BARE, REFERENCE)).mean(), 0.0, 1.0)
    close(rewards("rlpr", batch, rlpr(policy, MARK)), 0.9 * added + 0.1)
    close(rewards("verifree", batch, verifree(policy, MARK)), np.exp(logs().sum(1)))
    two = played(policy, ("3 = 3", TURNS))
    belief = np.exp(logs(contexts=BELIEFS).mean(1))
    close(rewards("igpo", two, igpo(policy, AtEnd("="))), [belief[1] - belief[0], 0.0])  # at the end the outcome, 0
    close(rewards("grpo-vps", two, grpo_vps(policy, AtEnd("="))), 0.5 * np.diff(belief))
    alone = policy.format.say("so 3")
    given = direct(policy, "ask <say>", alone)
    single = played(policy, ("3", [("ask", "so 3")]))
    logprob = np.full(single.size("token"), np.nan)
    logprob[-3:] = given
    gain = 1 - np.exp(-(given - direct(policy, "<say>", alone)).mean())
    close(rewards("sar", single.with_columns(logprob=Column.of("token", logprob)), sar(policy)), 0.2 * max(gain, -1.0))


def test_a_path_held_to_the_unit_interval_pays_groups_without_success():
    policy = taught()
    batch = played(policy, ("3", TURNS), ("3", [("ask", "so 1"), ("ask", "so 1")]))
    right, wrong = rewards("p2s", batch, p2s(policy, AtEnd("="), closing=Geometric()))
    assert 1 >= right > wrong + 0.2 and wrong >= 0


# Of one name, but not of one kind.


def test_presets_of_one_column_do_not_pass_for_each_other():
    policy, batch = taught(), group()
    one = observe(batch, [igpo(policy, MARK)])
    two = observe(one, [verifree(policy, MARK)])
    close(two["next_belief"].values, np.exp(logs().sum(1)))
    assert observe(two, [verifree(policy, MARK)])["next_belief"] is two["next_belief"]
    with pytest.raises(UnknownNameError, match="two observers are named 'belief'"):
        observe(batch, [igpo(policy, MARK), verifree(policy, MARK)])


@pytest.mark.parametrize(
    ("preset", "level", "bounds"),
    [
        (rlpr(fresh()), "step", (0, 1)),
        (rlpr_gain(fresh()), "trajectory", (-1, 1)),
        (verifree(fresh()), "step", (0, 1)),
        (log_prob(fresh()), "trajectory", (-np.inf, 0)),
        (jepo(fresh()), "trajectory", (-np.inf, np.inf)),
        (jepo_group(fresh()), "trajectory", (-np.inf, 0)),
        (dro_r3(fresh()), "trajectory", (-np.inf, np.inf)),
        (darl(fresh()), "trajectory", (0, 1 + 0.01 / 8)),
        (igpo(fresh()), "step", (0, 1)),
        (grpo_vps(fresh()), "step", (0, 1)),
        (p2s(fresh()), "step", (-np.inf, np.inf)),
        (sar(fresh()), "token", (-np.inf, 0)),
        (flr(fresh(), ("thanks",), ("wrong",)), "trajectory", (-np.inf, np.inf)),
        (rlp(fresh(), fresh(1)), "trajectory", (-np.inf, np.inf)),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_every_preset_declares_its_level_its_range_and_its_cost(preset, level, bounds):
    assert (preset.level, (preset.low, preset.high), preset.cost) == (level, bounds, "minutes")
