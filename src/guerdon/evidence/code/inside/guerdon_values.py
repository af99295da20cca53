"""Values of the standard library that go over the pipe by value: exact types, as a name and a few numbers or texts.

Both processes have this file. What comes from the program is only its word for a value: it is made anew of texts and
whole numbers, so it can be no more than a value of one of these types.
"""

import builtins
import importlib
import sys

DELTA, STAMP = ("days", "seconds", "microseconds"), ("hour", "minute", "second", "microsecond", "fold")
KINDS = {
    "Fraction": "fractions", "Decimal": "decimal", "date": "datetime", "datetime": "datetime", "time": "datetime",
    "timedelta": "datetime", "timezone": "datetime", "UUID": "uuid", "PosixPath": "pathlib", "PurePosixPath": "pathlib",
}  # fmt: skip


def parts_of(value):
    """The name of its type and its parts; None for any other value, and for a time in a zone that has a table."""
    kind = type(value)
    for name, module in KINDS.items():
        if kind is getattr(sys.modules.get(module), name, None):
            parts = taken(name, value)
            return None if parts is None else [name, *parts]
    return None


def taken(name, value):
    """The parts of a value, each a text, a whole number or None."""
    if name == "Fraction":
        return [hex(value.numerator), hex(value.denominator)]
    if name == "UUID":
        return [value.hex]
    if name == "timedelta":
        return [getattr(value, part) for part in DELTA]
    if name == "timezone":
        away = value.utcoffset(None)
        return [getattr(away, part) for part in DELTA]
    if name in ("date", "datetime", "time"):
        day = [] if name == "time" else [value.year, value.month, value.day]
        if name == "date":
            return day
        zone = [] if value.tzinfo is None else parts_of(value.tzinfo)
        if zone is None or zone[:1] not in ([], ["timezone"]):
            return None
        return [*day, *(getattr(value, part) for part in STAMP), *zone[1:]]
    return [str(value)]


def builtin(name):
    """A type of Python by its name; nothing else of it."""
    found = getattr(builtins, name)
    if not isinstance(found, type):
        raise TypeError(name)
    return found


def made_of(parts):
    """The value of a name and its parts; raises ValueError or TypeError for what is none."""
    name, *rest = parts
    if name not in KINDS or not all(type(part) in (int, str) for part in rest):
        raise ValueError("a value of no known type")
    module = importlib.import_module(KINDS[name])
    kind = getattr(module, name)
    if name == "Fraction":
        top, bottom = (int(part, 16) for part in rest)
        return kind(top, bottom)
    if name == "timezone":
        return kind(module.timedelta(*rest))
    if name in ("datetime", "time"):
        size = 8 if name == "datetime" else 5
        zone = module.timezone(module.timedelta(*rest[size:])) if rest[size:] else None
        return kind(*rest[: size - 1], tzinfo=zone, fold=rest[size - 1])
    return kind(*rest)
