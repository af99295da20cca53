"""The TextWorld family: games as asked, the same from the same seed, made once."""

import json
import os
import subprocess
import sys

import pytest

textworld = pytest.importorskip("textworld")

from guerdon.environments import textworld as module  # noqa: E402
from guerdon.environments import vector  # noqa: E402
from guerdon.environments.textworld import TextWorld  # noqa: E402
from guerdon.errors import EnvironmentFault, MissingExtraError  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.getbasetemp() / "games")


@pytest.fixture(scope="module")
def family(folder):
    return TextWorld(train=2, test=1, folder=folder)


def abouts(family):
    return [json.loads(path.read_text()) for path in sorted(family._home().glob("*/about.json"))]


def test_games_are_as_asked_and_all_differ(family):
    family.prepare()
    known = abouts(family)
    assert len(known) == 3
    assert all(len(one["walkthrough"]) == 5 and one["rooms"] >= 4 for one in known)
    assert len({json.dumps(one["walkthrough"]) for one in known}) == 3


def test_progress_is_told_and_made_games_are_not_made_again(family):
    family.prepare()
    before = [path.stat().st_mtime_ns for path in sorted(family._home().glob("*/*"))]
    told = []
    family.prepare(lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [path.stat().st_mtime_ns for path in sorted(family._home().glob("*/*"))] == before


def test_only_whole_games_are_in_the_folder(family):
    family.prepare()
    for game in family._home().iterdir():
        assert sorted(path.name for path in game.iterdir()) == ["about.json", "game.json", "game.z8"]


def test_the_same_seed_makes_the_same_games_in_another_process(family, tmp_path):
    code = f"from guerdon.environments import get; get('textworld', train=1, test=0, folder='{tmp_path}').prepare()"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    other = TextWorld(train=1, test=0, folder=str(tmp_path))
    assert abouts(other)[0] == json.loads((family._home() / "train-000" / "about.json").read_text())
    tasks = family.tasks("train")[:1]
    first, second = (vector.InProcess(one) for one in (family, other))
    assert first.reset(tasks) == second.reset(tasks)
    first.close()
    second.close()


def test_another_seed_makes_other_games(folder, family):
    other = TextWorld(train=1, test=0, seed=1, folder=folder)
    assert other.tasks("train")[0].prompt != family.tasks("train")[0].prompt


def test_instructions_tell_every_step(folder):
    told = TextWorld(train=1, test=0, quest=2, instructions=True, folder=folder).tasks("train")[0].prompt
    goal = TextWorld(train=1, test=0, quest=2, folder=folder).tasks("train")[0].prompt
    assert len(told.split()) > len(goal.split())


def test_games_are_played_in_processes_of_their_own(family):
    plays = vector.of(family)
    assert isinstance(plays, vector.Isolated)
    tasks = family.tasks("train")
    seen = dict(enumerate(plays.reset(tasks)))
    for _ in range(5):
        seen = plays.step(plays.expert(sorted(seen)))
    assert [one.outcome for one in seen.values()] == [1.0, 1.0]
    plays.close()


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert TextWorld()._home().is_relative_to(tmp_path / "guerdon" / "textworld")


def test_games_that_cannot_be_made_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_attempt", lambda *_: None)  # as for seeds that give no game that fits
    with pytest.raises(EnvironmentFault, match=r"50 seeds gave no game.*shorter quest"):
        TextWorld(train=1, folder=str(tmp_path)).tasks("train")
    assert list(TextWorld(folder=str(tmp_path))._home().iterdir()) == []


def test_without_textworld_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "textworld", None)
    with pytest.raises(MissingExtraError, match=r"guerdon\[envs\]"):
        TextWorld()


@pytest.mark.bad_input
@pytest.mark.parametrize("wrong", [{"quest": 0}, {"horizon": -1}, {"rooms": 2.5}, {"train": True}])
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*at least"):
        TextWorld(**wrong)


@pytest.mark.bad_input
def test_a_horizon_shorter_than_the_quest_is_refused():
    with pytest.raises(ValueError, match=r"horizon is 4 and quest 5.*horizon=5"):
        TextWorld(horizon=4)
