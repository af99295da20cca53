"""Log-probabilities of the tokens that were sampled, under the policy as it is now.

Model inputs that begin alike are computed once. The gradient is the same and the cost is that
of what differs: in last-state context a batch of five thousand turns is a few hundred distinct
contexts, each with a handful of distinct actions. An input is a context followed by a small
tree of everything that was said after it; each branch sees the context and itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from guerdon import segments
from guerdon.batch import Batch
from guerdon.errors import ShapeError

Array = np.ndarray
LARGEST = 3  # a context is merged while its tree is at most this many times as long: attention is quadratic


@dataclass(frozen=True, eq=False)
class Inputs:
    """The distinct model inputs of a batch, and where each sampled token is read off them.

    Attributes:
        ids: per input its token ids: a context and then a tree.
        parent: per input the place before each place; -1 for the first. Where nothing branches
            that is the place to the left.
        length: (inputs,) how long each is.
        token: (n,) which tokens of the batch were sampled; the n entries below are theirs.
        row, place: the input, and the place in it whose next-token distribution is theirs.
        target: their token ids.
        shares: per input, which others begin with its context, by an equal number; -1 for none.
        context: (inputs,) how many tokens its context has.
    """

    ids: list[Array]
    parent: list[Array]
    length: Array
    token: Array
    row: Array
    place: Array
    target: Array
    shares: Array
    context: Array

    @classmethod
    def for_model(cls, model: Any, batch: Batch) -> Inputs:
        """The inputs of a batch as this model can read them: merged where it reads trees and sees all of each."""
        batch.need(("token_id", "sampled", "sequence"), "Inputs.for_model")
        window = reach(model)
        sequence = segments.dense(batch["sequence"].values)[batch.step_of_token]
        within = window is None or segments.count(sequence).max(initial=0) <= window  # else a mask of ours undoes it
        return cls.of(batch, within and branches(model))

    @classmethod
    def of(cls, batch: Batch, trees: bool = True) -> Inputs:
        """The distinct inputs of a batch, by `sequence`; with `trees`, those of one context are merged."""
        batch.need(("token_id", "sampled", "sequence"), "Inputs.of")
        of_token = segments.dense(batch["sequence"].values)[batch.step_of_token]
        place, length = segments.position(of_token), segments.count(of_token)
        ids = np.full((len(length), int(length.max(initial=0))), -1)
        ids[of_token, place] = batch["token_id"].values
        first, copy = _distinct(ids)
        token = np.flatnonzero(batch["sampled"].values)
        if (place[token] == 0).any():
            raise ShapeError(
                "Inputs.of: a model input begins with a sampled token; something must be read before it; "
                "put at least one observation token first"
            )
        # An input of which nothing was sampled is not run.
        used, row = np.unique(copy[of_token[token]], return_inverse=True)
        first, before = first[used], place[token] - 1
        context = np.full(len(first), ids.shape[1])
        np.minimum.at(context, row, before + 1)
        plain = [ids[f, : length[f]] for f in first]
        merged, parent, where_row, where_place, shares = _merge(plain, context, trees)
        of_row = np.zeros(len(merged), np.int64)
        of_row[where_row] = context
        target = batch["token_id"].values[token]
        where = where_place[row, before]
        length = np.array([len(m) for m in merged])
        return cls(merged, parent, length, token, where_row[row], where, target, shares, of_row)

    def chunks(self, rows: Array, most: int) -> Iterator[Array]:
        """The rows, longest first, in pieces of at most `most` padded tokens."""
        rows = rows[np.argsort(self.length[rows], kind="stable")]
        while len(rows):
            some = max(1, most // int(self.length[rows[-1]]))
            yield rows[-some:]
            rows = rows[:-some]


def _distinct(ids: Array) -> tuple[Array, Array]:
    """First places of the distinct rows, and which of them each row equals."""
    # A random linear hash finds the copies in one sort of numbers; that they are copies is then checked.
    weight = np.random.default_rng(0).integers(1, 1 << 62, ids.shape[1])
    _, first, copy = np.unique((ids + 1) @ weight, return_index=True, return_inverse=True)
    if not np.array_equal(ids[first][copy], ids):
        _, first, copy = np.unique(ids, axis=0, return_index=True, return_inverse=True)
    return first, copy.reshape(-1)


def _merge(plain: list[Array], context: Array, trees: bool) -> tuple[list[Array], list[Array], Array, Array, Array]:
    """Rows of one context become a context and a tree, or where that is too large, rows that share it.

    Returns:
        The new rows, their parents, for each plain row its new row (n,) and for each of its places
        the new place (n, longest), and for each new row a number that is equal where a context is
        shared, else -1. A plain row's last token is read by nobody, so it is left out.
    """
    alike: dict[Any, list[int]] = defaultdict(list)
    for i, (row, c) in enumerate(zip(plain, context, strict=True)):
        alike[row[:c].tobytes() if trees else i].append(i)
    where_row = np.zeros(len(plain), np.int64)
    where_place = np.zeros((len(plain), max(map(len, plain), default=0)), np.int64)
    rows: list[Array] = []
    parents: list[Array] = []
    shares: list[int] = []
    for number, members in enumerate(alike.values()):
        c = int(context[members[0]])
        after = sum(len(plain[i]) - 1 - c for i in members)
        whole = after <= LARGEST * c + 64
        for some in [members] if whole else [[i] for i in members]:
            shares.append(-1 if whole or len(members) == 1 or c == 1 else number)
            if len(some) == 1:
                i = some[0]
                n = max(c, len(plain[i]) - 1)
                where_row[i], where_place[i, :n] = len(rows), np.arange(n)
                rows.append(plain[i][:n])
                parents.append(np.arange(-1, n - 1))
                continue
            ids, parent = plain[some[0]][:c].tolist(), list(range(-1, c - 1))
            known: dict[tuple[int, int], int] = {}
            for i in some:
                where_row[i], at, places = len(rows), c - 1, list(range(c))
                for t in plain[i][c:-1].tolist():
                    if (at, t) not in known:
                        known[at, t] = len(ids)
                        ids.append(t)
                        parent.append(at)
                    at = known[at, t]
                    places.append(at)
                where_place[i, : len(places)] = places
            rows.append(np.array(ids, np.int64))
            parents.append(np.array(parent, np.int64))
    return rows, parents, where_row, where_place, np.array(shares, np.int64)


@dataclass(frozen=True, eq=False)
class Scored:
    """What a forward pass says of sampled tokens.

    Attributes:
        at: positions into `Inputs.token` of the tokens, in the order of the tensors.
        logprob, entropy: one per token. `entropy` is None unless asked for.
        hidden: (tokens, width) the last hidden state before each token; None unless asked for.
    """

    at: Array
    logprob: torch.Tensor
    entropy: torch.Tensor | None = None
    hidden: torch.Tensor | None = None


def score(
    model: Any,
    inputs: Inputs,
    rows: Array,
    temperature: float,
    kept: Array | None = None,
    *,
    entropy: bool = False,
    hidden: bool = False,
) -> Scored:
    """Runs the model over some distinct inputs and reads off their sampled tokens.

    Args:
        rows: which inputs.
        kept: true for the sampled tokens that are wanted; None: all that stand in `rows`.
    """

    local = np.full(len(inputs.ids), -1)
    local[rows] = np.arange(len(rows))
    here = local[inputs.row] >= 0
    at = np.flatnonzero(here if kept is None else here & kept)
    shared = _shared(inputs, rows)
    pieces = [(read, some) for read, some in ((_plain, ~shared), (_after, shared)) if some.any()]
    if len(pieces) == 1:
        return Scored(at, *_pick(model, pieces[0][0], inputs, rows, at, temperature, entropy, hidden))
    parts, order = [], []
    for read, some in pieces:
        mine = some[local[inputs.row[at]]]
        if mine.any():
            order.append(np.flatnonzero(mine))
            parts.append(_pick(model, read, inputs, rows[some], at[mine], temperature, entropy, hidden))
    back = _tensor(np.argsort(np.concatenate(order)), model) if order else None
    return Scored(at, *(None if p[0] is None else torch.cat(p)[back] for p in zip(*parts, strict=True)))


def _shared(inputs: Inputs, rows: Array) -> Array:
    """True for the rows whose context another one of them has too."""
    _, number, count = np.unique(inputs.shares[rows], return_inverse=True, return_counts=True)
    return (inputs.shares[rows] >= 0) & (count[number] > 1)


def _pick(
    model: Any, read: Any, inputs: Inputs, rows: Array, at: Array, temperature: float, entropy: bool, hidden: bool
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Log-probability, entropy and hidden state of the sampled tokens `at`, all of which are in `rows`."""
    local = np.full(len(inputs.ids), -1)
    local[rows] = np.arange(len(rows))
    # Equal tokens after equal contexts are read off once, then copied to every token of the batch.
    width, many = int(inputs.length.max()) + 1, int(inputs.target.max()) + 1
    code = (local[inputs.row[at]] * width + inputs.place[at]) * many + inputs.target[at]
    code, copy = np.unique(code, return_inverse=True)
    row, place, target = code // many // width, code // many % width, code % many
    out, place = read(model, inputs, rows, row, place, hidden)
    keep, column = out.places, np.searchsorted(out.places, place)
    logits = out.logits
    if len(row) == len(rows) * len(keep) and np.array_equal(row * len(keep) + column, np.arange(len(row))):
        logits = logits.reshape(-1, logits.shape[-1])  # all of them, in order
    else:
        logits = logits[_tensor(row, model), _tensor(column, model)]
    chosen, spread = _Chosen.apply(logits, _tensor(target, model), temperature, entropy)
    state = out.hidden[_tensor(row, model), _tensor(place, model)] if hidden else None
    if np.array_equal(copy, np.arange(len(copy))):
        return chosen, spread if entropy else None, state
    back = _tensor(copy, model)
    return chosen[back], spread[back] if entropy else None, None if state is None else state[back]


