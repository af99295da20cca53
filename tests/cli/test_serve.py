"""`guerdon serve`: from the command line to an answer and a clean end."""

import json
import signal

import pytest

from guerdon.cli.app import run
from guerdon.records import Step, Task, Trajectory
from guerdon.server import Client
from launch import start


@pytest.fixture
def reward(tmp_path):
    file = tmp_path / "reward.py"
    file.write_text("import guerdon as gd\nfrom guerdon.evidence import match\nREWARD = gd.fact(match())\n")
    return file


def test_it_serves_until_it_is_told_to_stop(reward, tmp_path):
    (tmp_path / "token").write_text("secret")
    process = start(["serve", f"{reward}:REWARD", "--port", "0", "--json", "--token-file", tmp_path / "token"])
    url = json.loads(process.stdout.readline())["url"]
    with Client(url, token="secret", timeout=60) as client:
        assert client.score([Trajectory(0, Task("2+2?", "4"), (Step("", "4"),))])[0].value == 1.0
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "/docs says how" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py:REWARD"], "there is no such file"),
        (["REWARD"], "FILE.py:NAME is needed"),
        (["{reward}:OTHER"], "no Term called 'OTHER'"),
        (["{reward}:REWARD", "--timeout", "0"], "a positive timeout"),
        (["{reward}:REWARD", "--token-file", "nowhere"], "cannot read nowhere"),
        (["{reward}:REWARD", "--probe", "nowhere"], "there is no file nowhere"),
        (["{reward}:REWARD", "--workers", "many"], "ray://HOST:PORT is needed"),
        (["{reward}:REWARD", "--workers", "0"], "ray://HOST:PORT is needed"),
        (["{reward}:REWARD", "--cache", "/dev/null/cache"], "cannot write /dev/null/cache"),
        (["{reward}:REWARD", "--host", "203.0.113.7"], "cannot listen on 203.0.113.7"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(reward, arguments, words, capsys):
    assert run(["serve", *(a.format(reward=reward) for a in arguments)]) in (1, 2)
    said = capsys.readouterr().err
    assert words in " ".join(said.split())
    assert said.startswith("guerdon: ")
    assert said.count("\n") == 1


def test_a_self_test_that_scores_nothing_is_told_on_the_screen(reward):
    reward.write_text("import guerdon as gd\nREWARD = gd.fact('progres')\n")
    process = start(["serve", f"{reward}:REWARD", "--port", "0", "--json", "--scorers", "1"])
    url = json.loads(process.stdout.readline())["url"]
    assert "serving" in process.stderr.readline()
    said = process.stderr.readline()
    assert said.startswith("guerdon: ready, but none of the 3 made-up plays")
    assert "no column 'progres'" in said
    with Client(url) as client:
        about = client.ready()
    assert about["ready"]
    assert about["warning"] in said
    process.terminate()
    process.communicate(timeout=20)


def test_a_reward_that_cannot_be_loaded_at_the_start_ends_the_server(reward, capsys):
    reward.write_text("import nothing_of_that_name\n")
    assert run(["serve", f"{reward}:REWARD", "--port", "0"]) == 2
    assert "mend it" in capsys.readouterr().err


@pytest.mark.slow
def test_a_long_self_test_is_told_on_the_screen(reward):
    reward.write_text(
        "import time\nimport guerdon as gd\nfrom guerdon.evidence import Reading\n"
        "def read(batch):\n    time.sleep(30)\nREWARD = gd.fact(Reading('patient', read))\n"
    )
    process = start(["serve", f"{reward}:REWARD", "--port", "0", "--scorers", "1"])
    assert "serving" in process.stderr.readline()
    assert process.stderr.readline().startswith("guerdon: not ready yet: the self-test: plays are graded by patient")
    process.terminate()
    process.communicate(timeout=20)


@pytest.mark.slow
def test_a_reward_that_breaks_as_it_is_loaded_is_told_on_the_screen(tmp_path):
    (tmp_path / "reward.py").write_text(
        "import os\nimport guerdon as gd\nREWARD = gd.fact('outcome')\n"
        "if os.environ.get('LOADED'):\n    raise ValueError('no such model')\nos.environ['LOADED'] = '1'\n"
    )
    process = start(["serve", f"{tmp_path}/reward.py:REWARD", "--port", "0", "--scorers", "1"])
    assert "serving" in process.stderr.readline()
    assert "not ready: get:" in (said := process.stderr.readline())
    assert "no such model" in said
    process.terminate()
    process.communicate(timeout=20)
