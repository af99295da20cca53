"""What a policy reads at each turn: the whole history, or the last state with a memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be read before the next action.

    Attributes:
        text: the observation as the policy sees it.
        carry: True where it is read on top of everything before, False where it stands alone.
    """

    text: str
    carry: bool


@runtime_checkable
class Context(Protocol):
    """From what was seen and done so far to what is read next."""

    def turn(self, observation: str, done: list[str]) -> Turn:
        """`done` holds the actions so far, the first one first."""
        ...


@dataclass(frozen=True, slots=True)
class LastState:
    """Reads the last observation alone, with the last few actions as a memory.

    The cost of a turn does not grow with the number of turns.

    Attributes:
        memory: how many past actions stand before the observation.

    Example:
        >>> LastState(memory=1).turn("a door", ["look", "go east"]).text
        'go east ; a door'
    """

    memory: int = 0

    def turn(self, observation: str, done: list[str]) -> Turn:
        """The last `memory` actions and the observation; nothing else is carried over."""
        past = done[max(0, len(done) - self.memory) :] if self.memory else []
        return Turn(" ; ".join([*past, observation]), carry=False)


@dataclass(frozen=True, slots=True)
class WholeHistory:
    """Reads each new observation on top of everything read and said before.

    Example:
        >>> WholeHistory().turn("a door", ["look"])
        Turn(text='a door', carry=True)
    """

    def turn(self, observation: str, done: list[str]) -> Turn:
        """The observation alone is new."""
        return Turn(observation, carry=bool(done))
