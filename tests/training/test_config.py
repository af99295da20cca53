"""Config: text becomes values of the right type, and what cannot work is refused with the way out."""

from dataclasses import fields

import pytest

from guerdon.errors import UnknownNameError
from guerdon.training import Config, preset
from guerdon.training.config import PRESETS


def test_text_is_read_as_the_type_of_the_option():
    c = Config().changed({"lr": "0.01", "prompts": "3", "history": "yes", "steps": "none"})
    assert (c.lr, c.prompts, c.history, c.steps) == (0.01, 3, True, None)
    assert Config().changed({"steps": "500"}).steps == 500
    assert Config().changed({"history": "0"}).history is False


def test_what_is_not_changed_stays():
    c = Config(lr=0.5).changed({"plays": 2})
    assert c.lr == 0.5 and c.plays == 2 and Config().plays == 8


def test_written_down_and_read_again_it_is_the_same():
    for c in (Config(), *PRESETS.values()):
        assert Config(**c.asdict()) == c
        assert c.changed({k: str(v) for k, v in c.asdict().items()}) == c


def test_every_option_is_documented():
    assert [f.name for f in fields(Config) if f.name not in Config.__doc__] == []


def test_environments_without_a_preset_get_the_general_one():
    assert preset("worlds.py:Mine") == Config() and preset("keydoor") is PRESETS["keydoor"]


@pytest.mark.bad_input
def test_an_unknown_option_lists_the_options():
    with pytest.raises(UnknownNameError, match=r"'learning_rate'.*lr, .*use one of these"):
        Config().changed({"learning_rate": "1"})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("name", "text"), [("lr", "fast"), ("prompts", "2.5"), ("history", "maybe"), ("prompts", "none")]
)
def test_text_of_another_type_is_refused(name, text):
    with pytest.raises(ValueError, match=rf"Config: {name} is '{text}'; a value of type .* is needed; write"):
        Config().changed({name: text})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompts", 0), ("minibatches", 0), ("iterations", -1), ("lr", 0.0), ("lr", float("nan")), ("lr", float("inf")),
        ("temperature", -1.0), ("entropy", float("nan")), ("kl", -0.1), ("width", 0), ("layers", 0), ("heads", 0),
        ("width", 10), ("heads", 3), ("longest", 4), ("memory", -1), ("eval_plays", 0),
        ("warm_up_plays", -1), ("threads", -1),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_refused_with_the_way_out(name, value):
    with pytest.raises(ValueError, match=rf"Config: .*{name} (is )?{value}.*; .*; "):
        Config(**{name: value})
