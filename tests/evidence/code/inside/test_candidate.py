"""The end of the pipe on the program's side."""

from collections import namedtuple

import pytest

from guerdon.evidence.code.inside import candidate

Point = namedtuple("Point", "x y")


class Own(list):
    """A container of the program's own."""


@pytest.mark.parametrize(
    "x",
    [1, None, True, "a", 1.5, 2j, [1], (1, (2,)), {1}, frozenset([1]), b"a", bytearray(b"a"), range(3), {(1,): [2]}],
)  # fmt: skip
def test_data_goes_by_value_with_its_type(x):
    there = candidate.decode(candidate.encode(x))
    assert there == x and type(there) is type(x)


def test_objects_of_the_program_go_as_numbers_and_come_back_as_themselves():
    for thing in (Own([1]), Own, len, object()):
        sent = candidate.encode(thing)
        assert set(sent) == {"$ref", "class"} and candidate.decode(sent) is thing
    assert candidate.encode(Own)["class"] is True


def test_types_of_python_go_by_name_and_exceptions_with_their_bases():
    class Bad(KeyError):
        pass

    assert candidate.encode(int) == {"$builtin": "int"}
    sent = candidate.encode(Bad)
    assert sent["name"] == "Bad" and sent["bases"] == [{"$builtin": "KeyError"}]
    assert candidate.decode(sent) is Bad


def test_named_tuples_keep_their_names():
    assert candidate.encode(Point(1, 2)) == {"$named": ["Point", ["x", "y"], [1, 2]]}


def test_what_holds_itself_is_not_sent():
    x = []
    x.append(x)
    with pytest.raises(ValueError, match="holds itself"):
        candidate.encode(x)


def test_an_exception_is_described_whatever_it_is():
    class Bad(Exception):
        def __str__(self):
            raise RuntimeError

    said = candidate.described(Bad(1))
    assert said["text"] == "" and said["args"] == [1] and said["raised"]["name"] == "Bad"
