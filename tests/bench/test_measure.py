"""The measurement against what must come out of it."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon import recipes
from guerdon.bench import WORLDS, Player, cosine, estimate, rules, to_batch
from guerdon.bench.measure import GROUP, SHOWN, Options, Piece, measure
from guerdon.bench.rules import EXACT, find, rule
from guerdon.bench.stages import stages
from guerdon.bench.truth import Truth
from guerdon.credit import Credit, step_term
from guerdon.rewards import fact

WORLD = WORLDS["submit"]()
STAGE = stages(WORLD, 300)[0][1]
TRUTH = Truth(WORLD, STAGE.logits, STAGE.better)
OPTIONS = Options(64, 2.0**10)


def measured(wanted, options=OPTIONS, world=WORLD, stage=STAGE):
    found = measure(world, stage, wanted, options, lambda level, left: None)
    return found, {(row["recipe"], row["view"]): row for row in found["rows"]}


@pytest.fixture(scope="module")
def some():
    return measured(find(["gigpo", "remax", "srgpo", "portool", "grpo-control", "thr"]))


def test_the_exact_advantage_is_never_wrong(some):
    last = some[1]["exact", ""]["last"]
    assert last["sign"] == last["rank"] == last["signal"] == 1.0
    assert last["bias"] < 0.1 and some[1]["exact", ""]["left"] == "reached"


def test_better_credit_needs_fewer_steps(some):
    rows = some[1]
    assert rows["grpo", ""]["ratio"]["value"] == 1.0
    assert rows["exact", ""]["ratio"]["low"] > 1.5
    assert rows["exact", ""]["budget"]["steps"] < rows["grpo", ""]["budget"]["steps"]


def test_noise_points_nowhere(some):
    control = some[1]["grpo-control", ""]
    assert abs(control["last"]["cosine"]) < 0.25 and control["budget"]["steps"] is None
    assert control["last"]["sign"] == pytest.approx(0.5, abs=0.06) and control["left"] in ("stalled", "most")


def test_states_are_measured_with_both_views(some):
    assert {view for name, view in some[1] if name == "gigpo"} == {"whole state", "observed key"}


def test_what_is_not_measured_says_why(some):
    assert some[0]["not_measured"] == {"thr": "needs influence"}


def test_real_steps_are_counted(some):
    rows = some[1]
    for row in rows.values():
        curve = row["curve"]
        assert (np.diff(curve["steps"]) > 0).all() and (np.diff(curve["groups"]) > 0).all()
    per_group = np.array(rows["grpo", ""]["curve"]["steps"]) / rows["grpo", ""]["curve"]["groups"]
    assert per_group == pytest.approx(np.full(len(per_group), GROUP * TRUTH.length), rel=0.1)
    both = min(len(rows[name, ""]["curve"]["steps"]) for name in ("grpo", "remax"))
    more = np.subtract(*(np.array(rows[name, ""]["curve"]["steps"][:both]) for name in ("remax", "grpo")))
    assert more == pytest.approx(TRUTH.greedy[1][0] * np.array(rows["grpo", ""]["curve"]["groups"][:both])), (
        "greedy plays"
    )
    tree = rows["portool", ""]["curve"]
    assert tree["steps"][0] / tree["groups"][0] < GROUP * TRUTH.length, "shared steps are paid once"


def test_it_comes_out_the_same_again(some):
    again = measured(find(["gigpo", "remax", "srgpo", "portool", "grpo-control", "thr"]))[1]
    assert again == some[1]
    other = measured([EXACT, rule(recipes.get("grpo"))], replace(OPTIONS, seed=1))[1]
    assert other["grpo", ""]["curve"]["cosine"] != some[1]["grpo", ""]["curve"]["cosine"]


def test_adding_up_groups_gives_what_whole_batches_give(monkeypatch):
    """The shortcut for rules that stay within their group changes nothing."""
    wanted = [EXACT, rule(recipes.get("grpo")), rule(recipes.get("gigpo"))]
    short = measured(wanted, Options(64, 300.0))[1]
    monkeypatch.setattr(rules, "within_groups", lambda *_: False)
    long = measured(wanted, Options(64, 300.0))[1]
    assert long["grpo", ""]["compares_beyond_its_group"] and not short["grpo", ""]["compares_beyond_its_group"]
    for key, row in short.items():
        both = min(len(row["curve"]["steps"]), len(long[key]["curve"]["steps"]))
        for name in ("steps", "cosine", "variance"):
            assert row["curve"][name][:both] == pytest.approx(long[key]["curve"][name][:both], rel=1e-6), (key, name)


def test_cosines_are_those_of_plain_batches():
    """64 batches played and credited one by one, with the functions of the sampler."""
    groups, credit, rng = 4, recipes.get("grpo").credit, np.random.default_rng(9)
    player, own = Player(WORLD, TRUTH.policy), []
    for _ in range(400):
        plays = player.play(groups, rng)
        advantage = credit(to_batch(WORLD, plays, False)).values
        own.append(cosine(estimate(WORLD, STAGE.logits, plays, advantage), TRUTH.gradient))
    row = measured([EXACT, rule(recipes.get("grpo"))])[1]["grpo", ""]["curve"]
    at = row["groups"].index(groups)
    error = np.std(own) / 20 + (row["cosine_high"][at] - row["cosine_low"][at]) / 3.9
    assert row["cosine"][at] == pytest.approx(np.mean(own), abs=3 * error)


def test_a_rule_that_stalls_leaves():
    """Exact in size, wrong in sign on one action: no budget mends that."""

    def half(batch):
        column = step_term(fact("step_score"))(batch)
        return replace(column, values=np.where(batch["action"].values == 2, -1.0, 1.0) * column.values)

    wrong = replace(EXACT, name="half", credit=Credit("half", half))
    row = measured([EXACT, rule(recipes.get("grpo")), wrong], Options(64, 2.0**16))[1]["half", ""]
    assert row["left"] == "stalled" and row["last"]["steps"] < 2**14
    assert row["last"]["bias"] > 0.4 and row["budget"]["steps"] is None


def test_quality_written_slowly():
    plays = Player(WORLD, TRUTH.policy).play(6, np.random.default_rng(3))
    piece = Piece(TRUTH, plays, 3, 2)
    advantage = np.round(np.random.default_rng(4).normal(size=len(plays)), 1)
    advantage[plays.group == 1] = 0.0
    found = piece.quality(advantage)
    exact = TRUTH.advantage[plays.time, plays.state, plays.action]
    for batch in range(3):
        at = np.flatnonzero(plays.group // 2 == batch)[:SHOWN]
        at = at[np.abs(exact[at]) > 1e-9]
        right = [0.5 if advantage[i] == 0 else float((advantage[i] > 0) == (exact[i] > 0)) for i in at]
        assert found["sign"][batch] == pytest.approx(np.mean(right))
        ranks = [[np.mean([(y > x) + 0.5 * (y == x) for y in v[at]]) for x in v[at]] for v in (advantage, exact)]
        assert found["rank"][batch] == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert found["signal"].tolist() == [0.5, 1.0, 1.0]
    assert (piece.quality(0 * advantage)["rank"] == 0).all() and (piece.quality(0 * advantage)["sign"] == 0.5).all()