class _Chosen(torch.autograd.Function):
    """log softmax(logits / temperature) at the targets, and the entropy; one saved tensor and few passes over it."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, target: torch.Tensor, temperature: float, entropy: bool) -> Any:
        log = logits.float() if temperature == 1.0 else logits.float() / temperature
        log = log.log_softmax(-1)
        spread = -(log.exp().mul_(log)).sum(-1) if entropy else log.new_zeros(len(log))
        ctx.save_for_backward(log, target, spread)
        ctx.set_materialize_grads(False)
        ctx.temperature, ctx.dtype = temperature, logits.dtype
        return log.gather(1, target[:, None])[:, 0], spread

    @staticmethod
    def backward(ctx: Any, chosen: torch.Tensor | None, spread: torch.Tensor | None) -> Any:
        log, target, entropy = ctx.saved_tensors
        chosen = torch.zeros_like(entropy) if chosen is None else chosen
        if spread is None:
            out = log.exp().mul_(-chosen[:, None])
        else:
            out = log.exp() * (-chosen[:, None] - spread[:, None] * (log + entropy[:, None]))
        out.scatter_add_(1, target[:, None], chosen[:, None])
        out = out if ctx.temperature == 1.0 else out / ctx.temperature
        return out.to(ctx.dtype), None, None, None


@dataclass(frozen=True, eq=False)
class _Out:
    """What a forward pass gave: logits at some places of every row, and hidden states at all."""

    logits: torch.Tensor
    places: Array
    hidden: torch.Tensor | None


def _plain(model: Any, inputs: Inputs, rows: Array, row: Array, place: Array, hidden: bool) -> tuple[_Out, Array]:
    """One pass over whole inputs."""
    ids, reading = _layout([inputs.ids[r] for r in rows], [inputs.parent[r] for r in rows])
    keep = np.unique(place)
    out = model(
        _tensor(ids, model),
        use_cache=False,
        logits_to_keep=_tensor(keep, model),
        output_hidden_states=hidden,
        **{name: _tensor(x, model) for name, x in reading.items()},
    )
    return _Out(out.logits, keep, out.hidden_states[-1] if hidden else None), place


def _after(model: Any, inputs: Inputs, rows: Array, row: Array, place: Array, hidden: bool) -> tuple[_Out, Array]:
    """A pass over the distinct contexts, less their last tokens, and one over what follows, on top of them."""
    _, first, of = np.unique(inputs.shares[rows], return_index=True, return_inverse=True)
    before = inputs.context[rows] - 1
    ids, _ = _layout([inputs.ids[r][:n] for r, n in zip(rows[first], before[first], strict=True)])
    past = model(_tensor(ids, model), use_cache=True, logits_to_keep=1).past_key_values
    past.batch_select_indices(_tensor(of, model))
    then, _ = _layout([inputs.ids[r][n:] for r, n in zip(rows, before, strict=True)])
    mask = np.ones((len(rows), ids.shape[1] + then.shape[1]), np.int64)
    mask[:, : ids.shape[1]] = np.arange(ids.shape[1]) < before[:, None]
    place = place - before[row]
    keep = np.unique(place)
    out = model(
        _tensor(then, model),
        past_key_values=past,
        position_ids=_tensor(before[:, None] + np.arange(then.shape[1]), model),
        attention_mask=None if mask.all() else _tensor(mask, model),
        use_cache=True,
        logits_to_keep=_tensor(keep, model),
        output_hidden_states=hidden,
    )
    return _Out(out.logits, keep, out.hidden_states[-1] if hidden else None), place


def _tensor(x: Array, model: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).to(model.device)


def _layout(ids: list[Array], parents: list[Array] | None = None) -> tuple[Array, dict[str, Array]]:
    """Padded ids and, where something branches, the mask of who sees whom and the positions."""
    width = max(map(len, ids))
    padded, parent = np.zeros((len(ids), width), np.int64), np.tile(np.arange(width) - 1, (len(ids), 1))
    for i, row in enumerate(ids):
        padded[i, : len(row)] = row
        if parents is not None:
            parent[i, : len(row)] = parents[i]
    if (parent == np.arange(width) - 1).all():
        return padded, {}  # causal attention and its own positions are right: padding is to the right
    sees = np.zeros((len(ids), width, width), bool)
    depth = np.zeros((len(ids), width), np.int64)
    every = np.arange(len(ids))
    sees[:, 0, 0] = True
    for at in range(1, width):
        sees[:, at] = sees[every, parent[:, at]]
        sees[:, at, at] = True
        depth[:, at] = depth[every, parent[:, at]] + 1
    return padded, {"attention_mask": sees[:, None], "position_ids": depth}


def reach(model: Any) -> int | None:
    """How many tokens the model's attention looks back, where it forgets what lies further; None: it sees all."""
    config = model.config.get_text_config()
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((w for w in windows if w is not None), default=None)


