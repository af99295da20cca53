"""Units: which words are units, and how one of a kind turns into another."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

Measure = tuple[tuple[tuple[str, int], ...], Fraction]  # kinds of unit with their powers, and the size

_KINDS: dict[str, dict[str, str]] = {
    "length": {"m": "1", "metre": "1", "meter": "1", "km": "1000", "kilometre": "1000", "kilometer": "1000",
    "cm": "1/100",
               "centimetre": "1/100", "centimeter": "1/100", "mm": "1/1000", "millimetre": "1/1000",
               "millimeter": "1/1000", "in": "127/5000", "inch": "127/5000", "inches": "127/5000", "ft": "381/1250",
               "foot": "381/1250", "feet": "381/1250", "yd": "1143/1250", "yard": "1143/1250",
               "mile": "201168/125", "mi": "201168/125"},
    "time": {"s": "1", "sec": "1", "second": "1", "min": "60", "minute": "60", "h": "3600", "hr": "3600",
    "hour": "3600",
             "day": "86400", "week": "604800", "ms": "1/1000"},
    "mass": {"g": "1", "gram": "1", "kg": "1000", "kilogram": "1000", "mg": "1/1000", "milligram": "1/1000",
             "lb": "45359237/100000", "pound": "45359237/100000", "oz": "45359237/1600000", "ounce": "45359237/1600000",
             "tonne": "1000000"},
    "angle": {"deg": "1", "degree": "1"},
    "month": {"month": "1", "year": "12", "yr": "12", "decade": "120"},  # of no fixed number of days
    "radian": {"rad": "1", "radian": "1"}, "celsius": {"°C": "1", "celsius": "1"},
    "fahrenheit": {"°F": "1", "fahrenheit": "1"}, "am": {"am": "1", "AM": "1"}, "pm": {"pm": "1", "PM": "1"},
    "dollar": {"$": "1", "\\$": "1", "dollar": "1", "USD": "1", "cent": "1/100", "¢": "1/100"},
    "euro": {"€": "1", "euro": "1", "EUR": "1"},
    "sterling": {"£": "1", "GBP": "1", "pence": "1/100", "penny": "1/100"},
    "yuan": {"yuan": "1", "CNY": "1", "RMB": "1"}, "yen": {"¥": "1", "yen": "1"}, "rupee": {"₹": "1", "rupee": "1"},
    "won": {"₩": "1", "won": "1"}, "ampere": {"A": "1", "amp": "1", "ampere": "1"},
    "kelvin": {"K": "1", "kelvin": "1"}, "mole": {"mol": "1", "mole": "1"},
    "byte": {"B": "1", "byte": "1", "kB": "1000", "KB": "1000", "MB": "1000000", "GB": "1000000000", "bit": "1/8"},
}  # fmt: skip
_MADE = (  # of the units before: a name, a number and what it is a number of
    ("L l litre liter", "1/1000", "m^3"), ("N newton", "1", "kg m/s^2"), ("J joule", "1", "N m"),
    ("W watt", "1", "J/s"), ("V volt", "1", "W/A"), ("C coulomb", "1", "A s"), ("ohm Ω", "1", "V/A"),
    ("F farad", "1", "C/V"), ("T tesla", "1", "N/A m"), ("Wb weber", "1", "V s"), ("H henry", "1", "V s/A"),
    ("Hz hertz", "1", "s^-1"), ("Pa pascal", "1", "N/m^2"), ("atm atmosphere", "101325", "Pa"), ("bar", "100000", "Pa"),
    ("eV electronvolt", "801088317/5000000000000000000000000000", "J"), ("cal calorie", "523/125", "J"),
    ("kWh", "3600000", "J"), ("ha hectare", "10000", "m^2"), ("mph", "1", "mile/h"), ("kph", "1", "km/h"),
)  # fmt: skip
_PREFIXES = {"p": -12, "n": -9, "u": -6, "μ": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6, "G": 9, "T": 12}
_PREFIXED = frozenset([
    "m", "g", "s", "L", "l", "N", "J", "W", "V", "A", "K", "C", "F", "T", "H", "Hz", "Pa", "eV", "cal", "mol",
    "ohm", "Ω", "bar", "Wb", "Wh",
])  # fmt: skip
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12, "hundred": 100}
THINGS = frozenset(
    [
        "cup",
        "day",
        "men",
        "man",
        "box",
        "egg",
        "bag",
        "car",
        "cow",
        "pig",
        "dog",
        "cat",
        "hen",
        "pen",
        "pie",
        "bus",
        "can",
        "jar",
        "hat",
        "toy",
        "row",
        "set",
        "kid",
        "boy",
        "ant",
        "bee",
        "way",
    ]
)  # fmt: skip  counted things that would else be read as products of letters
UNITS: dict[str, Measure] = {
    name: (((kind, 1),), Fraction(size)) for kind, names in _KINDS.items() for name, size in names.items()
}
CURRENCY = frozenset("$€£¥₹₩¢")


def known(name: str) -> Measure | None:
    """The dimensions and the size of one unit, also with a prefix such as k or m, or in the plural.

    Example:
        >>> known("MeV")[1] == 1000 * known("keV")[1], known("apples")
        (True, None)
    """
    if name in UNITS:
        return UNITS[name]
    if name[:1] in _PREFIXES and name[1:] in _PREFIXED:  # before the case is let go: Mg is no mg
        dimensions, size = UNITS[name[1:]]
        return dimensions, size * Fraction(10) ** _PREFIXES[name[0]]
    low = name.lower()
    return UNITS.get(low.removesuffix("s")) or UNITS.get(low)


@lru_cache(maxsize=4096)
def measure(unit: str) -> Measure | None:
    """What a unit measures and how large it is, by kinds of unit and their powers; None for a word that is none.

    Example:
        >>> measure("cm^2")
        ((('length', 2),), Fraction(1, 10000))
        >>> measure("J/s") == measure("W"), measure("apples") is None
        (True, True)
    """
    powers: dict[str, int] = {}
    size, over = Fraction(1), 1
    for part in _parts(unit):
        if part == "/":
            over = -1
            continue
        name, _, power = part.partition("^")
        raised = {"square_": "2", "cubic_": "3"}.get(name[: name.find("_") + 1])
        try:
            n = int(raised or power or "1") * over
        except ValueError:
            return None
        found = known(name.partition("_")[2] if raised else name)
        if found is None or abs(n) > 9:
            return None
        for kind, m in found[0]:
            powers[kind] = powers.get(kind, 0) + m * n
        size *= found[1] ** n
    return (tuple(sorted((k, n) for k, n in powers.items() if n)), size) if powers else None


def _parts(unit: str) -> list[str]:
    cleaned = (
        unit.replace("per ", "/")
        .replace("*", " ")
        .replace("·", " ")
        .replace("\\cdot", " ")
        .replace("/", " / ")
        .replace("^\\circ", "°")
    )
    cleaned = re.sub(
        r"(?i)degrees?\s+(?=celsius|fahrenheit)|°\s+(?=[CF])", lambda m: m[0].strip() * (m[0][0] == "°"), cleaned
    )
    cleaned = re.sub(r"\b(?:square|sq)\s+", "square_", re.sub(r"\b(?:cubic|cu)\s+", "cubic_", cleaned))
    cleaned = re.sub(r"(\S+)\s+squared", r"\1^2", re.sub(r"(\S+)\s+cubed", r"\1^3", cleaned))
    return cleaned.replace("{", "").replace("}", "").split()


for _names, _size, _of in _MADE:
    _dimensions, _one = measure(_of) or ((), Fraction(1))
    UNITS.update(dict.fromkeys(_names.split(), (_dimensions, Fraction(_size) * _one)))
measure.cache_clear()


def together(a: str | None, b: str | None) -> Fraction | None:
    """By what a value in the first unit is multiplied to be in the second; None where they cannot meet.

    A unit that one side leaves out, or that is no known unit ("apples"), is taken as the other's.

    Example:
        >>> together("m", "cm"), together("m", "s"), together(None, "cm")
        (Fraction(100, 1), None, Fraction(1, 1))
    """
    first, second = measure(a) if a else None, measure(b) if b else None
    if first is None or second is None:
        return Fraction(1)
    return first[1] / second[1] if first[0] == second[0] else None
