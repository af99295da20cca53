"""Units: which words are units, and how one of a kind turns into another."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

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
    "volume": {"L": "1", "l": "1", "litre": "1", "liter": "1", "mL": "1/1000", "ml": "1/1000", "millilitre": "1/1000",
               "milliliter": "1/1000"},
    "angle": {"deg": "1", "degree": "1"},
    "speed": {"mph": "1397/3125", "kph": "5/18"},
    "dollar": {"$": "1", "\\$": "1", "dollar": "1", "USD": "1", "cent": "1/100", "¢": "1/100"},
    "euro": {"€": "1", "euro": "1", "EUR": "1"},
    "sterling": {"£": "1", "GBP": "1", "pence": "1/100", "penny": "1/100"},
    "yuan": {"yuan": "1", "CNY": "1", "RMB": "1"}, "yen": {"¥": "1", "yen": "1"}, "rupee": {"₹": "1", "rupee": "1"},
    "won": {"₩": "1", "won": "1"},
    "newton": {"N": "1", "newton": "1"}, "joule": {"J": "1", "joule": "1", "kJ": "1000"},
    "watt": {"W": "1", "watt": "1", "kW": "1000"}, "volt": {"V": "1", "volt": "1"}, "ampere": {"A": "1", "ampere": "1"},
    "kelvin": {"K": "1", "kelvin": "1"}, "mole": {"mol": "1", "mole": "1"}, "hertz": {"Hz": "1", "hertz": "1",
    "kHz": "1000"},
    "byte": {"byte": "1", "kB": "1000", "MB": "1000000", "GB": "1000000000"},
}  # fmt: skip
UNITS = {name: (kind, Fraction(size)) for kind, names in _KINDS.items() for name, size in names.items()}
CURRENCY = frozenset("$€£¥₹₩")


@lru_cache(maxsize=4096)
def measure(unit: str) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
    """What a unit measures and how large it is, by kinds of unit and their powers; None for a word that is none.

    Example:
        >>> measure("cm^2")
        ((('length', 2),), Fraction(1, 10000))
        >>> measure("apples") is None
        True
    """
    powers: dict[str, int] = {}
    size, over = Fraction(1), 1
    cleaned = unit.replace("per ", "/").replace("*", " ").replace("/", " / ").replace("square ", "square_").split()
    for part in cleaned:
        if part == "/":
            over = -1
            continue
        name, _, power = part.partition("^")
        if name.startswith("square_"):
            name, power = name[7:], "2"
        try:
            n = int(power or "1") * over
        except ValueError:
            return None
        found = UNITS.get(name) or UNITS.get(name.lower().removesuffix("s")) or UNITS.get(name.lower())
        if found is None or abs(n) > 9:
            return None
        powers[found[0]] = powers.get(found[0], 0) + n
        size *= found[1] ** n
    if not powers:
        return None
    if set(powers) == {"volume"}:  # a litre is a cubic decimetre
        n = powers["volume"]
        return (("length", 3 * n),), size * Fraction(1, 1000) ** n
    return tuple(sorted((k, n) for k, n in powers.items() if n)), size


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
