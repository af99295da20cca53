"""Sampling from a causal LM where many rows share what they have read.

Two things make generation for agents cheap. Rows with the same context are computed once
(a group begins with one prompt, and in last-state context states come back all the time);
and a context that was read stays read: its key-value cache is kept until the weights change.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from guerdon.errors import DivergedError
from guerdon.policies.stride import Stride

Tokens = tuple[int, ...]
Layers = list[tuple[torch.Tensor, torch.Tensor]]
ALONE = 3  # after so many tokens an action that no other row shares is no longer kept


@dataclass(slots=True, eq=False)
class Read:
    """A context that the model has read.

    Attributes:
        length: how many tokens.
        logprob: (vocabulary,) log-probabilities of the next token, at the sampling temperature.
        before: how many of them had been read in earlier passes.
        layers: keys and values of the pass that read the rest: (rows, heads, places, width) each.
        row, begin: which row of them is its own, and the place where the rest begins. What was read
            earlier is at the row's front; where it is shorter than the pass's longest, a hole follows.
        number: its own among all that were ever read. Holding on to what it was read on top of instead
            would keep every turn of a long history in memory, whatever the budget.
    """

    length: int
    logprob: torch.Tensor
    before: int
    layers: Layers
    row: int
    begin: int
    number: int = field(default_factory=itertools.count(1).__next__)

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
    stride: Stride | None = None

    def read(self, parents: Sequence[Read | None], tokens: Sequence[Tokens]) -> list[Read]:
        """What the model has read after `tokens`, on top of `parents` (None: nothing before)."""
        names = [(0 if p is None else p.number, t) for p, t in zip(parents, tokens, strict=True)]
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
        mask = np.arange(past + width) < past + new[:, None]
        mask[:, :past] = np.arange(past) < before[:, None]
        if past and width == 1:
            layers = _stack(parents, past, 1)
            logprob = self._step(ids[:, 0], before, _cache(layers, past), mask)
            return _reads(before, new, logprob, layers, past)
        kept = {}
        if past:
            kept["past_key_values"] = _cache(_stack(parents, past, width), past)
        if not mask.all():
            kept["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(device)
        place = torch.from_numpy(before[:, None] + np.arange(width)).to(device)
        ends, which = np.unique(new - 1, return_inverse=True)
        kept["logits_to_keep"] = torch.from_numpy(ends).to(device)
        out = self.model(torch.from_numpy(ids).to(device), position_ids=place, use_cache=True, **kept)
        last = out.logits[torch.arange(len(tokens)), torch.from_numpy(which)]
        logprob = (last.float() / self.temperature).log_softmax(-1)
        layers = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
        return _reads(before, new, logprob, layers, past)

    def _step(self, token: np.ndarray, length: np.ndarray, cache: DynamicCache, mask: np.ndarray) -> torch.Tensor:
        """Feeds one token to each row of a cache; the log-probabilities of what comes next."""
        device = self.model.device
        ids, place = torch.from_numpy(token).to(device), torch.from_numpy(length).to(device)
        sees = None if mask.all() else torch.from_numpy(mask).to(device)
        self.stride = self.stride or Stride.of(self.model)
        if self.stride.fits:
            logits = self.stride.step(ids, place, cache, sees)
        else:
            kept = {} if sees is None else {"attention_mask": sees.long()}
            out = self.model(ids[:, None], position_ids=place[:, None], past_key_values=cache, use_cache=True, **kept)
            logits = out.logits[:, -1]
        return (logits.float() / self.temperature).log_softmax(-1)

    @torch.no_grad()
    def sample(
        self, reads: Sequence[Read], ends: frozenset[int], most: int, generator: torch.Generator
    ) -> tuple[list[list[int]], list[list[float]]]:
        """One action per row, token by token, until an end token or `most` tokens.

        Rows that have read and said the same so far are computed once. The first `remember`
        tokens of an action are kept like contexts, so a row that comes back to a state and says
        what was said there before costs nothing; fewer, where no two rows say the same.

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
                had = self.tokens_read
                now = self.read([r for r, keep in zip(now, on, strict=True) if keep], [(t,) for t in token.tolist()])
                if turn >= ALONE and self.tokens_read - had == len(now):  # nobody says what was said before
                    running = _Running(self, now, most)
            else:
                running = running or _Running(self, now, most)
                running.go_on(on, token)
        return said, scores

    def forget(self) -> None:
        """Drops every kept context; needed whenever the weights change."""
        self.known.clear()
        self.held, self.stride = 0, None


