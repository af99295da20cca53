"""How like two calls are, between 0 and 1: of a call that was made and one that was wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from guerdon.errors import ShapeError
from guerdon.evidence.tools.calls import Call

Array = np.ndarray
Similarity = Callable[[Call, Call], float]


def equal_calls(made: Call, wanted: Call) -> float:
    """1 where name and arguments are equal, else 0. JSON's equality: 1 is 1.0 and not true, keys have no order.

    Example:
        >>> equal_calls(Call("f", {"a": 1, "b": 2}), Call("f", {"b": 2.0, "a": 1}))
        1.0
    """
    return float(made.name == wanted.name and made.keys == wanted.keys)


def graded_calls(made: Call, wanted: Call) -> float:
    """MatchTIR's similarity of names, argument names and values.

        0                                             where the names differ, else
        (1 + J(names made, names wanted) + right) / (2 + |wanted arguments|)

    J is the Jaccard index of the argument names (1 where neither call has any), `right` how many wanted
    arguments have the wanted value. It is 1 only for equal calls, and not symmetric: surplus arguments cost by J alone.

    Departure: the paper's J is of multisets; names in one call do not repeat, so it is the same number.

    Example:
        >>> graded_calls(Call("f", {"a": 1}), Call("f", {"a": 1, "b": 2}))
        0.625
    """
    if made.name != wanted.name:
        return 0.0
    mine, theirs = made.keys, wanted.keys
    both = mine.keys() & theirs.keys()
    either = len(mine) + len(theirs) - len(both)
    jaccard = len(both) / either if either else 1.0
    right = sum(mine[name] == theirs[name] for name in both)
    return (1 + jaccard + right) / (2 + len(theirs))


@dataclass(frozen=True)
class Partly:
    """REVER's similarity of plan steps: 1 for equal calls, `part` for a name or a value in common, else 0.

    The paper says "same verb or object"; a verb is here the name, an object any value that both calls have. How
    much a part is worth it does not say: 0.5 is ours.

    Example:
        >>> pick, look = Call("pick", {"x": "cup"}), Call("look", {"at": "cup"})
        >>> Partly()(pick, pick), Partly()(look, pick)
        (1.0, 0.5)
    """

    part: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.part <= 1:
            raise ShapeError(f"Partly: part is {self.part}; a similarity is between 0 and 1; give one")

    def __call__(self, made: Call, wanted: Call) -> float:
        """The similarity of two calls."""
        if equal_calls(made, wanted):
            return 1.0
        return self.part * float(made.name == wanted.name or not made.values.isdisjoint(wanted.values))


def similarities(made: Sequence[Call], wanted: Sequence[Call], similarity: Similarity = graded_calls) -> Array:
    """The matrix of similarities: a row for each call made, a column for each wanted.

    Example:
        >>> similarities([Call("a"), Call("b")], [Call("b")])
        array([[0.],
               [1.]])
    """
    out = np.array([[similarity(m, w) for w in wanted] for m in made], float)
    return out.reshape(len(made), len(wanted))
