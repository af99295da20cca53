"""Facts about the sampled tokens themselves: entropies, and log-probabilities with and without the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.evidence.grading import rows_of, with_verdicts
from guerdon.evidence.likelihoods.ask import Scorer, unfit, version_of
from guerdon.evidence.likelihoods.history import Sampled, Turn
from guerdon.evidence.likelihoods.slots import Speech
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict

Array = np.ndarray


@dataclass(frozen=True)
class Entropies:
    """The observer of `entropies`: see there."""

    scorer: Scorer
    name: str = "step_entropy"
    cost: Cost = "minutes"
    level: Level = "step"
    low: float = 0.0
    high: float = np.inf

    @property
    def version(self) -> str:
        """Changes with the temperature and with the weights that are asked."""
        return version_of((self.scorer.temperature,), self.scorer.policy)

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name` by step, `entropy` by token, and the cause."""
        from guerdon.evidence.likelihoods.read import read

        turns, stand = _turns(batch, self.scorer.policy, self.name)
        pairs = [(turn.read, turn.said) for turn in turns]
        some = _readable(pairs, stand, self.scorer.policy.longest)
        scorer = self.scorer
        found = read(
            scorer.policy.model, [pairs[i] for i in some], scorer.temperature, scorer.most, share=scorer.share,
            entropy=True,
        )  # fmt: skip
        value, verdicts = np.full(batch.size("token"), np.nan), list(stand)
        step_of, sampled = batch.step_of_token, np.asarray(batch["sampled"].values, bool)
        at = np.split(np.flatnonzero(sampled), np.cumsum(segments.count(step_of[sampled], batch.size("step")))[:-1])
        for i, one in zip(some, found, strict=True):
            if not np.isfinite(one.entropy).all():
                verdicts[i] = Verdict.unscored("the model's log-probabilities are not finite")
                continue
            spread = np.maximum(one.entropy, 0.0)
            value[at[i]] = spread
            verdicts[i] = Verdict.score(spread.mean(), high=np.inf, highest=float(spread.max()))
        batch = with_verdicts(batch, self.name, "step", verdicts)
        return batch.with_columns(entropy=Column("token", value, ~np.isnan(value)))


def entropies(policy: Any, name: str = "step_entropy", *, temperature: float = 1.0, most: int = 8192) -> Entropies:
    """An observer at step level: the mean entropy of the policy where it sampled the action's tokens, in nats.

        H_j = - sum_v p(v | what was read before token j) log p(v | ..);   NAME[t] = mean of H_j over action t

    The token column `entropy` has each H_j, missing where nothing was sampled; the fact `highest` is a step's largest.

    Args:
        temperature: that of sampling, where the entropy of what was sampled is wanted.

    Unscored: the play failed, an action without tokens, a context too long, numbers that are not finite.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Trajectory
        >>> policy = small(["1", "2"], width=8, heads=2)
        >>> read, said = policy.format.read("1", True), policy.format.say("2")
        >>> batch = Batch.of([Trajectory(0, steps=(Step("1", "2", tokens=[*read, *said], logprobs=[0.0] * 2),))])
        >>> seen = entropies(policy).observe(batch)
        >>> bool(np.isclose(seen["step_entropy"].values[0], seen["entropy"].filled()[-2:].mean()))
        True
    """
    return Entropies(Scorer(policy, temperature, most), name)


