"""`guerdon serve`: from the command line to an answer and a clean end."""

import json
import signal

import pytest

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
    ],
)
def test_what_cannot_be_served_is_one_sentence(reward, arguments, words):
    process = start(["serve", *(a.format(reward=reward) for a in arguments)])
    _, err = process.communicate(timeout=60)
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert process.returncode in (1, 2)
