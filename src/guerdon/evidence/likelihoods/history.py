"""What a policy had read and said at each turn, as token ids: the contexts that a text can be read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from guerdon import segments
from guerdon.batch import Batch
from guerdon.errors import PolicyError, ShapeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Turn:
    """One action and the model input that it ends.

    Attributes:
        read: token ids before the action, all that its model input holds of observations and earlier actions.
        wrote: which of them the policy had sampled itself.
        said: token ids of the action, what ends it included.
    """

    read: Array
    wrote: Array
    said: Array


@runtime_checkable
class Source(Protocol):
    """Where the tokens of a play come from.

    Attributes:
        reads: the columns it needs.
    """

    reads: tuple[str, ...]

    def turns(self, batch: Batch, policy: Any) -> list[list[Turn] | str]:
        """Per trajectory its turns, or why they cannot be read."""
        ...


@dataclass(frozen=True)
class Sampled:
    """The tokens that were read and sampled, as they are. The model has to have the tokenizer of the play."""

    reads: tuple[str, ...] = ("token_id", "sampled", "sequence")

    def turns(self, batch: Batch, policy: Any) -> list[list[Turn] | str]:
        """By `sequence`: an action's context begins where its model input began."""
        step_of = batch.step_of_token
        ids, sampled = np.asarray(batch["token_id"].values), np.asarray(batch["sampled"].values, bool)
        count = batch.counts("token")
        end = np.cumsum(count)
        sequence = np.asarray(batch["sequence"].values)
        input_of = segments.joint(batch.trajectory_of_step, sequence) if len(sequence) else sequence
        runs = segments.first_places("Sampled", input_of)
        start = np.repeat((end - count)[runs], np.diff(runs, append=len(input_of)))
        first = end.copy()  # a step's first sampled token; its end where there is none
        np.minimum.at(first, step_of[sampled], np.flatnonzero(sampled))
        if not sampled[np.arange(len(ids)) >= first[step_of]].all():
            raise ShapeError(
                "Sampled: in a step, tokens that were only read stand after sampled ones; the sampled tokens have to "
                "end the step; begin a new step where something new is read"
            )
        out: list[list[Turn] | str] = [[] for _ in range(batch.size("trajectory"))]
        for step, play in enumerate(batch.trajectory_of_step.tolist()):
            a, b, c = start[step], first[step], end[step]
            out[play].append(Turn(ids[a:b], sampled[a:b], ids[b:c]))
        return out


@dataclass(frozen=True)
class Retold:
    """Observations and actions tokenised anew, by the scoring policy's own format and context.

    For plays that were recorded as text, and for a scorer whose tokenizer is another than the player's. Where the
    first observation of a play is empty, its prompt is read in its place.
    """

    reads: tuple[str, ...] = ("observation", "action")

    def turns(self, batch: Batch, policy: Any) -> list[list[Turn] | str]:
        """As if the policy had acted so itself; a play that is too long for it has a cause."""
        play, out = policy.play(), [[] for _ in range(batch.size("trajectory"))]
        texts = zip(batch["observation"].tolist(), batch["action"].tolist(), strict=True)
        prompt = batch["prompt"].tolist() if "prompt" in batch else [""] * len(out)
        inputs: dict[int, tuple[int, list[int], list[bool]]] = {}
        for slot, (seen, action) in zip(batch.trajectory_of_step.tolist(), texts, strict=True):
            if isinstance(out[slot], str):
                continue
            if seen is None or action is None:
                out[slot] = "the observation is missing" if seen is None else "action is missing"
                continue
            if not seen and not out[slot]:
                seen = prompt[slot] or ""
            try:
                act = play.follow(slot, seen, action)
            except PolicyError as error:
                out[slot] = str(error)
                continue
            number, ids, wrote = inputs.get(slot, (-1, [], []))
            if number != act.sequence:
                ids, wrote = [], []
            said = len(act.logprobs)
            ids, wrote = [*ids, *act.tokens], [*wrote, *[False] * (len(act.tokens) - said), *[True] * said]
            inputs[slot] = act.sequence, ids, wrote
            n = len(ids) - said
            out[slot].append(Turn(np.array(ids[:n], np.int64), np.array(wrote[:n], bool), np.array(ids[n:], np.int64)))
        return out


SAMPLED = Sampled()