class _Running:
    """Rows that go on together in one growing cache, for actions too long to be kept."""

    def __init__(self, cache: PrefixCache, reads: Sequence[Read], room: int) -> None:
        distinct = list({id(r): r for r in reads}.values())
        self.owner = cache
        self.logprob, self.place = _distinct(reads)
        self.length = np.array([r.length for r in distinct])
        past = int(self.length.max())
        self.mask = np.arange(past) < self.length[:, None]
        self.cache = _cache(_stack(distinct, past, room), past)

    def go_on(self, on: np.ndarray, token: np.ndarray) -> None:
        """Feeds one token to each row that goes on; rows that are equal so far share a place."""
        device, many = self.logprob.device, self.logprob.shape[1]
        pairs, self.place = np.unique(self.place[on] * many + token, return_inverse=True)
        place, token = pairs // many, pairs % many
        if not np.array_equal(place, np.arange(len(self.length))):
            self.cache.batch_select_indices(torch.from_numpy(place).to(device))
            self.length, self.mask = self.length[place], self.mask[place]
        self.mask = np.concatenate((self.mask, np.ones((len(place), 1), bool)), 1)
        self.owner.tokens_read += len(place)
        self.logprob = self.owner._step(token, self.length, self.cache, self.mask)
        self.length = self.length + 1


class _Roomy(DynamicLayer):
    """Keys and values of a layer with room for what comes, so that they are not copied for every token."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, filled: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.room = (keys, values)
        self._show(filled)

    def _show(self, filled: int) -> None:
        self.keys, self.values = (x[:, :, :filled] for x in self.room)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Writes the new places behind those that are filled; returns all of them."""
        at = self.keys.shape[2]
        filled = at + key_states.shape[2]
        for x, new in zip(self.room, (key_states, value_states), strict=True):
            x[:, :, at:filled] = new
        self._show(filled)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps these rows, in this order."""
        filled = self.keys.shape[2]
        self.room = tuple(x[indices] for x in self.room)
        self._show(filled)


def _reads(before: np.ndarray, new: np.ndarray, logprob: torch.Tensor, layers: Layers, past: int) -> list[Read]:
    """The rows of a pass, each as what has been read."""
    rows = enumerate(zip((before + new).tolist(), logprob, before.tolist(), strict=True))
    return [Read(length, scores, had, layers, row, past) for row, (length, scores, had) in rows]


def _cache(layers: Layers, filled: int) -> DynamicCache:
    """What a model takes as its past, the first `filled` places of each layer being read."""
    cache = DynamicCache()
    cache.layers = [_Roomy(keys, values, filled) for keys, values in layers]
    return cache


def _stack(reads: Sequence[Read | None], past: int, room: int) -> Layers:
    """Keys and values of these reads, right-padded to `past`, with room for more."""
    sources: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for at, read in enumerate(reads):
        if read is not None:
            sources[id(read.layers), read.before, read.begin].append(at)
    copies = []  # rows of one pass with the same hole are copied at once
    for (_, before, begin), here in sources.items():
        some = [reads[at] for at in here]
        new = max(r.length for r in some) - before  # what stands after a shorter row's end is masked like all padding
        parts = [(0, 0, before + new)] if before == begin else [(0, 0, before), (before, begin, new)]
        copies.append((some[0].layers, _index(here), _index([r.row for r in some]), [p for p in parts if p[2]]))
    like = next(r for r in reads if r is not None).layers
    out = []
    for layer, pair in enumerate(like):
        filled = []
        for side, tensor in enumerate(pair):
            new = tensor.new_zeros(len(reads), tensor.shape[1], past + room, tensor.shape[3])
            for layers, to, of, parts in copies:
                for at, begin, many in parts:
                    new[to, :, at : at + many] = layers[layer][side][of, :, begin : begin + many]
            filled.append(new)
        out.append((filled[0], filled[1]))
    return out


def _index(rows: list[int]) -> Any:
    """Rows side by side as a slice, which is cheaper to copy than a list of rows."""
    if rows == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    return torch.tensor(rows)


def _distinct(reads: Sequence[Read]) -> tuple[torch.Tensor, np.ndarray]:
    """The next-token log-probabilities of the distinct reads, and which of them each row has."""
    at: dict[int, int] = {}
    place = np.array([at.setdefault(id(r), len(at)) for r in reads])
    return torch.stack([r.logprob for r in {id(r): r for r in reads}.values()]), place


def _draw(logprob: torch.Tensor, place: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One token per row, and its log-probability."""
    logprob, which = logprob.cpu(), torch.from_numpy(place)
    # One uniform number, and where it falls among the sums; multinomial draws one per word of the vocabulary.
    sums = logprob.double().exp().cumsum(-1)[which]
    if not torch.isfinite(sums[:, -1]).all():
        raise DivergedError(
            "sample: the model's log-probabilities are not finite; finite weights are needed; "
            "lower the learning rate and begin again from an earlier checkpoint"
        )
    number = torch.rand(len(which), 1, dtype=torch.float64, generator=generator) * sums[:, -1:]
    token = torch.searchsorted(sums, number, right=True)[:, 0].clamp_(max=sums.shape[1] - 1)
    return token.numpy(), logprob[which, token].numpy()
