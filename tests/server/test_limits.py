"""Tokens: where they come from, and where they are shown."""

import pytest

from guerdon.errors import RecordError
from guerdon.server.limits import allowed, read_token


def test_a_token_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("secret\n")
    monkeypatch.setenv("GUERDON_TOKEN", "other")
    assert read_token(file) == "secret"
    assert read_token(None) == "other"
    monkeypatch.delenv("GUERDON_TOKEN")
    assert read_token(None) == ""


@pytest.mark.parametrize("text", ["", " \n", "two words", "gehe\u00efm"])
def test_a_file_without_a_token_is_refused_and_not_taken_for_none(tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(RecordError, match="holds no token"):
        read_token(file)
    with pytest.raises(RecordError, match="cannot read"):
        read_token(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("authorization", "query", "fine"),
    [
        ("Bearer secret", "", True), ("bearer secret", "", True), ("", "secret", True), ("Bearer secre", "", False),
        ("Bearer ", "", False), ("", "", False), ("Basic secret", "", False), ("secret", "", False),
        ("Bearer wrong", "secret", False), ("Bearer s\u00e9cret", "", False),
    ],
)  # fmt: skip
def test_the_whole_token_is_needed(authorization, query, fine):
    assert allowed("secret", authorization, query) is fine
    assert allowed("", authorization, query)
