"""keydoor: the rules by hand, the exact model against play, the expert, the tasks, and a golden playthrough."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from guerdon.environments.base import Branching
from guerdon.environments.keydoor import Keydoor
from guerdon.environments.tabular import expected_return, values
from guerdon.errors import EnvironmentFault, RecordError, UnknownNameError
from guerdon.records import Task

GOLDEN = Path(__file__).with_name("keydoor_playthrough.txt")
SMALL = {"size": 3, "train": 2, "test": 2, "horizon": 40}

# A task drawn by hand: the key is east of the start, the door south of the key, item and goal in the next room.
BY_HAND = Task(
    prompt="take key then open door then take item then enter goal",
    extra={
        "id": "by hand",
        "size": 2,
        "start": [0, 0, 0],
        "objects": [["key", 0, 1, 0], ["door", 0, 1, 1], ["item", 1, 1, 1], ["goal", 1, 0, 0]],
    },
)


def begun(task=BY_HAND, horizon=40):
    play = Keydoor(horizon=horizon).make()
    play.reset(task)
    return play


def solve(play, seen):
    """Plays the expert until an end, and gives what was seen after each action."""
    plays = []
    while not (seen.terminated or seen.truncated):
        seen = play.step(play.expert())
        plays.append(seen)
    return plays


@pytest.fixture(params=[1, 2, 3, 4, 5, 6])
def family(request):
    return Keydoor(**SMALL, subgoals=request.param)


# The rules, by hand.


def test_a_play_from_start_to_goal():
    play = begun()
    assert (
        play.reset(BY_HAND).observation == "room 0 at 0 0 holding nothing key 1 east 0 north door 1 east 1 south locked"
    )
    told = [
        ("go east", "room 0 at 1 0 holding nothing key 0 east 0 north door 0 east 1 south locked"),
        ("take key", "room 0 at 1 0 holding key door 0 east 1 south locked"),
        ("go south", "room 0 at 1 1 holding key door 0 east 0 north locked"),
        ("open door", "room 0 at 1 1 holding nothing door 0 east 0 north open"),
        ("go east", "room 1 at 0 1 holding nothing item 1 east 0 north goal 0 east 1 north"),
        ("go east", "room 1 at 1 1 holding nothing item 0 east 0 north goal 1 west 1 north"),
        ("take item", "room 1 at 1 1 holding item goal 1 west 1 north"),
        ("go west", "room 1 at 0 1 holding item goal 0 east 1 north"),
        ("go north", "room 1 at 0 0 holding item goal 0 east 0 north"),
        ("enter goal", "room 1 at 0 0 holding item done"),
    ]
    for action, observation in told:
        seen = play.step(action)
        assert seen.observation == observation
        assert seen.facts["action_valid"] == seen.facts["closer"] == 1.0
    assert (seen.terminated, seen.truncated, seen.reward, seen.outcome) == (True, False, 1.0, 1.0)


@pytest.mark.parametrize(
    "action",
    ["go west", "go north", "take key", "open door", "take item", "enter goal", "", "go east ", "Go east", "dance"],
)
def test_what_does_not_apply_is_a_no_op_that_takes_time(action):
    play = begun()
    before = play.reset(BY_HAND)
    seen = play.step(action)
    assert (seen.observation, seen.state) == (before.observation, before.state)
    assert seen.facts["action_valid"] == seen.facts["closer"] == seen.facts["milestone"] == 0.0
    assert play.snapshot()[-1] == 1


def test_subgoals_do_not_go_out_of_order():
    play = begun()
    for action in ("go east", "go south"):
        play.step(action)
    assert play.step("open door").facts["action_valid"] == 0.0  # no key yet
    assert play.step("go east").facts["action_valid"] == 0.0  # and so a wall
    for action in ("go north", "take key", "go south", "open door", "go east", "go north"):
        assert play.step(action).facts["action_valid"] == 1.0
    assert play.step("enter goal").facts["action_valid"] == 0.0  # no item yet


def test_the_door_leads_one_way():
    play = begun()
    for action in ("go east", "take key", "go south", "open door", "go east"):
        play.step(action)
    assert play.step("go west").facts["action_valid"] == 0.0


def test_away_from_the_next_object_is_farther():
    play = begun()
    assert play.step("go south").facts["closer"] == -1.0


def test_the_horizon_cuts_and_pays_nothing():
    seen = begun(horizon=1).step("go east")
    assert (seen.terminated, seen.truncated, seen.reward, seen.outcome) == (False, True, 0.0, 0.0)


def test_a_play_that_goes_on_has_no_outcome():
    seen = begun(horizon=2).step("go east")
    assert (seen.terminated, seen.truncated, seen.outcome) == (False, False, None)


def test_the_goal_at_the_last_moment_is_solved_not_cut():
    play = begun(horizon=10)
    seen = solve(play, play.reset(BY_HAND))[-1]
    assert (seen.terminated, seen.truncated, seen.outcome) == (True, False, 1.0)
    late = begun(horizon=9)
    seen = solve(late, late.reset(BY_HAND))[-1]
    assert (seen.terminated, seen.truncated, seen.outcome) == (False, True, 0.0)


# The exact model against play.


def test_the_model_and_the_environment_agree_in_every_state_on_every_action(family):
    task = family.tasks("train")[0]
    model, play = family.model(task), family.make()
    number = {name: s for s, name in enumerate(model.states)}
    met = {play.reset(task).state: play.snapshot()}
    assert model.start[number[play.reset(task).state]] == 1.0 and model.start.sum() == 1.0
    todo = list(met)
    while todo:
        name = todo.pop()
        for a, action in enumerate(family.actions()):
            play.restore((*met[name][:-1], 0))  # time is no part of the state
            seen = play.step(action)
            after = number[seen.state]
            assert model.transition[number[name], a] == after
            assert model.reward[number[name], a] == seen.reward
            assert model.terminal[after] == seen.terminated
            assert (seen.facts["action_valid"] == 0.0) == (seen.state == name)
            if seen.state not in met:
                met[seen.state] = play.snapshot()
                if not seen.terminated:
                    todo.append(seen.state)
    assert set(met) == set(model.states)
    assert model.actions == tuple(family.actions()) and model.horizon == family.horizon


@pytest.mark.parametrize(("subgoals", "horizon"), [(2, 40), (4, 150)])
def test_the_model_says_what_random_play_wins(subgoals, horizon):
    family = Keydoor(size=2, subgoals=subgoals, train=1, test=0, horizon=horizon)
    task, n = family.tasks("train")[0], 2000
    model, play = family.model(task), family.make()
    uniform = np.full(model.shape, 1 / model.shape[1])
    chance = expected_return(model, uniform)
    rng, actions, won = np.random.default_rng(0), family.actions(), 0.0
    for _ in range(n):
        seen = play.reset(task)
        while seen.outcome is None:
            seen = play.step(actions[rng.integers(len(actions))])
        won += seen.outcome
    assert 0.05 < chance < 0.95
    assert abs(won / n - chance) < 4 * (chance * (1 - chance) / n) ** 0.5


# The expert.


def test_the_expert_solves_every_task_as_fast_as_dynamic_programming_says(family):
    play = family.make()
    for task in [*family.tasks("train"), *family.tasks("test")]:
        model = family.model(task)
        v = np.zeros((family.horizon + 1, model.shape[0]))
        for t in range(1, family.horizon + 1):  # v[t]: the most that can be won with t actions left
            v[t] = np.where(model.terminal, 0, (model.reward + v[t - 1][model.transition]).max(-1))
        fewest = int(np.argmax(v @ model.start > 0))
        seen = solve(play, play.reset(task))
        assert len(seen) == fewest <= family.horizon
        assert seen[-1].outcome == 1.0 and all(one.facts["closer"] == 1.0 for one in seen)


def test_closer_is_a_shorter_way_as_dynamic_programming_sees_it():
    """With discount, the value of best play falls with distance, so the two order any two states alike."""
    family = Keydoor(**SMALL, subgoals=4)
    task = family.tasks("train")[1]
    model, play = family.model(task), family.make()
    value = np.zeros(model.shape[0])
    for _ in range(family.horizon):
        value = np.where(model.terminal, 0, (model.reward + 0.9 * value[model.transition]).max(-1))
    value[model.terminal] = 1 / 0.9
    number = {name: s for s, name in enumerate(model.states)}
    rng, seen = np.random.default_rng(0), play.reset(task)
    signs = set()
    for _ in range(2000):
        if seen.outcome is not None:
            seen = play.reset(task)
        before = value[number[seen.state]]
        seen = play.step(play.expert() if rng.random() < 0.5 else family.actions()[rng.integers(8)])
        change = value[number[seen.state]] - before
        assert seen.facts["closer"] == (0.0 if abs(change) < 1e-12 else np.sign(change))
        signs.add(seen.facts["closer"])
    assert signs == {-1.0, 0.0, 1.0}


def test_milestones_only_grow_and_add_up(family):
    play, rng = family.make(), np.random.default_rng(0)
    task = family.tasks("train")[0]
    for _ in range(20):
        seen, so_far = play.reset(task), 0.0
        while seen.outcome is None:
            strange = family.actions()[rng.integers(len(family.actions()))]
            seen = play.step(play.expert() if rng.random() < 0.6 else strange)
            so_far += seen.facts["milestone"]
            assert seen.facts["milestone"] in (0.0, 1.0)
            assert seen.facts["milestones"] == so_far
            assert seen.facts["progress"] == so_far / family.subgoals
        assert (seen.outcome == 1.0) == (seen.facts["progress"] == 1.0)


# What the policy reads.


def test_each_state_of_a_task_reads_differently(family):
    """So within a task the observation is the state: nothing that matters is hidden but time."""
    task = family.tasks("train")[0]
    play, read = family.make(), {}
    first = play.reset(task)
    read[first.state], met, todo = first.observation, {first.state: play.snapshot()}, [first.state]
    while todo:
        name = todo.pop()
        for action in family.actions():
            play.restore((*met[name][:-1], 0))
            seen = play.step(action)
            if seen.state not in met:
                met[seen.state], read[seen.state] = play.snapshot(), seen.observation
                if not seen.terminated:
                    todo.append(seen.state)
    assert len(set(read.values())) == len(read) == len(family.model(task).states)


def test_observations_are_short_and_use_the_declared_words(family):
    known, play = set(family.words()), family.make()
    for task in [*family.tasks("train"), *family.tasks("test")]:
        first = play.reset(task)
        for seen in [first, *solve(play, first)]:
            assert set(seen.observation.split(" ")) <= known and len(seen.observation.split(" ")) <= 22
        assert set(task.prompt.split(" ")) <= known
    assert {word for action in family.actions() for word in action.split(" ")} <= known
    assert len(known) == len(family.words())


def test_the_next_object_stands_first_and_tells_where_it_is(family):
    """Following the first offset, then the verb, is enough to solve any layout."""
    verbs = {"key": "take key", "door": "open door", "item": "take item", "goal": "enter goal"}
    play = family.make()
    for task in family.tasks("test"):
        seen = play.reset(task)
        while seen.outcome is None:
            name, across, side, along, way = seen.observation.split(" ")[7:12]
            if across != "0":
                action = f"go {side}"
            elif along != "0":
                action = f"go {way}"
            else:
                action = "go east" if seen.observation.endswith("open") else verbs[name]
            seen = play.step(action)
        assert seen.outcome == 1.0


@pytest.mark.parametrize(("subgoals", "count"), [(1, 5), (2, 6), (3, 7), (4, 8), (5, 7), (6, 8)])
def test_verbs_that_cannot_apply_are_left_out(subgoals, count):
    assert len(Keydoor(size=6, subgoals=subgoals).actions()) == count


# Tasks.


def test_no_two_tasks_share_a_layout(family):
    layouts = [json.dumps(task.extra["objects"]) for split in ("train", "test") for task in family.tasks(split)]
    assert len(set(layouts)) == len(layouts) == 4
    ids = [task.extra["id"] for split in ("train", "test") for task in family.tasks(split)]
    assert len(set(ids)) == 4


def test_every_layout_there_is_can_be_asked_for():
    family = Keydoor(size=2, subgoals=3, train=20, test=4)
    assert len({json.dumps(t.extra["objects"]) for s in ("train", "test") for t in family.tasks(s)}) == 24


def test_objects_lie_in_distinct_cells_and_doors_on_the_east_edge():
    for task in Keydoor(size=3, subgoals=6, train=50).tasks("train"):
        cells = [tuple(place) for _, *place in task.extra["objects"]]
        assert len(set(cells)) == 6 and [room for room, *_ in cells] == [0, 0, 1, 1, 2, 2]
        assert all(x == 2 for name, _, x, _ in task.extra["objects"] if name == "door")


def test_the_seed_alone_says_which_tasks():
    assert Keydoor(seed=3).tasks("train") == Keydoor(seed=3, horizon=9).tasks("train")
    assert Keydoor(seed=3).tasks("train") != Keydoor(seed=4).tasks("train")
    assert Keydoor(train=8, test=4).tasks("train") == Keydoor(train=16).tasks("train")[:8]


def test_a_family_is_made_again_from_its_options(family):
    assert Keydoor(**family.options) == family and family.name == "keydoor"


def test_a_task_that_was_written_down_plays_the_same(family):
    task = family.tasks("train")[0]
    again = Task(task.prompt, task.reference, json.loads(json.dumps(dict(task.extra))))
    play = family.make()
    first = solve(play, play.reset(task))
    assert solve(play, play.reset(again)) == first
    assert (family.model(again).transition == family.model(task).transition).all()


# Branching.


def test_a_snapshot_brings_back_everything_even_elsewhere(family):
    play, task = family.make(), family.tasks("train")[0]
    assert isinstance(play, Branching)
    play.reset(task)
    play.step("go east")
    kept = pickle.loads(pickle.dumps(play.snapshot()))
    rest = solve(play, play.step("go west"))
    other = family.make()
    other.reset(family.tasks("test")[0])
    other.restore(kept)
    assert solve(other, other.step("go west")) == rest
    assert other.snapshot() == play.snapshot()


def test_plays_do_not_touch_each_other(family):
    one, two = family.make(), family.make()
    before = one.reset(family.tasks("train")[0]), two.reset(family.tasks("train")[0])
    solve(one, before[0])
    assert two.step("nothing").state == before[1].state


def test_facts_that_are_changed_do_not_come_back():
    play = begun()
    play.step("dance").facts["action_valid"] = 7.0
    assert play.step("dance").facts["action_valid"] == 0.0


# The golden playthrough.


def playthrough():
    """The expert's play of the first training task, with a wrong word now and then."""
    family = Keydoor()
    task = family.tasks("train")[0]
    play, lines = family.make(), [f"task   {task.prompt}", f"extra  {json.dumps(dict(task.extra))}", ""]
    seen, time = play.reset(task), 0
    lines += [f"   {seen.observation}", f"   {seen.state}"]
    while seen.outcome is None:
        time += 1
        action = "take goal" if time == 3 else play.expert()
        seen = play.step(action)
        facts = " ".join(f"{name}={value:g}" for name, value in seen.facts.items())
        end = f" terminated={seen.terminated} truncated={seen.truncated} outcome={seen.outcome}"
        lines += ["", f"{time:2} > {action}", f"   {seen.observation}", f"   {seen.state}"]
        lines += [f"   reward={seen.reward:g} {facts}" + (end if seen.outcome is not None else "")]
    return "\n".join(lines) + "\n"


