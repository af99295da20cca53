"""Log-probabilities of texts after contexts, each prefix that several of them share being read once.

All that is asked of a model is laid out as few trees: a chain of reasoning is the trunk, and the text that is
read at several of its places branches off there. `guerdon.policies.score` reads trees; a model whose attention
takes none reads each context once and keeps its keys and values. One that looks no further back than a window
reads every longer text by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from guerdon.policies.score import LARGEST, Inputs, branches, reach, score

Array = np.ndarray
Pair = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Read:
    """What a model says of a text's tokens.

    Attributes:
        logprob: of each token, given the context and the tokens before it.
        entropy: of the model's distribution there, in nats; None unless asked for.
    """

    logprob: Array
    entropy: Array | None = None


@dataclass(frozen=True, eq=False)
class Laid:
    """Texts laid out as model inputs.

    Attributes:
        inputs: as `guerdon.policies.score` reads them; entries are the tokens of the texts, in order.
        begin: (texts + 1,) where the entries of each text begin.
    """

    inputs: Inputs
    begin: Array

    @property
    def tokens(self) -> int:
        """How many tokens the model reads."""
        return int(self.inputs.length.sum())


@torch.no_grad()
def read(
    model: Any,
    pairs: Sequence[Pair],
    temperature: float = 1.0,
    most: int = 8192,
    *,
    share: bool = True,
    entropy: bool = False,
) -> list[Read]:
    """What a causal LM says of each text after its context, one number a token.

        logprob[j] = log softmax(logits(context, text_<j) / temperature)[text_j]

    The order of the pairs does not change any number: what is read together follows from the set of pairs.

    Args:
        pairs: (context, text) token ids. A context has at least one token; the tokens are read as they are, so
            nothing is tokenised again where the two meet.
        most: the most padded tokens in one pass.
        share: False reads every pair by itself, for comparison.

    Example:
        >>> from guerdon.policies import small
        >>> model = small(["a", "b"], width=8, heads=2).model
        >>> one, two = read(model, [(np.array([4]), np.array([5, 4])), (np.array([4]), np.array([5]))])
        >>> len(one.logprob), bool(one.logprob[0] == two.logprob[0])
        (2, True)
    """
    if not pairs:
        return []
    with _still(model):
        window = reach(model)
        share = share and (window is None or max(len(c) + len(t) for c, t in pairs) <= window)
        laid = lay(pairs, most, trees=share and branches(model), share=share)
        n = len(laid.inputs.row)
        logprob, spread = np.zeros(n), np.zeros(n)
        for rows in _passes(laid.inputs.length, most):
            scored = score(model, laid.inputs, rows, temperature, entropy=entropy)
            logprob[scored.at] = scored.logprob.double().clamp(max=0.0).cpu().numpy()  # rounding can pass 0
            if entropy:
                spread[scored.at] = scored.entropy.double().cpu().numpy()
    cut = laid.begin[1:-1]
    spreads = np.split(spread, cut) if entropy else [None] * len(pairs)
    return [Read(*one) for one in zip(np.split(logprob, cut), spreads, strict=True)]


def lay(pairs: Sequence[Pair], most: int = 8192, *, trees: bool = True, share: bool = True) -> Laid:
    """Pairs as model inputs: with `trees` those that begin alike become branches of one input.

    Pairs are sorted by their tokens, so that each has most in common with the one before it. It joins that
    one's tree where at least as many tokens are saved as are added, and while the tree is at most LARGEST
    times its longest branch: attention is quadratic, and a branch pays for those that it does not see.
    Without `trees`, inputs of equal contexts are marked as sharing them.

    Example:
        >>> chain, ref = np.array([1, 2, 3, 4]), np.array([9])
        >>> lay([(chain[:2], ref), (chain[:3], ref), (chain, ref)]).tokens, lay([(chain, ref)] * 5).tokens
        (4, 4)
    """
    names = [(_key(c), _key(t)) for c, t in pairs]
    known = dict(zip(names, pairs, strict=True))
    distinct, number = list(known.values()), {name: i for i, name in enumerate(known)}
    which = [number[name] for name in names]
    paths = [np.concatenate((c, t))[:-1].astype(np.int64) for c, t in distinct]  # its last token is read by nobody
    order = sorted(range(len(paths)), key=lambda i: (_key(paths[i]), len(distinct[i][0]), int(distinct[i][1][-1])))
    ids: list[list[int]] = []
    parents: list[list[int]] = []
    where_row, where = [0] * len(paths), [np.zeros(0, np.int64)] * len(paths)
    before, longest, previous = np.zeros(0, np.int64), 0, 0
    for i in order:
        path = paths[i]
        same = _alike(before, path) if trees and ids else 0
        new = len(path) - same
        longest = max(longest, len(path))
        fits = ids and len(ids[-1]) + new <= min(LARGEST * longest + 64, max(most, longest))
        if not (same and same >= new and fits):
            ids.append([])
            parents.append([])
            same, new, longest, places = 0, len(path), len(path), np.zeros(0, np.int64)
        else:
            places = where[previous][:same]
        begin = len(ids[-1])
        fresh = np.arange(begin, begin + new)
        if new:
            ids[-1].extend(path[same:].tolist())
            parents[-1].extend([int(places[-1]) if same else -1, *fresh[:-1].tolist()])
        where_row[i], where[i] = len(ids) - 1, np.concatenate((places, fresh))
        before, previous = path, i
    return _laid(pairs, which, distinct, ids, parents, where_row, where, share and not trees)


def _laid(
    pairs: Sequence[Pair], which: list[int], distinct: Sequence[Pair], ids: list, parents: list,
    where_row: list[int], where: list[Array], by_context: bool,
) -> Laid:  # fmt: skip
    shares, context = np.full(len(ids), -1), np.zeros(len(ids), np.int64)
    contexts: dict[bytes, int] = {}
    for i, (read_, _) in enumerate(distinct):
        context[where_row[i]] = len(read_)
        if by_context and len(read_) > 1:
            shares[where_row[i]] = contexts.setdefault(_key(read_), len(contexts))
    lengths = np.array([len(t) for _, t in pairs])
    inputs = Inputs(
        ids=[np.array(x, np.int64) for x in ids],
        parent=[np.array(x, np.int64) for x in parents],
        length=np.array([len(x) for x in ids]),
        token=np.arange(int(lengths.sum())),
        row=np.repeat(np.array([where_row[w] for w in which]), lengths),
        place=np.concatenate([where[w][len(c) - 1 :] for w, (c, _) in zip(which, pairs, strict=True)]),
        target=np.concatenate([np.asarray(t, np.int64) for _, t in pairs]),
        shares=shares,
        context=context,
    )
    return Laid(inputs, np.append(0, np.cumsum(lengths)))


def fingerprint(model: Any) -> str:
    """A short name of a model's weights: of each parameter its shape and 32 values spread over it.

    An optimiser step changes it. It costs a few values a parameter, whatever the model's size.
    """
    found = hashlib.blake2b(digest_size=8)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            flat = weight.detach().reshape(-1)
            some = flat[torch.linspace(0, len(flat) - 1, min(32, len(flat)), device=flat.device).long()]
            found.update(f"{name}{tuple(weight.shape)}".encode() + some.double().cpu().numpy().tobytes())
    return found.hexdigest()


@contextmanager
def _still(model: Any) -> Iterator[None]:
    """Without dropout, and back as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _passes(length: Array, most: int) -> Iterator[Array]:
    """Inputs that are read together, longest first: at most `most` padded tokens, of a row less than half padding."""
    rows = np.argsort(-length, kind="stable")
    while len(rows):
        longest = int(length[rows[0]])
        n = min(max(1, most // longest), int((2 * length[rows] > longest).sum()))
        yield rows[:n]
        rows = rows[n:]


def _key(ids: Array) -> bytes:
    return np.asarray(ids).astype(">u4").tobytes()  # bytes in the order of the tokens


def _alike(one: Array, other: Array) -> int:
    """How many tokens two begin with alike."""
    n = min(len(one), len(other))
    apart = np.flatnonzero(one[:n] != other[:n])
    return int(apart[0]) if len(apart) else n
