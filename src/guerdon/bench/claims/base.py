"""What a claim is, what its experiment gives back, and how one is found by name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from guerdon.errors import UnknownNameError
from guerdon.intervals import student

NOT_CLAIMS = ("base",)
Generator = np.random.Generator


@dataclass(frozen=True)
class Effort:
    """How much an experiment may do.

    Attributes:
        seeds: independent repetitions, at least 2, so that there is a spread.
        share: of the full number of plays, updates or problems in each.
    """

    seeds: int = 10
    share: float = 1.0

    def of(self, full: int, least: int = 1) -> int:
        """The share of a full number, but not fewer than `least`.

        Example:
            >>> Effort(share=0.1).of(200), Effort(share=0.1).of(200, least=50)
            (20, 50)
        """
        return max(least, round(self.share * full))


FULL = Effort()
FAST = Effort(seeds=3, share=0.05)


@dataclass(frozen=True)
class Measured:
    """A figure of an experiment: one value per seed.

    Example:
        >>> str(Measured("share", (0.25, 0.5, 0.75)))
        'share: 0.5 [-0.121, 1.12]'
    """

    name: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.values))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Student interval of the mean."""
        return student(self.values)

    def __sub__(self, other: Measured) -> Measured:
        """The difference seed by seed."""
        return Measured(
            f"{self.name} - {other.name}", tuple(a - b for a, b in zip(self.values, other.values, strict=True))
        )

    def named(self, name: str) -> Measured:
        """The same values under another name."""
        return replace(self, name=name)

    def above(self, bound: float | Measured) -> bool:
        """True where the interval of the mean, or of the difference seed by seed, lies above.

        Example:
            >>> Measured("a", (1.0, 1.1, 1.2)).above(0.5), Measured("a", (0.0, 2.0)).above(0.5)
            (True, False)
        """
        away = self - bound if isinstance(bound, Measured) else Measured("", tuple(v - bound for v in self.values))
        return away.interval[0] > 0

    def below(self, bound: float | Measured) -> bool:
        """True where the interval of the mean, or of the difference seed by seed, lies below.

        Example:
            >>> Measured("a", (1.0, 1.1, 1.2)).below(Measured("b", (2.0, 2.0, 2.1)))
            True
        """
        if isinstance(bound, Measured):
            return bound.above(self)
        return Measured("", tuple(bound - v for v in self.values)).above(0.0)

    def number(self) -> str:
        """The mean and its interval as text."""
        low, high = self.interval
        return f"{self.mean:.3g} [{low:.3g}, {high:.3g}]"

    def __str__(self) -> str:
        return f"{self.name}: {self.number()}"


@dataclass(frozen=True)
class Result:
    """What an experiment found.

    Attributes:
        figure: what the claim is about.
        control: the same with the idea taken out, or what else might explain it.
        holds: whether the claim's direction was found.
        rows: further figures.
        note: what the figures are, and what to know when reading them.
    """

    figure: Measured
    control: Measured
    holds: bool
    rows: tuple[Measured, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A named experiment.

    Attributes:
        slug: its name; the file's, with - for _.
        title: in a few words.
        paper: title of the paper that makes the claim, year or identifier where known.
        says: the claim in our words.
        run: from a seed and an effort to what was found; the same seed gives the same figures.
    """

    slug: str
    title: str
    paper: str
    says: str
    run: Callable[[int, Effort], Result]


def over_seeds(one: Callable[[Generator], Mapping[str, float]], seed: int, seeds: int) -> dict[str, Measured]:
    """Runs an experiment once for each of `seeds` independent generators.

    Returns:
        Each figure by its name.

    Example:
        >>> sorted(over_seeds(lambda rng: {"x": 1.0, "y": rng.random()}, seed=0, seeds=2))
        ['x', 'y']
    """
    found = [one(np.random.default_rng([seed, i])) for i in range(seeds)]
    return {name: Measured(name, tuple(float(f[name]) for f in found)) for name in found[0]}


def names() -> tuple[str, ...]:
    """The slugs of all claims, sorted: one for each file of this package."""
    package = importlib.import_module("guerdon.bench.claims")
    files = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name.replace("_", "-") for name in files if name not in NOT_CLAIMS))


def get(name: str) -> Claim:
    """The claim of that name.

    Raises:
        UnknownNameError: there is none; the message lists what there is.

    Example:
        >>> get("slate").slug
        'slate'
    """
    known = names()
    if name in known:
        return importlib.import_module(f"guerdon.bench.claims.{name.replace('-', '_')}").CLAIM
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else "`guerdon bench claim` lists them"
    raise UnknownNameError(f"bench.claims.get: there is no claim {name!r}; there are {', '.join(known)}; {hint}")
