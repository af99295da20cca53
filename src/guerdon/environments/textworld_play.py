"""One play of a TextWorld game, and the words that it is told in."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.environments.base import Seen
from guerdon.errors import EnvironmentFault, RecordError
from guerdon.records import Task

try:
    import textworld
except ImportError:  # the family says what to install
    textworld = None

IDLE = ("examine ", "look", "inventory")  # commands that change nothing
REFUSED = "that is not one of the commands ."
HEADS = ("you carry :", "goal :", "commands :", "|", REFUSED)
TELLING = {"north", "south", "east", "west", "empty"}  # beside names, what makes a sentence worth its tokens
GREETING = re.compile(r"^((your (first )?(objective|task)( for today)? is to|please|you can) )+")
WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|[^\sa-z0-9]")


def plain(text: str) -> str:
    """Lower case, with punctuation split off and single spaces.

    Example:
        >>> plain("You can't go  EAST, the type-G hatch is closed!")
        "you can't go east , the type-g hatch is closed !"
    """
    return " ".join(WORD.findall(text.lower()))


def goal_of(objective: str, last: str) -> str:
    """TextWorld's objective as the goal that the policy reads.

    Args:
        objective: in TextWorld's words.
        last: the last command of the quest, to keep only the sentence that shares most words with it; "" keeps all.

    Returns:
        Plain text, without greetings.

    Example:
        >>> goal_of("Welcome to TextWorld! Your task for today is to lock the safe.", "lock safe with key")
        'lock the safe .'
    """
    told = [GREETING.sub("", one) for one in sentences(objective) if "thanks" not in one]
    if not last:
        return " ".join(told)
    return max(told, key=lambda one: len(set(one.split()) & set(plain(last).split())))


class Play:
    """One game at a time.

    Args:
        home: the folder with the games.
        horizon: how many actions until the play is cut.
    """

    def __init__(self, home: Path, horizon: int) -> None:
        self._home = home
        self._horizon = horizon
        self._loaded = ""
        self._game: Any = None
        self._goal = ""
        self._task = Task()
        self._actions: list[str] = []
        self._over = True

    def reset(self, task: Task) -> Seen:
        """Begins a play of this game.

        Raises:
            RecordError: the task is not one of this family's.
        """
        name = str(task.extra.get("id"))
        path = self._home / name / "game.z8"
        if not re.fullmatch(r"(train|test)-\d{3,}", name) or not path.is_file():
            raise RecordError(
                f"Play.reset: the task has id {task.extra.get('id')!r}, and there is no such game in {self._home}; "
                "it must be a task of this family; take it from tasks('train') or tasks('test')"
            )
        if self._loaded != name:
            self.close()
            self._game, self._loaded = _start(path), name
            self._goal = json.loads((path.parent / "about.json").read_text())["goal"]
        self._task, self._actions, self._over = task, [], False
        self._now = self._game.reset()
        self._ways = len(self._now.policy_commands)
        self._least = self._ways
        return Seen(self._text(""), self._key(), facts=self._standing())

    def step(self, action: str) -> Seen:
        """Plays a command that was shown; any other text is a no-op, and time passes.

        Raises:
            EnvironmentFault: there is no play, or it is over.
        """
        if self._over:
            raise EnvironmentFault("Play.step: no play is under way; a step needs one; call reset or restore first")
        self._actions.append(action)
        before = self._left()
        command = _commands(self._now).get(plain(action))
        said = REFUSED
        if command is not None:
            self._now, _, _ = self._game.step(command)
            said = _feedback(self._now.feedback)
        left, won = self._left(), bool(self._now.won)
        ended = won or bool(self._now.lost)
        cut = not ended and len(self._actions) >= self._horizon
        self._over = ended or cut
        facts = {
            "action_valid": float(command is not None),
            "milestone": float(left < self._least),
            "closer": float(np.sign(before - left)) if before != left else 0.0,
            **self._standing(),
        }
        self._least = min(self._least, left)
        outcome = float(won) if self._over else None
        return Seen(self._text(said), self._key(), float(won), ended, cut, facts, outcome)

    def expert(self) -> str:
        """The first command of TextWorld's way to win; where there is none any more, the first that is shown.

        Raises:
            EnvironmentFault: there is no play, or it is over.
        """
        if self._over:
            raise EnvironmentFault("Play.expert: no play is under way; advice needs one; call reset or restore first")
        return next(iter([plain(text) for text in self._now.policy_commands] or _commands(self._now)))

    def snapshot(self) -> tuple[Task, tuple[str, ...]]:
        """The task and the actions so far."""
        return self._task, tuple(self._actions)

    def restore(self, snapshot: tuple[Task, tuple[str, ...]]) -> None:
        """Goes back to a snapshot by playing its actions again."""
        task, actions = snapshot
        self.reset(task)
        for action in actions:
            self.step(action)

    def close(self) -> None:
        """Frees the interpreter."""
        if self._game is not None:
            self._game.close()
        self._game, self._loaded, self._over = None, "", True

    def _left(self) -> float:
        """How many actions the known way to win has from here; infinite where there is none."""
        if self._now.won:
            return 0
        return len(self._now.policy_commands) or np.inf

    def _standing(self) -> dict[str, float | str]:
        done = max(0.0, self._ways - self._left())
        return {
            "milestones": float(done),
            "progress": done / self._ways,
            "policy_commands": "; ".join(plain(text) for text in self._now.policy_commands),
            "admissible_commands": "; ".join(_commands(self._now)),
        }

    def _text(self, said: str) -> str:
        carried = plain(self._now.inventory).removeprefix("you are carrying :").removeprefix("you are carrying").strip()
        parts = (
            said,
            _room(self._now.description, self._now.entities),
            f"you carry : {carried}",
            f"goal : {self._goal}",
            "commands : " + " | ".join(_commands(self._now)),
        )
        return " | ".join(part for part in parts if part)

    def _key(self) -> str:
        """The game and all that is true in it; the text of the last action is no part of the state."""
        facts = "\n".join(sorted(map(str, self._now["_facts"])))
        return f"{self._loaded} {hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def _start(path: Path) -> Any:
    """TextWorld's environment of a game, told what to report."""
    told = ("description", "inventory", "feedback", "entities", "won", "lost")
    wanted = dict.fromkeys((*told, "admissible_commands", "policy_commands"), True)
    with warnings.catch_warnings():  # the interpreter knows no score for games that it was not taught
        warnings.filterwarnings("ignore", message=".*not fully supported")
        return textworld.start(str(path), textworld.EnvInfos(**wanted))


def _commands(now: Any) -> dict[str, str]:
    """The commands that are shown, and what the game calls them."""
    return {plain(text): text for text in now.admissible_commands if not text.startswith(IDLE)}


def _room(description: str, names: Iterable[str]) -> str:
    """The name of a room and the sentences that name a thing, a way out, or say that something is empty."""
    room, _, told = description.strip().removeprefix("-=").partition("=-")
    said = {plain(name) for name in names if name.lower() != room.strip().lower()} | TELLING
    kept = [one for one in sentences(told) if any(f" {word} " in f" {one} " for word in said)]
    return " ".join([f"{plain(room)} .", *kept])


def sentences(text: str) -> list[str]:
    """The sentences of a text, made plain.

    Example:
        >>> sentences("A chest. Don't worry, it is empty!")
        ['a chest .', "don't worry , it is empty !"]
    """
    return [plain(one) for one in re.split(r"(?<=[.!?])\s+", text.strip())]


def _feedback(text: str) -> str:
    """What an action did: without the room that follows a move, the score and the prompt."""
    return plain(re.split(r"-=|\n\s*>|Your score has just|\*\*\*", text)[0])
