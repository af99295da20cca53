"""Which rules are measured, what they are shown, and which of them stay within their group."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon import recipes
from guerdon.bench import WORLDS, Player, exact
from guerdon.bench.branch import branch
from guerdon.bench.rules import EXACT, NEITHER, OBSERVED, WHOLE, cannot, credit_of, find, rule, seen, within_groups
from guerdon.bench.truth import Truth
from guerdon.credit import Credit
from guerdon.errors import UnknownNameError

WORLD = WORLDS["submit"]()
TRUTH = Truth(WORLD, np.zeros((4, 3)), np.ones((4, 3)))
PLAYER = Player(WORLD, TRUTH.policy)
PLAYS = PLAYER.play(6, np.random.default_rng(0))
TREE = branch(PLAYER, 6, np.random.default_rng(0))


def local(name):
    one = rule(recipes.get(name)) if name != "exact" else EXACT
    return within_groups(one, TRUTH, TREE if one.tree else PLAYS, np.random.default_rng(1))


@pytest.mark.parametrize("name", ["exact", "grpo", "rloo", "gigpo", "salt", "remax", "pure", "branchgrpo"])
def test_rules_that_stay_within_their_group(name):
    assert local(name)


@pytest.mark.parametrize("name", ["grpo-control", "gigpo-control", "srgpo", "reinforce-pp", "ppo"])
def test_rules_that_do_not(name):
    assert not local(name)


def test_the_reference_and_the_exact_advantage_are_always_there():
    assert [one.name for one in find(["gigpo", "salt-control", "rloo"])] == [
        "exact", "grpo", "gigpo", "salt-control", "rloo"
    ]  # fmt: skip
    assert {one.name for one in find()} == {*recipes.names(), "exact"}
    with pytest.raises(UnknownNameError, match="gigpo"):
        find(["gigpoo"])


def test_states_are_seen_twice():
    assert rule(recipes.get("gigpo")).views == (WHOLE, OBSERVED)
    assert rule(recipes.get("grpo")).views == (NEITHER,)
    whole, key = (seen(rule(recipes.get("gigpo")), TRUTH, PLAYS, view)["state"].values for view in (WHOLE, OBSERVED))
    assert whole.tolist() == PLAYS.state.tolist() and key.tolist() == WORLD.key[PLAYS.state].tolist()


def test_a_critic_that_is_exact_is_told_values():
    ppo = rule(recipes.get("ppo"))
    assert ppo.told == "values" and ppo.needs >= {"value", "next_value"}
    assert rule(recipes.get("grpo")).told == "nothing"


def test_what_cannot_be_met_is_said():
    assert cannot(replace(EXACT, needs=frozenset(("nowhere", "step_score"))), TRUTH, PLAYS) == "needs nowhere"
    assert cannot(EXACT, TRUTH, PLAYS) == ""
    hidden = replace(EXACT, needs=frozenset())  # reads a column that it does not say
    assert "step_score" in cannot(hidden, TRUTH, PLAYS)


def test_a_credit_that_is_not_finite_is_refused():
    def broken(batch):
        column = EXACT.credit(batch)
        return replace(column, values=column.values * np.inf)

    assert "not finite" in cannot(replace(EXACT, credit=Credit("broken", broken)), TRUTH, PLAYS)


def test_the_exact_rule_is_the_exact_advantage():
    own = credit_of(EXACT, seen(EXACT, TRUTH, PLAYS, NEITHER))
    assert own == pytest.approx(exact(WORLD, TRUTH.logits, PLAYS))
