"""Regular languages: is a text in one, how far could it still become one, and how many edits is it away?

Patterns are read into an automaton that is walked one character at a time, in time linear in the text
whatever the pattern: nothing backtracks, so nothing blows up.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from guerdon.evidence.constraints.patterns import Letters, PatternError, read
from guerdon.evidence.grading import Grading
from guerdon.records import Verdict

TEXT, WORK, EDITS = 500_000, 20_000_000, 200_000  # beyond these, a text is not read, or not measured


@dataclass(frozen=True, eq=False)
class Regular:
    """A regular language as a nondeterministic automaton; state 0 is the start, and every state can reach the end.

    Attributes:
        edges: of each state, (letters, next state); `letters` of None asks for no character.
        end: the accepting state.
    """

    edges: tuple[tuple[tuple[Letters | None, int], ...], ...]
    end: int
    _moves: dict = field(default_factory=dict, repr=False)  # remembered: (states, kind of letter) -> states

    @cached_property
    def longest(self) -> int:
        """How many characters of a text are read: fewer for a larger automaton, so that time is bounded."""
        return min(TEXT, WORK // max(1, sum(map(len, self.edges))))

    @cached_property
    def _bounds(self) -> list[int]:
        """Where kinds of letters begin: between two bounds, all code points do the same."""
        ranges = [r for edges in self.edges for letters, _ in edges if letters is not None for r in letters.ranges]
        return sorted({bound for low, high in ranges for bound in (low, high + 1)})

    def start(self) -> frozenset[int]:
        """The states before the first character."""
        return self._closed({0})

    def step(self, states: frozenset[int], letter: str) -> frozenset[int]:
        """The states after one more character; empty where no word of the language goes on so."""
        key = (states, bisect.bisect_right(self._bounds, ord(letter)))
        if key not in self._moves:
            if len(self._moves) > 20_000:
                self._moves.clear()
            reached = {to for s in states for letters, to in self.edges[s] if letters is not None and letter in letters}
            self._moves[key] = self._closed(reached)
        return self._moves[key]

    def accepts(self, text: str) -> bool:
        """Whether the whole text is in the language.

        Example:
            >>> regular("(ab)*c?").accepts("ababc"), regular("(ab)*c?").accepts("aba")
            (True, False)
        """
        states = self.start()
        for letter in text:
            if not (states := self.step(states, letter)):
                return False
        return self.end in states

    def viable(self, text: str) -> int:
        """How many characters of the text, from its start, some word of the language starts with.

        Example:
            >>> regular("(ab)*c").viable("abaxc")
            3
        """
        states = self.start()
        for place, letter in enumerate(text):
            if not (states := self.step(states, letter)):
                return place
        return len(text)

    def distance(self, text: str) -> int:
        """The fewest characters to insert, delete or replace until the text is in the language.

        Takes time in proportion to the text times the automaton.

        Example:
            >>> regular("[0-9]{4}-[0-9]{2}").distance("2024/1")
            2
        """
        costs = self._relaxed({0: 0})
        for letter in text:
            after: dict[int, int] = {s: cost + 1 for s, cost in costs.items()}  # delete it
            for s, cost in costs.items():
                for letters, to in self.edges[s]:
                    if letters is not None:
                        paid = cost + (letter not in letters)  # keep it, or replace it
                        if paid < after.get(to, paid + 1):
                            after[to] = paid
            costs = self._relaxed(after)
        return costs[self.end]

    def _closed(self, states: set[int]) -> frozenset[int]:
        stack, seen = list(states), set(states)
        while stack:
            for letters, to in self.edges[stack.pop()]:
                if letters is None and to not in seen:
                    seen.add(to)
                    stack.append(to)
        return frozenset(seen)

    def _relaxed(self, costs: dict[int, int]) -> dict[int, int]:
        """With what can be reached for nothing, or by inserting characters at one each."""
        layers: dict[int, list[int]] = {}
        for state, cost in costs.items():
            layers.setdefault(cost, []).append(state)
        best, cost = dict(costs), min(layers)
        while layers:
            queue = deque(layers.pop(cost, ()))
            while queue:
                state = queue.popleft()
                if best[state] < cost:
                    continue
                for letters, to in self.edges[state]:
                    paid = cost + (letters is not None)
                    if paid < best.get(to, paid + 1):
                        best[to] = paid
                        (queue if paid == cost else layers.setdefault(paid, [])).append(to)
            cost = min(layers, default=0)
        return best


@lru_cache(maxsize=256)
def regular(pattern: str) -> Regular:
    """The language of a pattern; it describes whole texts, so there are no anchors.

    Taken: characters, `.` (any but a line's end), `[a-z]`, `[^a-z]`, the escapes for digits, word characters and
    blanks (d w s and D W S, ASCII), n and t, a backslash before any other sign, ( ) (?: ), |, and * + ? {m}
    {m,} {m,n}. References back, looking around and lazy quantifiers are not regular, or mean nothing for whole
    texts.

    Raises:
        PatternError: something else, more than 2,000 characters, or more than 2,000 states.

    Example:
        >>> regular("yes|no").accepts("no")
        True
    """
    return Regular(*read(pattern))


def matches(text: str, pattern: str) -> float:
    """The text, blanks at both ends aside, is in the language of a pattern; else the share that it could start with.

    Example:
        >>> matches("2024-02", "[0-9]{4}-[0-9]{2}"), matches("2024/02", "[0-9]{4}-[0-9]{2}") < 1
        (1.0, True)
    """
    language, text = regular(pattern), text.strip()
    if len(text) > language.longest:
        return 0.0
    if language.accepts(text):
        return 1.0
    return min(language.viable(text) / len(text), 0.99) if text else 0.0


@dataclass(frozen=True)
class InLanguage:
    """The grader of `in_language`; see there."""

    pattern: str | None = None
    extract: Callable[[str], str] = str.strip

    def __call__(self, action: str, reference: str | None = None) -> Verdict:
        """The verdict on one answer."""
        pattern = reference if self.pattern is None else self.pattern
        if not isinstance(pattern, str):
            return Verdict.unscored("the reference is no pattern")
        try:
            language = regular(pattern)
        except PatternError as error:
            return Verdict.unscored(str(error))
        text = self.extract(str(action))
        if len(text) > language.longest:
            return Verdict.score(0.0, why=f"{len(text)} characters; at most {language.longest} are read")
        viable = language.viable(text)
        facts = {"viable": viable / len(text) if text else 1.0}
        if len(text) * sum(map(len, language.edges)) <= EDITS:
            facts["distance"] = language.distance(text)
        if viable == len(text) and language.accepts(text):
            return Verdict.score(1.0, **facts)
        return Verdict.score(0.0, why=f"leaves the language after {viable} characters", **facts)


def in_language(
    name: str = "in_language",
    pattern: str | None = None,
    extract: Callable[[str], str] = str.strip,
    reads: tuple[str, str] = ("action", "reference"),
) -> Grading:
    """An observer: 1 where the whole answer is in a regular language, else 0.

    Facts: `viable`, the share of the answer, from its start, that a word of the language could start with;
    `distance`, the fewest edits to a word of it, where the answer is short enough to say so. A pattern that
    cannot be read is unscored.

    Args:
        pattern: for all tasks; None reads the reference. See `regular`.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["abab", "abba"])
        >>> seen = in_language(pattern="(ab)+").observe(batch)
        >>> seen["in_language"].values, seen["in_language/distance"].values
        (array([1., 0.]), array([0., 2.]))
    """
    if pattern is not None:
        regular(pattern)
    version = f"1 {pattern!r} {getattr(extract, '__qualname__', repr(extract))}"
    return Grading(name, InLanguage(pattern, extract), reads[:1] if pattern is not None else reads, deadline=10.0,
                   version=version)  # fmt: skip
