"""What is supplied in place of judges and critics is what its words say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.bench import WORLDS, Player, exact, to_batch
from guerdon.bench.signals import RECORDED, SIGNALS, VIEWED, costs, preferences, supplied, supply
from guerdon.bench.truth import Truth
from little import random_world, two


def shown(world, seed=0, observed=False, names=None):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(world.keys, world.actions))
    truth = Truth(world, logits, logits + rng.normal(size=logits.shape))
    plays = Player(world, truth.policy).play(4, rng)
    batch = to_batch(world, plays, observed)
    wanted = frozenset(SIGNALS) if names is None else frozenset(names)
    return truth, plays, supply(batch, truth, plays, wanted & supplied(world))


@pytest.mark.parametrize("name", WORLDS)
def test_every_signal_of_a_world_is_there_and_finite(name):
    world = WORLDS[name]()
    _, plays, batch = shown(world)
    for signal in set(SIGNALS) & supplied(world):
        column = batch[signal]
        assert column.valid.all() and np.isfinite(np.asarray(column.values, float)).all(), signal
        assert len(column) == batch.size(column.level)
    assert ("milestones" in batch) == ("progress" in world.facts)
    assert set(to_batch(world, plays, False).columns) >= RECORDED


@given(seed=st.integers(0, 9999))
def test_what_is_a_share_lies_between_zero_and_one(seed):
    world = random_world(seed)
    world = type(world)(world.P, np.abs(world.R), world.start, world.terminal, world.horizon, world.key)
    _, _, batch = shown(world, seed)
    for name in ("belief", "next_belief", "stop_value", "prover_value", "next_prover_value", "probe", "judge_score",
                 "importance", "wrong", "format_score", "path_score"):  # fmt: skip
        values = batch[name].values
        assert values.min() >= -1e-9 and values.max() <= 1 + 1e-9, name


def test_the_judges_follow_the_exact_advantage():
    world = random_world(2)
    truth, plays, batch = shown(world, 2)
    advantage = exact(world, truth.logits, plays)
    assert batch["step_score"].values == pytest.approx(advantage)
    assert (batch["wrong"].values == (advantage < 0)).all()
    assert (batch["wrong_votes"].values == (advantage < 0)[:, None]).all()
    assert ((batch["judge_score"].values > 0.5) == (advantage > 0)).all()
    assert batch["q_values"].values - batch["values"].values == pytest.approx(np.stack([advantage] * 2, 1))
    assert batch["importance"].values == pytest.approx(np.abs(advantage) / np.abs(truth.advantage).max())


def test_two_states_by_hand():
    truth, plays, batch = shown(two(), names=["closer", "action_valid", "entropy", "logprob", "history_std", "segment"])
    went = plays.action == 1
    assert batch["closer"].values.tolist() == went.astype(float).tolist(), "staying brings the end no nearer"
    assert batch["action_valid"].values.tolist() == went.astype(float).tolist()
    p = truth.policy[0]
    assert batch["logprob"].values == pytest.approx(np.log(p)[plays.action])
    assert batch["entropy"].values == pytest.approx(np.full(len(plays), -(p * np.log(p)).sum()))
    success = truth.value[0, 0]
    assert batch["history_std"].values == pytest.approx(np.full(4, np.sqrt(success * (1 - success))))
    assert len(set(batch["segment"].values)) == plays.count, "no play has more than three steps"


def test_milestones_are_levels_of_progress():
    world = two(facts={"progress": np.array([0.0, 1.0])})
    _, plays, batch = shown(world)
    assert batch["milestones"].values.tolist() == batch["milestone"].values.tolist() == plays.action.tolist()


@pytest.mark.parametrize("observed", [False, True])
def test_features_see_what_the_state_column_sees(observed):
    _, _, batch = shown(WORLDS["submit"](), observed=observed)
    assert batch["features"].values.argmax(1).tolist() == batch["state"].values.tolist()
    assert {"features", "state"} <= VIEWED


def test_preferences_are_differences_of_outcomes_in_the_group():
    _, _, batch = shown(two())
    table, outcome = preferences(batch), batch["outcome"].values
    first, second = (table[name].to_numpy() for name in ("first", "second"))
    assert len(table) == 4 * 28 and (batch.group_of_trajectory[first] == batch.group_of_trajectory[second]).all()
    assert len({*zip(first.tolist(), second.tolist(), strict=True)}) == 4 * 28
    assert table["preference"].to_numpy() == pytest.approx(outcome[first] - outcome[second])


def test_a_greedy_play_is_paid_for():
    truth, plays, batch = shown(WORLDS["submit"]())
    assert costs(truth, frozenset(("outcome", "state"))) == 0.0
    assert costs(truth, frozenset(("greedy_outcome",))) == pytest.approx(truth.greedy[1][0])
    assert batch["greedy_outcome"].values == pytest.approx(np.full(plays.count, truth.greedy[0][0]))


def test_what_no_recipe_reads_is_not_kept():
    needs = {n for name in recipes.names() for n in recipes.get(name).needs}
    critics = {c for name in recipes.names() if recipes.get(name).critic for c in recipes.get(name).critic.columns}
    unread = set(SIGNALS) - needs - critics - {n for name in recipes.names() for n in recipes.get(name).credit.needs}
    assert unread <= {"logprob", "milestones"}
