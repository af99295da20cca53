"""One update: from a batch with advantages to changed weights. It knows no algorithm.

What it executes are per-token streams: token, old log-probability, advantage. What is done
with them is the objective's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from guerdon import segments
from guerdon.batch import Batch
from guerdon.credit.pairs import compared
from guerdon.errors import ColumnError, DivergedError
from guerdon.objectives import Pairs, Stream
from guerdon.objectives.plays import every_pair
from guerdon.policies.score import Inputs, Scored, score
from guerdon.training.config import Config
from guerdon.training.workers import Workers

Array = np.ndarray
FIELDS = frozenset(field.name for field in fields(Stream))
OWN = frozenset({"entropy", "ref_logprob", "group", "pairs"})  # what an update makes of any batch
NEVER = frozenset({"top"})  # what it has no way to make
COUNTS = ("tokens", "steps", "sequences", "groups")


def unmet(needs: Collection[str], columns: Collection[str]) -> list[str]:
    """What an objective reads and an update cannot fill from these columns, in order.

    `outcome` and `teacher_logprob` are columns of that name. A name that is no field of a stream is a stream
    beside the main one: it holds the plays whose trajectory column of that name is above 0.

    Example:
        >>> unmet({"entropy", "teacher_logprob", "top"}, {"outcome"})
        ['teacher_logprob', 'top']
    """
    return sorted(set(needs) - OWN - (set(columns) - NEVER))


class Tokens:
    """The sampled tokens of a batch as flat arrays, with the totals that objectives divide by.

    Args:
        needs: what the objective reads; see `unmet`.

    Raises:
        ColumnError: the batch has not what it needs.
    """

    def __init__(self, batch: Batch, inputs: Inputs, device: Any, needs: Collection[str] = ()) -> None:
        def tensor(x: Array, dtype: torch.dtype) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(x)).to(device, dtype)

        if lacking := unmet(needs, batch.columns):
            raise ColumnError(
                f"update: the objective reads {', '.join(map(repr, lacking))}; a batch that holds it is needed; "
                "add the column, or choose another objective"
            )
        at = inputs.token
        advantage = batch.lift(batch["advantage"], "token")
        step = batch.step_of_token[at]
        sequence = batch.trajectory_of_step[step]
        valid = advantage.valid[at]
        teacher = batch["teacher_logprob"] if "teacher_logprob" in needs else None
        valid = valid if teacher is None else valid & teacher.valid[at]
        valid = valid & batch["outcome"].valid[sequence] if "outcome" in needs else valid
        every = valid.astype(float)
        self.teacher_logprob = None if teacher is None else tensor(teacher.filled(0.0)[at], torch.float32)
        # Part 0 is the main stream, the others are those beside it.
        self.beside = sorted(set(needs) - FIELDS)
        part = np.zeros(batch.size("trajectory"), np.int64)
        for number, name in enumerate(self.beside, 1):
            part[(batch[name].filled(0.0) > 0) & (part == 0)] = number
        self.part = part[sequence]
        kept = every * (self.part == 0)
        self.sequence_of, self.group_of = sequence, batch.group_of_trajectory[sequence]
        self.old_logprob = tensor(batch["logprob"].values[at], torch.float32)
        self.advantage = tensor(np.where(valid, advantage.values[at], 0.0), torch.float32)
        self.weight = None if valid.all() else tensor(every, torch.float32)
        self.step = tensor(step, torch.int64)
        self.sequence = tensor(sequence, torch.int64)
        of_sequence = segments.total(kept, sequence, batch.size("trajectory"))
        self.plays = {"group": tensor(segments.dense(batch.group_of_trajectory), torch.int64)}
        if "outcome" in batch:
            self.plays["outcome"] = tensor(batch["outcome"].filled(0.0), torch.float32)
        self.totals = []
        for number in range(len(self.beside) + 1):
            here = every * (self.part == number)
            tokens_of_step = segments.total(here, step, batch.size("step"))
            tokens_of_play = segments.total(here, sequence, batch.size("trajectory"))
            self.totals.append({
                "tokens": int(here.sum()),
                "steps": int((tokens_of_step > 0).sum()),
                "sequences": int((tokens_of_play > 0).sum()),
                "groups": len(np.unique(batch.group_of_trajectory[tokens_of_play > 0])),
                "longest": int(tokens_of_play.max(initial=0)),
                "tokens_of_sequence": tensor(tokens_of_play, torch.float32),
                "tokens_of_step": tensor(tokens_of_step, torch.float32),
            })  # fmt: skip
        worth = segments.total(kept * np.where(valid, advantage.values[at], 0.0), sequence, len(of_sequence))
        worth = worth / np.maximum(of_sequence, 1)
        self.pairs = compared_plays(batch, worth, of_sequence > 0) if "pairs" in needs else None

    def share(self, workers: Workers, longest: int | None) -> bool:
        """Makes the totals those of all processes; False where none has a token."""
        everywhere = workers.add({f"{k}/{i}": totals[k] for i, totals in enumerate(self.totals) for k in COUNTS})
        for i, totals in enumerate(self.totals):
            totals |= {k: int(everywhere[f"{k}/{i}"]) for k in COUNTS}
            totals["longest"] = longest or totals["longest"]
        if self.pairs is not None:
            self.pairs = replace(self.pairs, total=int(workers.add({"pairs": self.pairs.total})["pairs"]))
        return any(totals["tokens"] for totals in self.totals)

    def stream(self, scored: Scored, ref_logprob: torch.Tensor | None, iteration: int = 0) -> Stream:
        """The part of them that a forward pass has just scored."""
        at = torch.from_numpy(scored.at).to(self.step.device)
        pairs = self.pairs and self.pairs.among(torch.from_numpy(self.sequence_of[scored.at])).to(self.step.device)
        whole = Stream(
            scored.logprob, self.old_logprob[at], self.advantage[at], self.step[at], self.sequence[at],
            entropy=scored.entropy, ref_logprob=ref_logprob,
            teacher_logprob=None if self.teacher_logprob is None else self.teacher_logprob[at],
            weight=None if self.weight is None else self.weight[at],
            pairs=pairs, iteration=iteration, **self.plays, **self.totals[0],
        )  # fmt: skip
        if not self.beside:
            return whole
        places = [torch.from_numpy(np.flatnonzero(self.part[scored.at] == i)) for i in range(len(self.totals))]
        main, *others = (replace(whole.take(x.to(at.device)), **t) for x, t in zip(places, self.totals, strict=True))
        return replace(main, pairs=pairs, beside=dict(zip(self.beside, others, strict=True)))


def update(
    model: Any,
    optimizer: Any,
    objective: Any,
    batch: Batch,
    config: Config,
    seed: int,
    reference: Any = None,
    workers: Workers | None = None,
    longest: int | None = None,
    iteration: int = 0,
) -> dict[str, float]:
    """Takes `epochs * minibatches` optimiser steps on a batch; fewer where it has fewer distinct model inputs.

    A minibatch is a random part of the distinct model inputs; its loss is scaled by how many
    there are, so that on average each takes the step of the whole batch.

    Args:
        reference: the model whose log-probabilities a KL term reads.
        workers: the processes that share this update.
        longest: the most tokens that a play may have, a constant of the run; by default the batch's longest.
        iteration: how many updates went before, for weights that follow a schedule.

    Returns:
        The objective's terms, the loss and the gradient norm, each the mean over optimiser steps.

    Raises:
        DivergedError: a loss or a gradient is not finite, and the weights are those before that step;
            or what the policy says after the last step is not.
    """
    workers = workers or Workers()
    if "token_id" not in batch and workers.count == 1:
        return {}  # every play failed before its first action
    inputs = Inputs.for_model(model, batch)
    tokens = Tokens(batch, inputs, model.device, objective.needs)
    if not tokens.share(workers, longest):
        return {}
    rng = np.random.default_rng(seed)
    sums: dict[str, float] = {}
    parts = list(_minibatches(inputs, tokens, objective.whole, config, rng, alone=workers.count == 1))
    share = len(parts) / config.epochs  # as many as `minibatches`, where there are that many inputs
    for kept, chunks in parts:
        optimizer.zero_grad(set_to_none=True)
        terms: dict[str, torch.Tensor] = {}
        for some in chunks:
            scored = score(model, inputs, some, config.temperature, kept, entropy=True)
            ref = None
            if reference is not None:
                with torch.no_grad():
                    ref = score(reference, inputs, some, config.temperature, kept).logprob
            stream = tokens.stream(scored, ref, iteration)
            loss, found = objective(stream)
            (loss * share).backward()
            found = {**found, "loss": loss.detach(), "entropy": stream.token_mean(scored.entropy)}
            terms = {k: terms.get(k, 0) + v * share for k, v in found.items()}
        workers.add_gradients(model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_gradient)
        named = (*objective.reports, "loss", "entropy")  # the same in every process, also in one without tokens here
        values = workers.add({k: float(terms.get(k, 0.0)) for k in named}) | {"grad_norm": float(norm)}
        bad = [k for k in ("loss", "grad_norm") if not np.isfinite(values[k])]
        if bad:
            raise DivergedError(
                f"update: {' and '.join(bad)} is {values[bad[0]]}; finite numbers are needed; "
                "lower the learning rate, or look at the batch for extreme advantages"
            )
        optimizer.step()
        sums = {k: sums.get(k, 0.0) + v for k, v in values.items()}
    with torch.no_grad():
        first = np.arange(min(1, len(inputs.ids)))
        if len(first) and not score(model, inputs, first, config.temperature).logprob.isfinite().all():
            raise DivergedError(
                "update: after it the policy's log-probabilities are not finite; finite numbers are needed; "
                "lower the learning rate, or look at the batch for extreme advantages"
            )
    return {k: v / len(parts) for k, v in sums.items()}


def _minibatches(
    inputs: Inputs, tokens: Tokens, whole: str, config: Config, rng: np.random.Generator, alone: bool
) -> Iterator[tuple[Array, list[Array]]]:
    """Random parts of the batch: which tokens are in, and the model inputs to run, in pieces.

    A part is made of whole model inputs, so that copies stay together. An objective that needs
    trajectories or groups whole gets parts made of these, each in one piece.
    """
    units = {"sequence": tokens.sequence_of, "group": tokens.group_of}
    unit = units.get(whole, inputs.row)
    there = np.unique(unit)  # an input or a play without a sampled token is in no part
    for _ in range(config.epochs):
        order = there[rng.permutation(len(there))]
        for part in np.array_split(order, min(config.minibatches, len(there)) if alone else config.minibatches):
            chosen = np.zeros(int(there.max(initial=-1)) + 1, bool)
            chosen[part] = True
            kept = chosen[unit]
            rows = np.unique(inputs.row[kept])
            # With several processes a part may be empty here; each takes the same number of optimiser steps.
            yield kept, ([rows] if whole in units and len(rows) else list(inputs.chunks(rows, config.chunk)))


def compared_plays(batch: Batch, worth: Array, kept: Array) -> Pairs:
    """The comparisons that the batch has, or else every two plays of a group by their worth, of the plays kept."""
    if "pairs" in batch.relations:
        both = compared(batch)
        once = (both.one < both.other) & kept[both.one] & kept[both.other]
        first, second, preference = both.one[once], both.other[once], both.preferred[once]
    else:
        places = np.flatnonzero(kept)
        first, second = places[every_pair(batch.group_of_trajectory[places])]
        preference = (worth[first] - worth[second]).round(12)  # a mean of equal numbers is equal but for its last bits
    return Pairs(*(torch.from_numpy(x) for x in (first, second, preference.astype(np.float32))), total=len(first))
