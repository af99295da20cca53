"""Who chooses the actions: a policy, the environment's own expert, chance, or a mix of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from guerdon.environments.base import Seen
from guerdon.environments.vector import Vector
from guerdon.errors import EnvironmentFault
from guerdon.rollouts.play import Acted, Player


def by_policy(policy: Any, generator: Any) -> Player:
    """The policy samples. `policy.play()` and `act` are those of `guerdon.policies.LanguagePolicy`."""
    session = policy.play()

    def player(slots: Sequence[int], seen: Sequence[Seen]) -> Sequence[Acted]:
        return session.act(slots, [s.observation for s in seen], generator)

    return player


def by_script(policy: Any, vector: Vector, actions: Sequence[str], noise: float, seed: int) -> Player:
    """The environment's expert, and with probability `noise` a random action instead.

    Args:
        policy: writes down the tokens that it would have read and said.
        actions: what chance draws from; where empty, the fact `admissible_commands` says.
        noise: 1 is random play, 0 is the expert.
    """
    session, rng = policy.play(), np.random.default_rng(seed)

    def player(slots: Sequence[int], seen: Sequence[Seen]) -> Sequence[Acted]:
        chance = rng.random(len(slots)) < noise
        expert = vector.expert([slot for slot, c in zip(slots, chance, strict=True) if not c])
        acts = []
        for slot, s, c in zip(slots, seen, chance, strict=True):
            words = _random(actions, s, rng) if c else expert[slot]
            # A fault of the expert is one of the play: the step that follows repeats it.
            acts.append(session.follow(slot, s.observation, "" if isinstance(words, EnvironmentFault) else words))
        return acts

    return player


def _random(actions: Sequence[str], seen: Seen, rng: np.random.Generator) -> str:
    choices = actions or str(seen.facts.get("admissible_commands") or "").split("; ")
    return choices[int(rng.integers(len(choices)))]
