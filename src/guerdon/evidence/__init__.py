"""What can be observed, and the facts it leaves. Evidence is taken once; rewards read it.

    batch = observe(batch, [turns, repeated, match()])

Each observer leaves a column of facts under its name.
"""

from __future__ import annotations

from guerdon.evidence.grading import Grading, Here, Workers, using
from guerdon.evidence.match import match, normalise
from guerdon.evidence.observer import Observer, Reading, observe, unscored
from guerdon.evidence.trace import invalid_share, repeated, tokens, turns

__all__ = [
    "Grading", "Here", "Observer", "Reading", "Workers", "invalid_share", "match", "normalise", "observe", "repeated",
    "tokens", "turns", "unscored", "using",
]  # fmt: skip