def test_the_golden_playthrough_still_reads_the_same():
    """Where this fails on purpose, write `playthrough()` into the file, and read the difference."""
    assert playthrough() == GOLDEN.read_text()


# Bad input says what to do.


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size is 1; it must be a whole number of at least 2"),
        ({"subgoals": 0}, "subgoals is 0"),
        ({"horizon": 2.5}, "horizon is 2.5"),
        ({"train": True}, "train is True"),
        ({"seed": "one"}, "seed is 'one'"),
        (
            {"size": 5, "subgoals": 1, "train": 16, "test": 16},
            "32 tasks were asked for; .* 25 layouts.*make size larger",
        ),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Keydoor(**options)


@pytest.mark.bad_input
def test_a_name_that_is_not_there_lists_those_that_are():
    with pytest.raises(UnknownNameError, match="'train' or 'test'"):
        Keydoor().tasks("validation")


@pytest.mark.bad_input
def test_a_task_of_another_kind_is_refused():
    with pytest.raises(RecordError, match="no id, size, start, objects"):
        Keydoor().make().reset(Task(prompt="say hello"))
    with pytest.raises(RecordError, match="no id"):
        Keydoor().model(Task())


@pytest.mark.bad_input
def test_no_step_before_a_play_or_after_its_end():
    for call in (lambda play: play.step("go east"), lambda play: play.expert(), lambda play: play.snapshot()):
        with pytest.raises(EnvironmentFault, match="call reset"):
            call(Keydoor().make())
    cut = begun(horizon=1)
    cut.step("go east")
    with pytest.raises(EnvironmentFault, match="step"):
        cut.step("go east")
    done = begun()
    solve(done, done.reset(BY_HAND))
    with pytest.raises(EnvironmentFault, match="expert"):
        done.expert()


def test_exact_values_know_the_state_that_is_lost():
    """With fewer actions left than the shortest way, nothing can be won."""
    family = Keydoor(**SMALL, subgoals=4)
    task = family.tasks("train")[0]
    model = family.model(task)
    v, _ = values(model, np.full(model.shape, 1 / 8))
    play = family.make()
    fewest = len(solve(play, play.reset(task)))
    worth = v @ model.start
    assert (worth[: family.horizon - fewest + 1] > 0).all() and not worth[family.horizon - fewest + 1 :].any()
