"""The registry, and what every built-in family has in common."""

import pickle
import subprocess
import sys

import pytest

from guerdon import environments
from guerdon.environments import Branching, get, names
from guerdon.errors import EnvironmentFault, UnknownNameError

SMALL = {"keydoor": {"train": 3, "test": 2}, "textworld": {"train": 1, "test": 1, "quest": 2, "horizon": 5}}

WORLD = """
class World:
    name, horizon = "world", 3
    def __init__(self, size: int = 2): self.size = size
_hidden = World
number = 3
"""


@pytest.fixture(params=names())
def family(request, tmp_path_factory):
    options = SMALL[request.param]
    if request.param == "textworld":
        pytest.importorskip("textworld")
        options = {**options, "folder": str(tmp_path_factory.getbasetemp() / "games")}
    return get(request.param, **options)


@pytest.fixture
def world(tmp_path):
    path = tmp_path / "world.py"
    path.write_text(WORLD)
    return path


# What every family does.


def test_a_family_can_be_made_again_from_its_name_and_options(family):
    again = get(family.name, **family.options)
    assert again == family
    assert list(again.tasks("train")) == list(family.tasks("train"))


def test_a_family_can_be_sent_to_a_process(family):
    assert pickle.loads(pickle.dumps(family)) == family


def test_training_and_test_tasks_are_apart_and_stay_the_same(family):
    train, test = family.tasks("train"), family.tasks("test")
    assert len(train) == family.options["train"] and len(test) == family.options["test"]
    assert not {task.extra["id"] for task in train} & {task.extra["id"] for task in test}
    assert list(family.tasks("train")) == list(train)
    with pytest.raises(UnknownNameError, match=r"'train'.*'test'"):
        family.tasks("dev")


def test_the_expert_solves_every_task_and_is_paid_once(family):
    play = family.make()
    for task in [*family.tasks("train"), *family.tasks("test")]:
        seen = play.reset(task)
        assert (seen.reward, seen.terminated, seen.truncated, seen.outcome) == (None, False, False, None)
        paid = []
        while not (seen.terminated or seen.truncated):
            seen = play.step(play.expert())
            paid.append(seen.reward)
            assert seen.facts["action_valid"] == 1.0 and seen.facts["closer"] == 1.0
        assert paid == [0.0] * (len(paid) - 1) + [1.0]
        assert (seen.terminated, seen.truncated, seen.outcome, seen.facts["progress"]) == (True, False, 1.0, 1.0)
    play.close()


def test_nonsense_is_a_counted_no_op_until_the_horizon(family):
    play = family.make()
    state = play.reset(family.tasks("train")[0]).state
    for time in range(family.horizon):
        seen = play.step("fly to the moon")
        assert (seen.facts["action_valid"], seen.facts["closer"], seen.state, seen.reward) == (0.0, 0.0, state, 0.0)
        assert (seen.terminated, seen.truncated) == (False, time == family.horizon - 1)
    assert seen.outcome == 0.0
    with pytest.raises(EnvironmentFault):
        play.step("fly to the moon")
    play.close()


def test_words_cover_what_is_said(family):
    words = set(family.words())
    play = family.make()
    for task in family.tasks("train"):
        seen = play.reset(task)
        while not (seen.terminated or seen.truncated):
            assert set(seen.observation.split()) <= words
            action = play.expert()
            assert set(action.split()) <= words
            seen = play.step(action)
    play.close()


def test_going_back_to_a_snapshot_gives_the_same_play(family):
    play = family.make()
    assert isinstance(play, Branching)
    play.reset(family.tasks("train")[0])
    before, action = play.snapshot(), play.expert()
    first = play.step(action)
    play.restore(before)
    assert play.step(action) == first
    play.close()


# The registry.


def test_an_unknown_name_lists_the_names():
    with pytest.raises(UnknownNameError, match=r"'keydor'.*keydoor, textworld.*FILE.py:NAME"):
        get("keydor")


def test_an_unknown_option_lists_the_options():
    with pytest.raises(UnknownNameError, match=r"'sise'.*size"):
        get("keydoor", sise=3)


def test_a_family_comes_from_a_file(world):
    assert (get(f"{world}:World").size, get(f"{world}:World", size=5).size) == (2, 5)
    with pytest.raises(UnknownNameError, match=r"'sise'.*size"):
        get(f"{world}:World", sise=5)


@pytest.mark.parametrize(
    ("text", "name", "error", "message"),
    [
        (WORLD, "Wold", UnknownNameError, "'Wold'.*World"),
        (WORLD, "number", UnknownNameError, "'number'.*World"),
        ("1 / 0", "World", EnvironmentFault, "ZeroDivisionError"),
        ("class", "World", EnvironmentFault, "SyntaxError"),
    ],
)
def test_a_file_that_is_wrong_gets_a_sentence(world, text, name, error, message):
    world.write_text(text)
    with pytest.raises(error, match=message):
        get(f"{world}:{name}")


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path):
    with pytest.raises(EnvironmentFault, match="no such file"):
        get(f"{tmp_path}/none.py:World")


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for folder, size in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "world.py").write_text(WORLD.replace("int = 2", f"int = {size}"))
    first, second = (get(f"{tmp_path}/{folder}/world.py:World") for folder in "ab")
    assert (first.size, second.size) == (1, 2)
    assert type(first).__module__ != type(second).__module__


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    code = (
        "import sys, guerdon.environments as e; e.get('keydoor'); "
        "print([name for name in ('torch', 'textworld', 'jericho') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_public_names_are_there():
    assert all(getattr(environments, name).__doc__ for name in environments.__all__)
