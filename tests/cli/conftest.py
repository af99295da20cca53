"""One process that has loaded torch, from which commands are forked."""

import pytest

from launch import Cli


@pytest.fixture(scope="session")
def cli(tmp_path_factory):
    server = Cli(tmp_path_factory.mktemp("cli"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def done(cli, tmp_path_factory):
    """The folder of a finished run."""
    from launch import train

    folder = tmp_path_factory.mktemp("done") / "run"
    said = cli(*train(folder, iterations=2))
    assert said.code == 0, said.err
    return folder
