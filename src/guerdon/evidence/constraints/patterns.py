"""Patterns: a regular expression as text becomes an automaton with moves that ask for no character (Thompson's)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from guerdon.errors import RecordError

STATES, LENGTH, DEEP = 2000, 2000, 50  # beyond these, a pattern is refused
_TIMES = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{1,4})?)?\}")


class PatternError(RecordError):
    """A pattern that cannot be read, or is larger than is taken."""


@dataclass(frozen=True)
class Letters:
    """A set of characters: ranges of code points, or all but those."""

    ranges: tuple[tuple[int, int], ...]
    others: bool = False

    def __contains__(self, letter: str) -> bool:
        return any(low <= ord(letter) <= high for low, high in self.ranges) != self.others


Edges = tuple[tuple[tuple[Letters | None, int], ...], ...]


def read(pattern: str) -> tuple[Edges, int]:
    """The automaton of a pattern: of each state its edges, and the accepting state; the first state is 0.

    Raises:
        PatternError: it cannot be read, has more than 2,000 characters, or makes more than 2,000 states.

    Example:
        >>> edges, end = read("a")
        >>> len(edges), end
        (5, 1)
    """
    if len(pattern) > LENGTH:
        raise PatternError(f"regular: a pattern of {len(pattern)} characters; at most {LENGTH} are read; shorten it")
    return Reader(pattern).read()


_CLASSES = {"d": ((48, 57),), "w": ((48, 57), (65, 90), (95, 95), (97, 122)), "s": ((9, 13), (32, 32))}
_SIGNS = {"n": "\n", "t": "\t", "r": "\r"}


Piece = Callable[[], tuple[int, int]]  # makes states anew, so that a piece can be repeated; returns first and last


class Reader:
    """Reads a pattern into pieces of an automaton, each from a first to a last state."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.place = pattern, 0
        self.edges: list[list[tuple[Letters | None, int]]] = []

    def read(self) -> tuple[Edges, int]:
        """The edges of each state, and the accepting state."""
        # One frame per open bracket: the alternatives before, and the pieces of the present one.
        frames: list[tuple[list[Piece], list[Piece]]] = [([], [])]
        while self.place < len(self.pattern):
            sign = self.pattern[self.place]
            if sign == "(":
                self.place += 3 if self.pattern.startswith("(?:", self.place) else 1
                frames.append(([], []))
                if len(frames) > DEEP:
                    raise self._wrong(f"brackets that nest more than {DEEP} deep")
            elif sign == "|":
                before, pieces = frames[-1]
                frames[-1] = ([*before, self._sequence(pieces)], [])
                self.place += 1
            elif sign == ")":
                self.place += 1
                before, pieces = frames.pop()
                if not frames:
                    raise self._wrong("a closing bracket without an opening one")
                frames[-1][1].append(self._repeated(self._choice([*before, self._sequence(pieces)])))
            else:
                frames[-1][1].append(self._repeated(self._single(self._letters())))
        if len(frames) > 1:
            raise self._wrong("an opening bracket without a closing one")
        start, end = self._state(), self._state()
        first, last = self._choice([*frames[0][0], self._sequence(frames[0][1])])()
        self.edges[start].append((None, first))
        self.edges[last].append((None, end))
        return tuple(map(tuple, self.edges)), end

    def _wrong(self, what: str) -> PatternError:
        return PatternError(
            f"regular: {what}, at character {self.place} of {self.pattern[:60]!r}; a regular expression without "
            "anchors, references back and looking around is needed; rewrite it"
        )

    def _state(self) -> int:
        if len(self.edges) >= STATES:
            raise self._wrong(f"more than {STATES} states")
        self.edges.append([])
        return len(self.edges) - 1

    def _single(self, letters: Letters) -> Piece:
        def make() -> tuple[int, int]:
            first, last = self._state(), self._state()
            self.edges[first].append((letters, last))
            return first, last

        return make

    def _sequence(self, pieces: list[Piece]) -> Piece:
        pieces = list(pieces)

        def make() -> tuple[int, int]:
            first = last = self._state()
            for piece in pieces:
                a, b = piece()
                self.edges[last].append((None, a))
                last = b
            return first, last

        return make

    def _choice(self, pieces: list[Piece]) -> Piece:
        def make() -> tuple[int, int]:
            first, last = self._state(), self._state()
            for piece in pieces:
                a, b = piece()
                self.edges[first].append((None, a))
                self.edges[b].append((None, last))
            return first, last

        return pieces[0] if len(pieces) == 1 else make

    def _repeated(self, piece: Piece) -> Piece:
        low, high = self._times()
        if (low, high) == (1, 1):
            return piece

        def make() -> tuple[int, int]:
            first = last = self._state()
            for _ in range(low):
                a, b = piece()
                self.edges[last].append((None, a))
                last = b
            end = self._state()
            self.edges[last].append((None, end))
            if high is None:
                a, b = piece()
                self.edges[end].append((None, a))
                self.edges[b].append((None, end))
            for _ in range((high or 0) - low):
                a, b = piece()
                self.edges[last].append((None, a))
                self.edges[b].append((None, end))
                last = b
            return first, end

        return make

    def _times(self) -> tuple[int, int | None]:
        found = _TIMES.match(self.pattern, self.place)
        if not found:
            return 1, 1
        self.place = found.end()
        if self.pattern[self.place : self.place + 1] in ("*", "+", "?"):
            raise self._wrong("one quantifier upon another")
        if found[0] in "*+?":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[0]]
        low = int(found[1])
        high = low if found[2] is None else (int(found[3]) if found[3] else None)
        if high is not None and high < low:
            raise self._wrong("a range of times that ends before it starts")
        return low, high

    def _letters(self) -> Letters:
        sign = self.pattern[self.place]
        self.place += 1
        if sign == "[":
            return self._class()
        if sign == ".":
            return Letters(((10, 10),), True)
        if sign == "\\":
            return self._escaped()
        if sign in "*+?{}^$":
            raise self._wrong(f"{sign!r} where a character is needed")
        return Letters(((ord(sign), ord(sign)),))

    def _escaped(self) -> Letters:
        sign = self.pattern[self.place : self.place + 1]
        self.place += 1
        if sign.lower() in _CLASSES:
            return Letters(_CLASSES[sign.lower()], sign.isupper())
        if not sign or (sign.isalnum() and sign not in _SIGNS):
            raise self._wrong(f"the escape \\{sign}")
        code = ord(_SIGNS.get(sign, sign))
        return Letters(((code, code),))

    def _class(self) -> Letters:
        others = self.pattern.startswith("^", self.place)
        self.place += others
        ranges: list[tuple[int, int]] = []
        while not self.pattern.startswith("]", self.place) or not ranges:
            if self.place >= len(self.pattern):
                raise self._wrong("a class without its end")
            low = self._member()
            following = self.pattern[self.place + 1 : self.place + 2]
            if self.pattern.startswith("-", self.place) and following not in ("]", ""):
                self.place += 1
                high = self._member()
                if low.others or high.others or len(low.ranges) > 1 or len(high.ranges) > 1:
                    raise self._wrong("a range between classes")
                if low.ranges in _CLASSES.values() or high.ranges in _CLASSES.values():
                    raise self._wrong("a range between classes")
                low = Letters(((low.ranges[0][0], high.ranges[0][1]),))
                if low.ranges[0][0] > low.ranges[0][1]:
                    raise self._wrong("a range that ends before it starts")
            if low.others:
                raise self._wrong("the opposite of a class within a class")
            ranges += low.ranges
        self.place += 1
        return Letters(tuple(ranges), others)

    def _member(self) -> Letters:
        sign = self.pattern[self.place]
        self.place += 1
        return self._escaped() if sign == "\\" else Letters(((ord(sign), ord(sign)),))
