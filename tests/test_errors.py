"""errors: one root, each also a standard error, and the sentence survives printing and pickling."""

import inspect
import pickle

import pytest

from guerdon import errors
from guerdon.errors import ColumnError, GuerdonError, RunFolderError

ALL = [
    e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, GuerdonError) and e is not GuerdonError
]


@pytest.mark.parametrize("error", ALL)
def test_each_is_the_root_and_a_standard_error(error):
    standard = [
        base
        for base in error.__mro__
        if base.__module__ == "builtins" and base not in (Exception, BaseException, object)
    ]
    assert issubclass(error, GuerdonError)
    assert standard, "a caller that knows only the standard error must be able to catch it"


@pytest.mark.parametrize("error", ALL)
def test_the_sentence_is_printed_as_it_is_and_survives_pickling(error):
    sentence = "center: x is 'here'; a number is needed; give one"
    back = pickle.loads(pickle.dumps(error(sentence)))
    assert type(back) is error
    assert str(error(sentence)) == str(back) == sentence


@pytest.mark.parametrize("error", ALL)
def test_the_tree_in_the_docstring_names_it_with_its_standard_error(error):
    line = next(line for line in errors.__doc__.splitlines() if f" {error.__name__} " in line)
    standard = line.split("(")[1].split(")")[0]
    assert standard in [base.__name__ for base in error.__mro__]


def test_a_full_disk_is_caught_by_who_waits_for_an_os_error():
    with pytest.raises(OSError, match="full"):
        raise RunFolderError("atomic: the disk is full")
    with pytest.raises(LookupError):
        raise ColumnError("no column")
