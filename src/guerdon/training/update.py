"""One update: from a batch with advantages to changed weights. It knows no algorithm.

What it executes are per-token streams: token, old log-probability, advantage. What is done
with them is the objective's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from guerdon import segments
from guerdon.batch import Batch
from guerdon.credit.pairs import compared
from guerdon.errors import DivergedError
from guerdon.objectives import Pairs, Stream
from guerdon.objectives.plays import every_pair
from guerdon.policies.score import Inputs, Scored, branches, score
from guerdon.training.config import Config
from guerdon.training.workers import Workers

Array = np.ndarray


class Tokens:
    """The sampled tokens of a batch as flat arrays, with the totals that objectives divide by."""

    def __init__(self, batch: Batch, inputs: Inputs, device: Any, needs: Collection[str] = ()) -> None:
        def tensor(x: Array, dtype: torch.dtype) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(x)).to(device, dtype)

        at = inputs.token
        advantage = batch.lift(batch["advantage"], "token")
        step = batch.step_of_token[at]
        sequence = batch.trajectory_of_step[step]
        valid = advantage.valid[at]
        kept = valid.astype(float)
        self.sequence_of, self.group_of = sequence, batch.group_of_trajectory[sequence]
        self.old_logprob = tensor(batch["logprob"].values[at], torch.float32)
        self.advantage = tensor(np.where(valid, advantage.values[at], 0.0), torch.float32)
        self.weight = None if valid.all() else tensor(kept, torch.float32)
        self.step = tensor(step, torch.int64)
        self.sequence = tensor(sequence, torch.int64)
        of_step = segments.total(kept, step, batch.size("step"))
        of_sequence = segments.total(kept, sequence, batch.size("trajectory"))
        self.totals = {
            "tokens": int(kept.sum()),
            "steps": int((of_step > 0).sum()),
            "sequences": int((of_sequence > 0).sum()),
            "longest": int(of_sequence.max(initial=0)),
            "tokens_of_sequence": tensor(of_sequence, torch.float32),
            "tokens_of_step": tensor(of_step, torch.float32),
            "group": tensor(segments.dense(batch.group_of_trajectory), torch.int64),
            "groups": len(np.unique(batch.group_of_trajectory[of_sequence > 0])),
        }
        if "outcome" in batch:
            self.totals["outcome"] = tensor(batch["outcome"].filled(0.0), torch.float32)
        self.pairs = compared_plays(batch, of_sequence > 0) if "pairs" in needs else None

    def stream(self, scored: Scored, ref_logprob: torch.Tensor | None) -> Stream:
        """The part of them that a forward pass has just scored."""
        at = torch.from_numpy(scored.at).to(self.step.device)
        pairs = self.pairs and self.pairs.among(torch.from_numpy(self.sequence_of[scored.at])).to(self.step.device)
        return Stream(
            scored.logprob, self.old_logprob[at], self.advantage[at], self.step[at], self.sequence[at],
            entropy=scored.entropy, ref_logprob=ref_logprob,
            weight=None if self.weight is None else self.weight[at], pairs=pairs, **self.totals,
        )  # fmt: skip


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
) -> dict[str, float]:
    """Takes `epochs * minibatches` optimiser steps on a batch; fewer where it has fewer distinct model inputs.

    A minibatch is a random part of the distinct model inputs; its loss is scaled by how many
    there are, so that on average each takes the step of the whole batch.

    Args:
        reference: the model whose log-probabilities a KL term reads.
        workers: the processes that share this update.
        longest: the most tokens that a play may have, a constant of the run; by default the batch's longest.

    Returns:
        The objective's terms, the loss and the gradient norm, each the mean over optimiser steps.

    Raises:
        DivergedError: a loss or a gradient is not finite, and the weights are those before that step;
            or what the policy says after the last step is not.
    """
    workers = workers or Workers()
    if "token_id" not in batch and workers.count == 1:
        return {}  # every play failed before its first action
    inputs = Inputs.of(batch, branches(model))
    tokens = Tokens(batch, inputs, model.device, objective.needs)
    counts = ("tokens", "steps", "sequences", "groups")
    tokens.totals |= {k: int(v) for k, v in workers.add({k: tokens.totals[k] for k in counts}).items()}
    if tokens.pairs is not None:
        tokens.pairs = replace(tokens.pairs, total=int(workers.add({"pairs": tokens.pairs.total})["pairs"]))
    if not tokens.totals["tokens"]:
        return {}
    tokens.totals["longest"] = longest or tokens.totals["longest"]
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
            stream = tokens.stream(scored, ref)
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


def compared_plays(batch: Batch, kept: Array) -> Pairs:
    """The comparisons that the batch has, or every two plays of a group by their credit, of plays that are trained."""
    if "pairs" in batch.relations:
        both = compared(batch)
        once = (both.one < both.other) & kept[both.one] & kept[both.other]
        first, second, preference = both.one[once], both.other[once], both.preferred[once]
    else:
        places = np.flatnonzero(kept)
        first, second = places[every_pair(batch.group_of_trajectory[places])]
        credit = batch.lift(batch["advantage"], "token")
        owner = batch.index("trajectory", at="token")[credit.valid]
        worth = segments.mean(credit.values[credit.valid], owner, batch.size("trajectory"))
        preference = (worth[first] - worth[second]).round(12)  # a mean of equal numbers is equal but for its last bits
    return Pairs(*(torch.from_numpy(x) for x in (first, second, preference.astype(np.float32))), total=len(first))
