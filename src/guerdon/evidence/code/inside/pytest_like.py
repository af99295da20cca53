"""The few names of pytest that plain unit tests use, under its name: raises, approx, fail, mark.parametrize."""

import contextlib
import math
import re


class Unserved(BaseException):
    """The file needs more of pytest than there is: its own fault, not the program's."""


class Raised:
    """What was raised in a `with raises(...)`."""

    value = type = None


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


def raises(kind, *call, match=None, **more):
    """Fails where no exception of that kind is raised, by the call or in the block."""
    if not call:
        return _raises(kind, match)
    with _raises(kind, match) as seen:
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
        if name in ("skip", "skipif", "xfail", "usefixtures", "filterwarnings"):
            raise unserved(f"mark.{name}")
        return lambda *given, **_: given[0] if given and callable(given[0]) else lambda function: function

    @staticmethod
    def parametrize(names, rows, ids=None):
        """The function is called once for each row."""
        names = names if isinstance(names, (list, tuple)) else [name.strip() for name in names.split(",")]

        def marked(function):
            new = [dict(zip(names, row if len(names) > 1 else (row,))) for row in rows]
            function.rows = [{**old, **each} for old in getattr(function, "rows", [{}]) for each in new]
            return function

        return marked


mark = Mark()


def fail(why=""):
    """Fails the test."""
    raise AssertionError(why)


def unserved(name):
    """What is raised for a name that is not here."""
    return Unserved(f"it uses pytest.{name}, which is not served")


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(name)
    raise unserved(name)
