"""Listening."""

import socket

import pytest

from guerdon.errors import RunFolderError
from guerdon.server import Config, run


def test_an_address_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RunFolderError, match="give another --port"):
            run.serve(Config("reward.py:REWARD", port=taken.getsockname()[1]))


def test_a_host_that_is_not_ours_is_said():
    with pytest.raises(RunFolderError, match="cannot listen on"):
        run.serve(Config("reward.py:REWARD", host="203.0.113.7"))
