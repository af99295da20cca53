"""Texts put into plays, asked of models, and made one verdict a play or step: what all the observers here share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from guerdon.evidence.likelihoods.aggregate import Aggregate, Tokens
from guerdon.evidence.likelihoods.texts import Baseline, Put, Text
from guerdon.records import Verdict

Array = np.ndarray
NO_OTHER = "the group has no other play whose likelihood is known"


@dataclass(frozen=True)
class Scorer:
    """How models are asked.

    Attributes:
        policy: the model and its tokenizer.
        temperature: of the log-probabilities; the policy samples at its own.
        most: the most padded tokens in one pass.
        share: False reads every text by itself.
    """

    policy: Any
    temperature: float = 1.0
    most: int = 8192
    share: bool = True

    def ask(self, pairs: Sequence[tuple[Array, Array]], policy: Any = None) -> list[Array | str]:
        """Per (context, text) the log-probabilities of the text's tokens, or why there are none."""
        from guerdon.evidence.likelihoods.read import read

        policy = policy or self.policy
        out: list[Array | str] = [unfit(context, text, policy.longest) or "" for context, text in pairs]
        some = [i for i, why in enumerate(out) if not why]
        found = read(policy.model, [pairs[i] for i in some], self.temperature, self.most, share=self.share)
        for i, one in zip(some, found, strict=True):
            fine = np.isfinite(one.logprob).all()
            out[i] = one.logprob if fine else "the model's log-probabilities are not finite"
        return out


def unfit(context: Array, text: Array, longest: int) -> str | None:
    """Why a text cannot be read after a context; None where it can."""
    if not len(text):
        return "the text to be scored has no tokens"
    if not len(context):
        return "nothing stands before the text, so its first token has no probability"
    if len(context) + len(text) > longest:
        return f"the context and the text have {len(context) + len(text)} tokens and the model reads {longest}"
    return None


@dataclass
class Asked:
    """The texts of some items, to be asked all at once.

    Attributes:
        n: how many items.
        texts: of each text its item, its place, and a number that is equal where texts are compared; items never fall.
        causes: why an item has no number.
    """

    n: int
    texts: list[tuple[int, Put, int]] = field(default_factory=list)
    causes: dict[int, str] = field(default_factory=dict)

    def add(self, item: int, puts: Sequence[Put], group: int) -> None:
        """The texts of an item, after those of the items before it; equal ones of one group are compared."""
        self.texts.extend((item, put, group) for put in puts)

    def verdicts(self, scorer: Scorer, aggregate: Aggregate, baseline: Baseline | None, text: Text) -> list[Verdict]:
        """One verdict an item, with the fact `tokens`, and with a baseline `likelihood` and `baseline`.

        Of several texts each is a row of `items`, with the same numbers.
        """
        pairs = [(put.context, put.text) for _, put, _ in self.texts]
        bases = [(baseline.context(put), put.text) for _, put, _ in self.texts] if baseline else []
        other = baseline.policy if baseline and baseline.policy is not None else scorer.policy
        if other is scorer.policy:  # asked together, so that beginnings are shared
            both = scorer.ask([*pairs, *bases])
            given, bare = both[: len(pairs)], both[len(pairs) :]
        else:
            given, bare = scorer.ask(pairs), scorer.ask(bases, other)
        for at, (item, _, _) in enumerate(self.texts):
            for found in (given[at], bare[at] if baseline else None):
                if isinstance(found, str):
                    self.causes.setdefault(item, found)
        fine = [i for i, (item, _, _) in enumerate(self.texts) if item not in self.causes]
        return self._made(fine, given, bare, aggregate, text)

    def _made(self, at: list[int], given: list, bare: list, aggregate: Aggregate, text: Text) -> list[Verdict]:
        items, owner = [self.texts[i] for i in at], np.array([self.texts[i][0] for i in at], np.int64)
        ids: dict[tuple[int, bytes], int] = {}
        group = [ids.setdefault((g, put.text.tobytes()), len(ids)) for _, put, g in items]
        tokens = Tokens.of([given[i] for i in at], np.array(group, np.int64))
        seen = {"value": aggregate(tokens.logprob, tokens)}
        if bare and at:
            base = aggregate(np.concatenate([bare[i] for i in at]), tokens)
            seen = {"value": seen["value"] - base, "likelihood": seen["value"], "baseline": base}
        verdicts = []
        for item in range(self.n):
            mine = np.arange(*np.searchsorted(owner, [item, item + 1]))  # owners never fall
            if item in self.causes or not len(mine):
                verdicts.append(Verdict.unscored(self.causes.get(item, "there is no text to be scored")))
                continue
            facts = {name: text.combined(numbers[mine]) for name, numbers in seen.items()}
            worth = facts.pop("value")
            if not np.isfinite(worth):
                verdicts.append(Verdict.unscored(NO_OTHER if np.isnan(worth) else "the likelihood is not finite"))
                continue
            facts["tokens"] = float(sum(len(given[at[m]]) for m in mine))
            rows = [{"text": k} | {name: float(x[m]) for name, x in seen.items()} for k, m in enumerate(mine)]
            verdicts.append(Verdict(worth, None, -np.inf, np.inf, facts, rows if len(rows) > 1 else ()))
        return verdicts


def bounds(aggregate: Aggregate, baseline: Baseline | None, text: Text) -> tuple[float, float]:
    """The range of an aggregate, less a baseline where there is one, of these texts."""
    low, high = aggregate.low, aggregate.high
    if baseline is not None:
        low, high = low - high, high - low
    return text.range(low, high)


def version_of(settings: tuple, *policies: Any) -> str:
    """A version that changes with what is asked and with the weights that are asked.

    Several observers here leave columns of one name, so that one must not pass for another.

    Args:
        settings: whatever makes other numbers; their `repr` counts.
        policies: None among them counts nothing.
    """
    from guerdon.evidence.likelihoods.read import fingerprint

    named = hashlib.blake2b(repr(settings).encode(), digest_size=4).hexdigest()
    return "-".join(["1", named, *(fingerprint(p.model) for p in policies if p is not None)])
