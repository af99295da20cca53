"""Sampling from a causal LM where many rows share what they have read.

Two things make generation for agents cheap. Rows with the same context are computed once
(a group begins with one prompt, and in last-state context states come back all the time);
and a context that was read stays read: its key-value cache is kept until the weights change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

Tokens = tuple[int, ...]

_numbers = count(1)


@dataclass(slots=True, eq=False)
class Read:
    """A context that the model has read.

    Attributes:
        length: how many tokens.
        logprob: (vocabulary,) log-probabilities of the next token, at the sampling temperature.
        before: how many of them were its parent's, read in an earlier pass.
        layers: keys and values of the pass that read it: (rows, heads, places, width) each.
        row, begin: which row of them is its own, and where what the parent had not read begins.
        number: its name among all that were ever read. A number, since holding on to the parent itself
            would keep every turn of a long history in memory, whatever the budget.
    """

    length: int
    logprob: torch.Tensor
    before: int
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    row: int
    begin: int
    number: int = field(default_factory=lambda: next(_numbers))

    def into(self, out: torch.Tensor, layer: int, side: int) -> None:
        """Copies keys (side 0) or values (side 1) of a layer to the front of `out`, (heads, places, width)."""
        own, before = self.layers[layer][side][self.row], self.before
        out[:, :before] = own[:, :before]  # a parent shorter than the pass's longest leaves a hole after it
        out[:, before : self.length] = own[:, self.begin : self.begin + self.length - before]

    @property
    def bytes(self) -> int:
        """About what its keys and values take."""
        key = self.layers[0][0]
        return 2 * len(self.layers) * key[0].numel() * key.element_size()


@dataclass
class PrefixCache:
    """Reads contexts once, and samples continuations from them.

    Attributes:
        model: any Hugging Face causal LM with key-value caching.
        pad: a token id to fill rows up with; masked out.
        temperature: of sampling, and of the log-probabilities.
        chunk: the most tokens in one forward pass.
        budget: bytes of kept contexts, after which they are forgotten and read again.
        remember: how many tokens of an action are kept like contexts.
    """

    model: Any
    pad: int
    temperature: float = 1.0
    chunk: int = 16_384
    budget: int = 1 << 30
    remember: int = 16
    known: dict[tuple[int, Tokens], Read] = field(default_factory=dict)
    held: int = 0
    tokens_read: int = 0

    def read(self, parents: Sequence[Read | None], tokens: Sequence[Tokens]) -> list[Read]:
        """What the model has read after `tokens`, on top of `parents` (None: nothing before)."""
        names = [(p.number if p is not None else 0, t) for p, t in zip(parents, tokens, strict=True)]
        wanted = {n: p for n, p in zip(names, parents, strict=True) if n not in self.known}
        # By length, so that a pass holds little padding. The order is a function of the contexts alone.
        order = sorted(wanted, key=lambda n: (len(n[1]), wanted[n].length if wanted[n] else 0))
        found: dict[tuple[int, Tokens], Read] = {n: self.known[n] for n in names if n in self.known}
        while order:
            longest = len(order[-1][1])
            some = order[-max(1, self.chunk // longest) :]
            order = order[: -len(some)]
            found |= dict(zip(some, self._pass([wanted[n] for n in some], [n[1] for n in some]), strict=True))
        if self.held > self.budget:
            self.known.clear()
            self.held = 0
        for name in wanted:
            self.known[name] = found[name]
            self.held += found[name].bytes
        return [found[n] for n in names]

    @torch.no_grad()
    def _pass(self, parents: Sequence[Read | None], tokens: Sequence[Tokens]) -> list[Read]:
        device = self.model.device
        new = np.array([len(t) for t in tokens])
        before = np.array([0 if p is None else p.length for p in parents])
        self.tokens_read += int(new.sum())
        width, past = int(new.max()), int(before.max())
        ids = np.full((len(tokens), width), self.pad)
        for row, t in enumerate(tokens):
            ids[row, : len(t)] = t
        kept = {}
        if past:
            kept["past_key_values"] = self._stack(parents, past)
        if past or (new != width).any():
            mask = np.zeros((len(tokens), past + width), np.int64)
            mask[:, :past] = np.arange(past) < before[:, None]
            mask[:, past:] = np.arange(width) < new[:, None]
            kept["attention_mask"] = torch.from_numpy(mask).to(device)
        place = torch.from_numpy(before[:, None] + np.arange(width)).to(device)
        ends, which = np.unique(new - 1, return_inverse=True)
        kept["logits_to_keep"] = torch.from_numpy(ends).to(device)
        out = self.model(torch.from_numpy(ids).to(device), position_ids=place, use_cache=True, **kept)
        last = out.logits[torch.arange(len(tokens)), torch.from_numpy(which)]
        logprob = (last.float() / self.temperature).log_softmax(-1)
        layers = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
        return [
            Read(int(before[row] + new[row]), logprob[row], int(before[row]), layers, row, past)
            for row in range(len(tokens))
        ]

    def _stack(self, reads: Sequence[Read | None], past: int) -> DynamicCache:
        """The kept contexts as one cache, right-padded to `past`."""
        like = next(r for r in reads if r is not None)
        cache = DynamicCache()
        for layer, pair in enumerate(like.layers):
            filled = []
            for side, tensor in enumerate(pair):
                out = tensor.new_zeros(len(reads), tensor.shape[1], past, tensor.shape[3])
                for at, read in enumerate(reads):
                    if read is not None:
                        read.into(out[at], layer, side)
                filled.append(out)
            cache.update(filled[0], filled[1], layer)
        return cache

    @torch.no_grad()
    def sample(
        self, reads: Sequence[Read], ends: frozenset[int], most: int, generator: torch.Generator
    ) -> tuple[list[list[int]], list[list[float]]]:
        """One action per row, token by token, until an end token or `most` tokens.

        Rows that have read and said the same so far are computed once. The first `remember`
        tokens of an action are kept like contexts, so a row that comes back to a state and says
        what was said there before costs nothing.

        Returns:
            Per row the sampled tokens, its end included, and their log-probabilities.
        """
        said: list[list[int]] = [[] for _ in reads]
        scores: list[list[float]] = [[] for _ in reads]
        alive, now = np.arange(len(reads)), list(reads)
        running: _Running | None = None
        for turn in range(most):
            if running is None:
                logprob, place = _distinct(now)
            else:
                logprob, place = running.logprob, running.place
            token, score = _draw(logprob, place, generator)
            for row, t, s in zip(alive.tolist(), token.tolist(), score.tolist(), strict=True):
                said[row].append(t)
                scores[row].append(s)
            on = ~np.isin(token, list(ends))
            alive, token = alive[on], token[on]
            if not len(alive) or turn == most - 1:
                break
            if running is None and turn < self.remember:
                now = self.read([r for r, keep in zip(now, on, strict=True) if keep], [(t,) for t in token.tolist()])
            else:
                running = running or _Running(self, now)
                running.go_on(on, token)
        return said, scores

    def forget(self) -> None:
        """Drops every kept context; needed whenever the weights change."""
        self.known.clear()
        self.held = 0


class _Running:
    """Rows that go on together in one growing cache, for actions too long to be kept."""

    def __init__(self, cache: PrefixCache, reads: Sequence[Read]) -> None:
        distinct = list({id(r): r for r in reads}.values())
        self.owner = cache
        self.logprob, self.place = _distinct(reads)
        self.length = np.array([r.length for r in distinct])
        past = int(self.length.max())
        self.mask = np.arange(past) < self.length[:, None]
        self.cache = cache._stack(distinct, past)

    def go_on(self, on: np.ndarray, token: np.ndarray) -> None:
        """Feeds one token to each row that goes on; rows that are equal so far share a place."""
        device = self.logprob.device
        pairs, inverse = np.unique(np.stack((self.place[on], token)), axis=1, return_inverse=True)
        if not np.array_equal(pairs[0], np.arange(len(self.length))):
            self.cache.batch_select_indices(torch.from_numpy(pairs[0]).to(device))
        length = self.length[pairs[0]]
        self.mask = np.concatenate((self.mask[pairs[0]], np.ones((pairs.shape[1], 1), bool)), 1)
        kept = {} if self.mask.all() else {"attention_mask": torch.from_numpy(self.mask.astype(np.int64)).to(device)}
        out = self.owner.model(
            torch.from_numpy(pairs[1][:, None]).to(device),
            position_ids=torch.from_numpy(length[:, None]).to(device),
            past_key_values=self.cache,
            use_cache=True,
            **kept,
        )
        self.owner.tokens_read += pairs.shape[1]
        self.logprob = (out.logits[:, -1].float() / self.owner.temperature).log_softmax(-1)
        self.length, self.place = length + 1, inverse.reshape(-1)


def _distinct(reads: Sequence[Read]) -> tuple[torch.Tensor, np.ndarray]:
    """The next-token log-probabilities of the distinct reads, and which of them each row has."""
    at: dict[int, int] = {}
    place = np.array([at.setdefault(id(r), len(at)) for r in reads])
    return torch.stack([r.logprob for r in {id(r): r for r in reads}.values()]), place


def _draw(logprob: torch.Tensor, place: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One token per row, and its log-probability."""
    rows = logprob.cpu()[torch.from_numpy(place)]
    token = torch.multinomial(rows.exp(), 1, generator=generator)
    return token[:, 0].numpy(), rows.gather(1, token)[:, 0].numpy()