_branches: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@torch.no_grad()
def branches(model: Any) -> bool:
    """True if the model reads a tree as it reads its branches: tried out once on a small one."""
    if model not in _branches:
        ids, parent = [np.array([1, 2, 3, 2, 3])], [np.array([-1, 0, 1, 0, 3])]  # 1 (2 3 | 2 3)
        padded, reading = _layout(ids, parent)
        device = model.device
        given = {k: torch.from_numpy(v).to(device) for k, v in reading.items()}
        try:
            with torch.autocast(device.type, enabled=False):  # half precision would hide what is looked for
                tree = model(torch.from_numpy(padded).to(device), use_cache=False, **given).logits[0]
                plain = model(torch.tensor([[1, 2, 3]], device=device), use_cache=False).logits[0]
            _branches[model] = torch.allclose(tree[[0, 1, 2, 3, 4]], plain[[0, 1, 2, 1, 2]], rtol=1e-3, atol=1e-4)
        except (RuntimeError, ValueError, TypeError, IndexError):  # an attention that takes no such mask
            _branches[model] = False
    return _branches[model]


@torch.no_grad()
def logprobs(model: Any, batch: Batch, temperature: float = 1.0, most: int = 16_384) -> Array:
    """Per token of the batch, its log-probability under the model; NaN where nothing was sampled."""
    inputs = Inputs.for_model(model, batch)
    out = np.full(batch.size("token"), np.nan)
    for rows in inputs.chunks(np.arange(len(inputs.ids)), most):
        scored = score(model, inputs, rows, temperature)
        out[inputs.token[scored.at]] = scored.logprob.float().cpu().numpy()
    return out
