"""Atoms over the numbers of each step: a signal, or a linear comparison of signals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from guerdon.evidence.logic.parsing import FormulaError, Operand

Array = np.ndarray

_NAME = r"[A-Za-z_][\w]*(?:/[A-Za-z_][\w]*)*"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TERM = rf"(?:{_NUMBER}(?:\s*\*\s*{_NAME})?|{_NAME})"
_SIDE = rf"[+-]?\s*{_TERM}(?:\s*[+-]\s*{_TERM})*"
COMPARISON = rf"(?P<left>{_SIDE})\s*(?P<sign><=|>=|==|<|>)(?!-)\s*(?P<right>{_SIDE})"
SIGNAL = rf"(?P<signal>{_NAME})(?![\w/])"


@dataclass(frozen=True)
class Predicate:
    """sum(weight * signal) + offset > 0; what the left side is worth is the margin by which it holds.

    Attributes:
        weights: signal and weight, sorted by signal.
        strict: whether it fails where the margin is 0. That is all that tells > from >=, since the margin is the same.
        equal: whether it wants the sum to be 0: the margin is then -|sum|, at most 0.
    """

    weights: tuple[tuple[str, float], ...]
    offset: float = 0.0
    strict: bool = True
    equal: bool = False

    def margin(self, signals: Mapping[str, Array]) -> Array:
        """By how much it holds, of each entry."""
        total = self.offset + sum(weight * signals[name] for name, weight in self.weights)
        return -np.abs(total) if self.equal else np.asarray(total)

    def holds(self, signals: Mapping[str, Array]) -> Array:
        """Whether it holds, of each entry."""
        margin = self.margin(signals)
        return margin > 0 if self.strict and not self.equal else margin >= 0


def comparison(found: re.Match) -> Operand:
    """The atom of a match of `COMPARISON`."""
    left, right = (_terms(found[side]) for side in ("left", "right"))
    sign = -1.0 if found["sign"].startswith("<") else 1.0
    weights: dict[str, float] = {}
    for terms, side in ((left, sign), (right, -sign)):
        for name, weight in terms:
            weights[name] = weights.get(name, 0.0) + side * weight
    offset = weights.pop("", 0.0)
    if not weights:
        raise FormulaError(f"parse: {found[0].strip()!r} compares no signal; name one; or write true or false")
    return Operand(Predicate(tuple(sorted(weights.items())), offset, "=" not in found["sign"], found["sign"] == "=="))


def signal(found: re.Match) -> Operand:
    """The atom of a match of `SIGNAL`: holds where the signal is above 0."""
    return Operand(Predicate(((found["signal"], 1.0),)))


def _terms(text: str) -> list[tuple[str, float]]:
    out = []
    for sign, number, name in re.findall(rf"([+-]?)\s*({_NUMBER})?\s*\*?\s*({_NAME})?", text):
        if number or name:
            out.append((name, (-1.0 if sign == "-" else 1.0) * (float(number) if number else 1.0)))
    return out
