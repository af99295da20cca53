"""How much likelier each step makes the rest of a reference solution (P2S)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guerdon.batch import Batch, Level
from guerdon.evidence.grading import rows_of, with_verdicts
from guerdon.evidence.likelihoods.aggregate import MEAN_LOG, Aggregate
from guerdon.evidence.likelihoods.ask import Asked, Scorer, bounds, version_of
from guerdon.evidence.likelihoods.history import SAMPLED, Source
from guerdon.evidence.likelihoods.reference import NOBODY, turns_of, unread
from guerdon.evidence.likelihoods.slots import AT_END, Slot, Speech
from guerdon.evidence.likelihoods.texts import MASKED, REFERENCE, RESTS, Baseline, Reference, Rests, places
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict


@dataclass(frozen=True)
class PathScores:
    """The observer of `path_scores`: see there."""

    scorer: Scorer
    name: str = "path_score"
    rests: Rests = RESTS
    answer: Reference = REFERENCE
    slot: Slot = AT_END
    aggregate: Aggregate = MEAN_LOG
    closing: Aggregate = MEAN_LOG
    baseline: Baseline | None = MASKED
    source: Source = SAMPLED
    cost: Cost = "minutes"
    level: Level = "step"

    @property
    def version(self) -> str:
        """Changes with what is asked and with the weights that are asked."""
        settings = (self.rests, self.answer, self.slot, self.aggregate, self.closing, self.baseline, self.source)
        settings = (*settings, self.scorer.temperature)
        return version_of(settings, self.scorer.policy, self.baseline.policy if self.baseline else None)

    @property
    def low(self) -> float:
        """Of the gains and of the answer."""
        return min(self.closing.low, bounds(self.aggregate, self.baseline, self.rests)[0])

    @property
    def high(self) -> float:
        """Of the gains and of the answer."""
        return max(self.closing.high, bounds(self.aggregate, self.baseline, self.rests)[1])

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name` and its cause."""
        reads = (*self.rests.reads, *self.answer.reads)
        rows, stand = rows_of(batch, reads, "trajectory", self.name)
        speech, plays = Speech(self.scorer.policy), turns_of(batch, self.source, self.scorer.policy, self.name)
        n, step, split = batch.size("step"), 0, len(self.rests.reads)
        on_way, at_end = Asked(n), Asked(n)
        way = (on_way, self.rests, AT_END, NOBODY)  # no words of the answer's slot before a rest
        end = (at_end, self.answer, self.slot, self.slot.cut(NOBODY, speech).added)
        out: list[Verdict | None] = []
        for row, why, turns, count in zip(rows, stand, plays, batch.counts("step").tolist(), strict=True):
            why = why or unread(turns)
            out.extend([why] * count)
            for k in range(count if why is None else 0):
                last = k == count - 1
                asked, text, slot, bare = end if last else way
                values, cut = row[split:] if last else row[:split], slot.cut(turns[k].said, speech)
                asked.add(step + k, places(text, values, turns[k], turns[0], cut, bare, speech), step + k)
            step += count
        gains = on_way.verdicts(self.scorer, self.aggregate, self.baseline, self.rests)
        answers = at_end.verdicts(self.scorer, self.closing, None, self.answer)
        ended = {item for item, _, _ in at_end.texts}
        done = [have or (answers if i in ended else gains)[i] for i, have in enumerate(out)]
        return with_verdicts(batch, self.name, "step", done)


def path_scores(
    policy: Any,
    name: str = "path_score",
    *,
    rests: Rests = RESTS,
    answer: Reference = REFERENCE,
    slot: Slot = AT_END,
    aggregate: Aggregate = MEAN_LOG,
    closing: Aggregate = MEAN_LOG,
    baseline: Baseline | None = MASKED,
    source: Source = SAMPLED,
    temperature: float = 1.0,
    most: int = 8192,
) -> PathScores:
    """An observer at step level: by how much the play so far makes some rest of a reference solution likelier (P2S).

        x[t] = max over rests s of aggregate(log p(s | play up to step t)) - aggregate(log p(s | the same, masked))
        x[T] = closing(log p(reference | play)) at the last step

    Args:
        rests: the column of the solution, `task_gold_chain`, and into how many pieces it is cut.
        answer: the column of the answer, read at the last step.
        slot: where the answer is put.
        aggregate: `MeanLog` by default. The paper's is `SumLog`, whose numbers grow with the length of a rest, so that
            the longest one often wins or loses for its length alone.
        closing: likewise of the answer. Its numbers are then at most 0, below most gains; `Geometric()` keeps them in
            [0, 1], where the recipe p2s holds a path.

    Sampling the solutions (several a question, given the answer) and keeping the one with the likeliest answer is the
    host's: score the candidates with `log_prob` and take the best. Equal pieces of tokens are not logical steps, and
    after its first tokens a rest hardly depends on the play.

    Unscored as in `ref_likelihood`.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Task, Trajectory
        >>> policy = small(["1", "2", "so"], width=8, heads=2)
        >>> read, said = policy.format.read("1", True), policy.format.say("so")
        >>> step = Step("1", "so", tokens=[*read, *said], logprobs=[0.0] * len(said))
        >>> task = Task(reference="2", extra={"gold": "so so 2"})
        >>> batch = Batch.of([Trajectory(0, task, (step, step))])
        >>> seen = path_scores(policy, rests=Rests("task_gold", 3)).observe(batch)
        >>> seen["path_score"].valid
        array([ True,  True])

    Source: P2S, arXiv 2601.20649 (from a summary; the pieces and the mask are ours).
    """
    return PathScores(
        Scorer(policy, temperature, most), name, rests, answer, slot, aggregate, closing, baseline, source
    )
