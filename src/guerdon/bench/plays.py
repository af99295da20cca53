"""Made-up plays that a padded trainer and Guerdon can both read, for `bench speed`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np

from guerdon.batch import Batch, Column

Array = np.ndarray
GROUP = 8


@dataclass(frozen=True)
class Plays:
    """The same plays for both sides.

    Attributes:
        batch: ours. Its groups mean nothing; a side makes them of `uid`.
        length: tokens of each play.
        uid: the prompt of each play, as verl passes it: an object array of text.
        score: float32, at the last token of each play.
        reward, value: float32, one a token.
    """

    name: str
    batch: Batch
    length: Array
    uid: Array
    score: Array
    reward: Array
    value: Array

    @property
    def play_of_token(self) -> Array:
        """The trajectory of each token."""
        return np.repeat(np.arange(len(self.length)), self.length)

    def padded(self) -> tuple[Array, Array]:
        """Rewards and values as (B, T) arrays, zero beyond a play's end."""
        mask = self.mask()
        reward, value = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
        reward[mask], value[mask] = self.reward, self.value
        return reward, value

    def mask(self) -> Array:
        """(B, T), true on real tokens."""
        return np.arange(self.length.max())[None, :] < self.length[:, None]


def plays(name: str, length: Array, turns: bool, *, mixed: bool = False, seed: int = 0) -> Plays:
    """Made-up plays in groups of 8.

    Args:
        turns: each token is a step of its own; else a play is one step.
        mixed: the plays of a group do not lie side by side, as after verl's `balance_batch`.
    """
    rng = np.random.default_rng(seed)
    n, size = len(length), int(length.sum())
    prompts = np.array([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(-(-n // GROUP))], object)
    uid = np.repeat(prompts, GROUP)[:n]
    uid = uid[rng.permutation(n)] if mixed else uid
    score = rng.random(n).astype(np.float32)
    reward = np.zeros(size, np.float32)
    reward[np.cumsum(length) - 1] = score
    steps = length if turns else np.ones(n, np.int64)
    step = np.repeat(np.arange(n), steps)
    token = np.arange(size) if turns else np.repeat(np.arange(n), length)
    columns = {"outcome": Column.of("trajectory", score), "sampled": Column.of("token", np.ones(size, bool))}
    batch = Batch(token, step, np.zeros(n, np.int64), columns)
    return Plays(name, batch, length, uid, score, reward, rng.normal(size=size).astype(np.float32))
