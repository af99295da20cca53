"""The few names of pytest that plain unit tests use, under its name: raises, approx, fail, mark.parametrize."""

import contextlib
import math
import re

UNSERVED_MARKS = ("skip", "skipif", "xfail", "usefixtures", "filterwarnings")


class Unserved(BaseException):
    """The file needs more of pytest than there is: its own fault, not the program's."""


class Raised:
    """What was raised in a `with raises(...)`."""

    value = type = None

    def match(self, wanted):
        """Fails where the text of what was raised holds no match."""
        if not re.search(wanted, str(self.value)):
            raise AssertionError(f"{wanted!r} is not in {self.value}")
        return True


@contextlib.contextmanager
def _raises(kind, match):
    seen = Raised()
    try:
        yield seen
    except kind as error:
        seen.value, seen.type = error, type(error)
        if match is not None and not re.search(match, str(error)):
            raise AssertionError(f"{match!r} is not in {error}") from None
    else:
        raise AssertionError("nothing was raised")


def raises(expected_exception, *call, match=None, **more):
    """Fails where no exception of that kind is raised, by the call or in the block."""
    if not call:
        return _raises(expected_exception, match)
    with _raises(expected_exception, match) as seen:
        call[0](*call[1:], **more)
    return seen


class approx:
    """Equal to numbers near `wanted`, and to lists, tuples and mappings of such."""

    __hash__ = None

    def __init__(self, wanted, rel=1e-6, abs=1e-12, nan_ok=False):
        self.wanted, self.rel, self.abs, self.nan_ok = wanted, rel or 0, abs or 0, nan_ok

    def __eq__(self, got):
        return self.near(got, self.wanted)

    def __repr__(self):
        return f"about {self.wanted!r}"

    def near(self, got, wanted):
        """Whether one part is near another; what is no plain data is near nothing."""
        if isinstance(wanted, (list, tuple)):
            return type(got) is type(wanted) and len(got) == len(wanted) and all(map(self.near, got, wanted))
        if isinstance(wanted, dict):
            return type(got) is dict and got.keys() == wanted.keys() and all(self.near(got[k], wanted[k]) for k in got)
        got, wanted = (float(n) if type(n).__module__ in ("fractions", "decimal") else n for n in (got, wanted))
        if type(got) not in (int, float, complex, bool):
            return type(got) is type(wanted) and got == wanted
        if wanted != wanted:
            return bool(self.nan_ok and got != got)
        most = max(self.rel * abs(wanted), self.abs) if math.isfinite(abs(wanted)) else 0
        return got == wanted or abs(got - wanted) <= most


class Mark:
    """`mark.parametrize`, whose rows are one test; marks that pytest does not know either change nothing."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name in UNSERVED_MARKS:
            raise unserved(f"mark.{name}")
        return lambda *given, **_: given[0] if given and callable(given[0]) else lambda function: function

    @staticmethod
    def parametrize(argnames, argvalues, indirect=False, ids=None, scope=None):
        """The function is called once for each row."""
        if indirect:
            raise Unserved("it uses parametrize(indirect=...), and fixtures are not served")
        names = (
            argnames if isinstance(argnames, (list, tuple)) else [n.strip() for n in argnames.split(",") if n.strip()]
        )
        rows = list(argvalues)

        def marked(function):
            new = [dict(zip(names, row if len(names) > 1 else (row,))) for row in rows]
            function.rows = [{**old, **each} for old in getattr(function, "rows", [{}]) for each in new]
            return function

        return marked


mark = Mark()


def fail(reason="", pytrace=True):
    """Fails the test."""
    raise AssertionError(reason)


def unserved(name):
    """What is raised for a name that is not here."""
    return Unserved(f"it uses pytest.{name}, which is not served")


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(name)
    raise unserved(name)