@dataclass(frozen=True)
class OwnLogprobs:
    """The observer of `own_logprobs` and `logprobs_alone`: see there."""

    scorer: Scorer
    name: str
    alone: bool
    cost: Cost = "minutes"
    level: Level = "token"
    low: float = -np.inf
    high: float = 0.0

    @property
    def version(self) -> str:
        """Changes with the temperature and with the weights that are asked."""
        return version_of((self.alone, self.scorer.temperature), self.scorer.policy)

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name`, and the cause where a sampled token has no number."""
        turns, stand = _turns(batch, self.scorer.policy, self.name)
        opening = Speech(self.scorer.policy).opening
        pairs = [(opening if self.alone else turn.read, turn.said) for turn in turns]
        fine = [i for i, verdict in enumerate(stand) if verdict is None]
        answers = self.scorer.ask([pairs[i] for i in fine])
        sampled = np.asarray(batch["sampled"].values, bool)
        value, cause = np.full(batch.size("token"), np.nan), [None if v is None else v.cause for v in stand]
        bounds = np.append(0, np.cumsum(segments.count(batch.step_of_token[sampled], batch.size("step"))))
        at = np.flatnonzero(sampled)
        for i, answer in zip(fine, answers, strict=True):
            if isinstance(answer, str):
                cause[i] = answer
            else:
                value[at[bounds[i] : bounds[i + 1]]] = answer
        out = {self.name: Column("token", value, ~np.isnan(value))}
        lacking = sampled & np.isnan(value)
        if lacking.any():
            texts = [cause[s] if no else None for s, no in zip(batch.step_of_token.tolist(), lacking, strict=True)]
            out[f"{self.name}/cause"] = Column.of("token", pa.array(texts, pa.string()))
        return batch.with_columns(**out)


def own_logprobs(
    policy: Any, name: str = "policy_logprob", *, temperature: float = 1.0, most: int = 8192
) -> OwnLogprobs:
    """An observer at token level: the log-probability of each sampled token under a policy as it is now.

    `logprob` is what it was when it was sampled. Under a frozen copy this is `ref_logprob`, under a teacher
    `teacher_logprob`. Missing where nothing was sampled, with a cause where it could not be had.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Trajectory
        >>> policy = small(["1", "2"], width=8, heads=2)
        >>> read, said = policy.format.read("1", True), policy.format.say("2")
        >>> batch = Batch.of([Trajectory(0, steps=(Step("1", "2", tokens=[*read, *said], logprobs=[0.0] * 2),))])
        >>> own_logprobs(policy).observe(batch)["policy_logprob"].valid
        array([False, False,  True,  True])
    """
    return OwnLogprobs(Scorer(policy, temperature, most), name, False)


def logprobs_alone(
    policy: Any, name: str = "logprob_alone", *, temperature: float = 1.0, most: int = 8192
) -> OwnLogprobs:
    """An observer at token level: the log-probability of each sampled token without anything that was asked (SAR).

    Each action is read after the format's opening alone, as if nothing had been asked; earlier turns are not
    read either. With `logprob` it is what `guerdon.rewards.length.information_gain` and the recipe sar read.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Trajectory
        >>> policy = small(["1", "2"], width=8, heads=2)
        >>> read, said = policy.format.read("", True), policy.format.say("2")
        >>> batch = Batch.of([Trajectory(0, steps=(Step("", "2", tokens=[*read, *said], logprobs=[0.0] * 2),))])
        >>> one, other = (make(policy) for make in (own_logprobs, logprobs_alone))
        >>> bool(np.allclose(one.observe(batch)[one.name].filled(0), other.observe(batch)[other.name].filled(0)))
        True
    """
    return OwnLogprobs(Scorer(policy, temperature, most), name, True)


def _turns(batch: Batch, policy: Any, who: str) -> tuple[list[Turn], list[Verdict | None]]:
    """The turns of all plays, one a step, and the verdicts that stand already."""
    source = Sampled()
    batch.need(source.reads, who)
    _, stand = rows_of(batch, (), "step", who)
    return [turn for turns in source.turns(batch, policy) for turn in turns], stand


def _readable(pairs: list[tuple[Array, Array]], stand: list[Verdict | None], longest: int) -> list[int]:
    """Which of them can be read; the others get their verdicts."""
    for i, (context, text) in enumerate(pairs):
        why = unfit(context, text, longest)
        if stand[i] is None and why:
            stand[i] = Verdict.unscored(why)
    return [i for i, verdict in enumerate(stand) if verdict is None]
