"""What a play of TextWorld says and counts, against TextWorld itself."""

import numpy as np
import pytest

textworld = pytest.importorskip("textworld")

from guerdon.environments import get  # noqa: E402
from guerdon.environments.textworld_play import goal_of, plain  # noqa: E402
from guerdon.errors import EnvironmentFault, RecordError  # noqa: E402
from guerdon.records import Task  # noqa: E402


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    return get("textworld", quest=4, train=2, test=1, horizon=12, folder=str(tmp_path_factory.getbasetemp() / "games"))


@pytest.fixture
def play(family):
    made = family.make()
    yield made
    made.close()


def shown(seen):
    return seen.facts["admissible_commands"].split("; ")


def wander(play, task, seed, steps=12):
    """A random play: the actions and what was seen after each."""
    rng = np.random.default_rng(seed)
    seen = play.reset(task)
    while not (seen.terminated or seen.truncated):
        action = str(rng.choice(shown(seen)))
        seen = play.step(action)
        yield action, seen


def test_the_commands_come_last_and_are_those_of_the_fact(family, play):
    for task in family.tasks("train"):
        for _, seen in wander(play, task, 0):
            head, _, commands = seen.observation.partition("commands : ")
            assert commands.split(" | ") == shown(seen)
            assert "you carry : " in head and f"goal : {task.prompt}" in head
            assert not any(command.startswith(("examine", "look", "inventory")) for command in shown(seen))


def test_observations_are_plain_words(family, play):
    for _, seen in wander(play, family.tasks("train")[0], 1):
        assert seen.observation == plain(seen.observation).replace("| |", "|")
        assert not {"$", ">", "-="} & set(seen.observation.split())


def test_the_hidden_commands_change_nothing(family, play):
    seen = play.reset(family.tasks("train")[0])
    hidden = [text for text in play._now.admissible_commands if plain(text) not in shown(seen)]
    assert {"look", "inventory"} <= set(hidden)
    for text in hidden:
        after, _, _ = play._game.step(text)
        assert sorted(map(str, after["_facts"])) == sorted(map(str, play._now["_facts"]))


@pytest.mark.filterwarnings("ignore:.*not fully supported")
def test_closer_is_textworlds_intermediate_reward(family, play):
    for number, task in enumerate([*family.tasks("train"), *family.tasks("test")]):
        path = family._home() / task.extra["id"] / "game.z8"
        wanted = textworld.EnvInfos(intermediate_reward=True, policy_commands=True, admissible_commands=True)
        judge = textworld.start(str(path), wanted)
        now = judge.reset()
        moved = 0
        for action, seen in wander(play, task, number):
            now, _, _ = judge.step(next(text for text in now.admissible_commands if plain(text) == action))
            assert seen.facts["closer"] == now.intermediate_reward
            assert seen.facts["policy_commands"] == "; ".join(map(plain, now.policy_commands))
            moved += seen.facts["closer"] != 0
        judge.close()
        assert moved


def test_progress_counts_what_is_left_and_is_a_function_of_the_state(family, play):
    of_state = {}
    for seed in range(4):
        least = 4
        for _, seen in wander(play, family.tasks("train")[1], seed):
            left = len([text for text in seen.facts["policy_commands"].split("; ") if text])
            if not seen.terminated and left:
                assert seen.facts["progress"] == max(0.0, 4 - left) / 4
                assert seen.facts["milestones"] == max(0, 4 - left)
            assert seen.facts["milestone"] == float(left < least)
            least = min(least, left)
            assert of_state.setdefault(seen.state, seen.facts["progress"]) == seen.facts["progress"]


def test_a_state_key_returns_when_the_state_does(family, play):
    begun = play.reset(family.tasks("train")[0])
    action = next(command for command in shown(begun) if command.startswith("drop "))
    dropped = play.step(action)
    assert dropped.state != begun.state
    taken = play.step(f"take {action.removeprefix('drop ')}")
    assert taken.facts["action_valid"] == 1.0 and taken.state == begun.state


def test_commands_are_matched_whatever_the_case_and_the_spaces(family, play):
    play.reset(family.tasks("train")[0])
    expert = play.expert()
    assert play.step("  " + expert.upper().replace(" ", "   ") + "\n").facts["action_valid"] == 1.0
    assert play.step(expert + " please").facts["action_valid"] == 0.0
    assert play.step("look").facts["action_valid"] == 0.0
    assert play.step("").facts["action_valid"] == 0.0


def test_a_play_is_the_same_each_time(family, play):
    task = family.tasks("train")[1]
    first = list(wander(play, task, 3))
    list(wander(play, family.tasks("train")[0], 5))
    assert list(wander(play, task, 3)) == first


def test_a_snapshot_in_the_middle_of_a_play_leads_on_in_another_environment(family, play):
    rng = np.random.default_rng(0)
    seen = play.reset(family.tasks("train")[0])
    for _ in range(4):
        seen = play.step(str(rng.choice(shown(seen))))
    kept, action = play.snapshot(), play.expert()
    other = family.make()
    other.restore(kept)
    assert other.step(action) == play.step(action)
    other.close()


def test_no_play_and_no_such_game_are_told(play):
    with pytest.raises(EnvironmentFault, match="reset"):
        play.step("look")
    with pytest.raises(EnvironmentFault, match="reset"):
        play.expert()
    for name in ("train-999", "../train-000", None):
        with pytest.raises(RecordError, match="take it from tasks"):
            play.reset(Task(extra={"id": name}))


@pytest.mark.parametrize(
    ("objective", "last", "goal"),
    [
        (
            "Hey, thanks for coming over to TextWorld! Please place the cd on the shelf.",
            "put cd on shelf",
            "place the cd on the shelf .",
        ),
        ("Your objective is to close the hatch in the cellar.", "close hatch", "close the hatch in the cellar ."),
        (
            "First, open the box. Then, take the key. Alright, thanks!",
            "",
            "first , open the box . then , take the key .",
        ),
    ],
)
def test_goals_have_no_greetings(objective, last, goal):
    assert goal_of(objective, last) == goal
