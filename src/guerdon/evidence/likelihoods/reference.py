"""How likely a model finds a text that is put into a play: of a text, a place, an aggregate and a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from guerdon.batch import Batch, Column, Level
from guerdon.evidence.grading import rows_of, with_verdicts
from guerdon.evidence.likelihoods.aggregate import GEOMETRIC, MEAN_PROB, Aggregate
from guerdon.evidence.likelihoods.ask import Asked, Scorer, bounds, version_of
from guerdon.evidence.likelihoods.history import SAMPLED, Source, Turn
from guerdon.evidence.likelihoods.slots import AT_END, Slot, Speech
from guerdon.evidence.likelihoods.texts import REFERENCE, Baseline, Text, places
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict

Array = np.ndarray
NO_STEP = "the play has no step, so there is nothing to put a text after"
NOBODY = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Likelihood:
    """The observer of `ref_likelihood`: see there."""

    scorer: Scorer
    name: str = "ref_likelihood"
    text: Text = REFERENCE
    slot: Slot = AT_END
    aggregate: Aggregate = MEAN_PROB
    baseline: Baseline | None = None
    source: Source = SAMPLED
    cost: Cost = "minutes"
    level: Level = "trajectory"

    @property
    def version(self) -> str:
        """Changes with what is asked and with the weights that are asked."""
        settings = (self.text, self.slot, self.aggregate, self.baseline, self.source, self.scorer.temperature)
        return version_of(settings, self.scorer.policy, self.baseline.policy if self.baseline else None)

    @property
    def low(self) -> float:
        """As the aggregate's, less the baseline's."""
        return bounds(self.aggregate, self.baseline, self.text)[0]

    @property
    def high(self) -> float:
        """As the aggregate's, less the baseline's."""
        return bounds(self.aggregate, self.baseline, self.text)[1]

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name`, its cause and its facts."""
        rows, verdicts = rows_of(batch, self.text.reads, "trajectory", self.name)
        speech, plays = Speech(self.scorer.policy), turns_of(batch, self.source, self.scorer.policy, self.name)
        bare = self.slot.cut(NOBODY, speech).added
        asked, found = Asked(len(rows)), [0.0] * len(rows)
        for i, turns in enumerate(plays):
            verdicts[i] = verdicts[i] or unread(turns)
            if verdicts[i] is None:
                cut = self.slot.cut(turns[-1].said, speech)
                found[i] = float(cut.found)
                puts = places(self.text, rows[i], turns[-1], turns[0], cut, bare, speech)
                asked.add(i, puts, int(batch.group_of_trajectory[i]))
        made = asked.verdicts(self.scorer, self.aggregate, self.baseline, self.text)
        made = [replace(v, facts={**v.facts, "slot": at}) if v.scored else v for v, at in zip(made, found, strict=True)]
        done = [have or new for have, new in zip(verdicts, made, strict=True)]
        return with_verdicts(batch, self.name, "trajectory", done)


def ref_likelihood(
    policy: Any,
    name: str = "ref_likelihood",
    *,
    text: Text = REFERENCE,
    slot: Slot = AT_END,
    aggregate: Aggregate = MEAN_PROB,
    baseline: Baseline | None = None,
    source: Source = SAMPLED,
    temperature: float = 1.0,
    most: int = 8192,
) -> Likelihood:
    """An observer at trajectory level: how likely a text is after a play, less how likely it is without.

        value = aggregate(log p(text | context)) - aggregate(log p(text | baseline's context))

    The context is what the policy had read when it last acted, the tokens of the last action up to the slot, and the
    slot's own words. No gradient is kept, and the model is not in training mode. Contexts that begin alike, of one
    play or of several, are read once. Tokens that were sampled are used by id; the slot's words and the text are
    tokenised by themselves, so that where they meet nothing is tokenised anew.

    Args:
        policy: a `LanguagePolicy`: any causal LM with its tokenizer.
        text: what is scored: `Reference()`, `Own()`, `BesideOwn()`, `FollowUps(good, bad)`, `Rests()`.
        slot: where it is put: `AtEnd(probe)`, `AfterMark(mark, close)`, `NextTurn()`.
        aggregate: of tokens: `Prod`, `SumLog`, `MeanLog`, `Geometric`, `MeanProb`; over the group: `LogMeanExp`,
            `LeaveOneOut`, `SpreadWeighted`.
        baseline: None, `NoChain()`, `MaskedChain()`, `NoPrompt()`, `Under(other)`; each but the first may ask
            another policy, such as the initial one or an averaged copy.
        source: `Sampled()`, or `Retold()` for plays recorded as text.
        temperature: of the log-probabilities.
        most: the most padded tokens in one pass.

    Facts: `tokens` of the text; `slot`, 0 where the action had no mark; with a baseline `likelihood` and `baseline`.
    Of several texts each has a row in the relation NAME/items.

    Unscored: no reference, the play failed or has no step, context and text longer than the model reads, a text
    without tokens (an own answer of no words is among them: it has no likelihood), log-probabilities that
    are not finite, `LeaveOneOut` where no other play of the group is scored. A text without the mark is scored.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Task, Trajectory
        >>> policy = small(["1", "2", "so"], width=8, heads=2)
        >>> read, said = policy.format.read("1", True), policy.format.say("so 2")
        >>> step = Step("1", "so 2", tokens=[*read, *said], logprobs=[0.0] * len(said))
        >>> batch = Batch.of([Trajectory(0, Task(reference="2"), (step,)), Trajectory(0, Task(), (step,))])
        >>> seen = ref_likelihood(policy).observe(batch)
        >>> seen["ref_likelihood"].valid, seen["ref_likelihood/cause"].tolist()
        (array([ True, False]), [None, 'reference is missing'])

    Source: one family for RLPR (arXiv 2506.18254), VeriFree (arXiv 2505.21493), log-prob and JEPO as compared in
    arXiv 2602.03979, DRO (arXiv 2506.13351), DARL (arXiv 2601.14700), FLR (arXiv 2409.13948) and RLP.
    """
    return Likelihood(Scorer(policy, temperature, most), name, text, slot, aggregate, baseline, source)


@dataclass(frozen=True)
class Beliefs:
    """The observer of `beliefs`: see there."""

    scorer: Scorer
    name: str = "belief"
    text: Text = REFERENCE
    slot: Slot = AT_END
    aggregate: Aggregate = GEOMETRIC
    source: Source = SAMPLED
    cost: Cost = "minutes"
    level: Level = "step"

    @property
    def version(self) -> str:
        """Changes with what is asked and with the weights that are asked."""
        settings = (self.text, self.slot, self.aggregate, self.source, self.scorer.temperature)
        return version_of(settings, self.scorer.policy)

    @property
    def low(self) -> float:
        """The aggregate's."""
        return self.aggregate.low

    @property
    def high(self) -> float:
        """The aggregate's."""
        return self.aggregate.high

    def observe(self, batch: Batch) -> Batch:
        """The batch with the columns NAME, next_NAME and NAME/gain, and the cause."""
        rows, stand = rows_of(batch, self.text.reads, "trajectory", self.name)
        speech, plays = Speech(self.scorer.policy), turns_of(batch, self.source, self.scorer.policy, self.name)
        bare, steps = self.slot.cut(NOBODY, speech), batch.counts("step")
        asked, stood, begin = Asked(int((steps + 1).sum())), [], 0
        for i, turns in enumerate(plays):
            why = stand[i] or unread(turns)
            stood.extend([why] * (int(steps[i]) + 1))
            if why is None:  # before each action, and after the last one
                spots = [(turn, bare) for turn in turns] + [(turns[-1], self.slot.cut(turns[-1].said, speech))]
                for k, (turn, cut) in enumerate(spots):
                    puts = places(self.text, rows[i], turn, turns[0], cut, bare.added, speech)
                    asked.add(begin + k, puts, begin + k)
            begin += int(steps[i]) + 1
        made = asked.verdicts(self.scorer, self.aggregate, None, self.text)
        points = [have or new for have, new in zip(stood, made, strict=True)]
        before = np.arange(batch.size("step")) + batch.trajectory_of_step  # a play has one point more than steps
        at, after = [points[b] for b in before], [points[b + 1] for b in before]
        batch = with_verdicts(batch, self.name, "step", at)
        value, then = _numbers(at), _numbers(after)
        known = ~np.isnan(value) & ~np.isnan(then)
        columns = {
            f"next_{self.name}": Column("step", then, ~np.isnan(then)),
            f"{self.name}/gain": Column("step", np.where(known, then - value, np.nan), known),
        }
        return batch.with_columns(**columns)


def beliefs(
    policy: Any,
    name: str = "belief",
    *,
    text: Text = REFERENCE,
    slot: Slot = AT_END,
    aggregate: Aggregate = GEOMETRIC,
    source: Source = SAMPLED,
    temperature: float = 1.0,
    most: int = 8192,
) -> Beliefs:
    """An observer at step level: the likelihood of a text before each action, and after it: NAME and next_NAME.

        NAME[t]      = aggregate(log p(text | all that was read when action t began))
        next_NAME[t] = NAME[t+1];  at the last step: with the last action read too, up to the slot
        NAME/gain[t] = next_NAME[t] - NAME[t]

    So what an action is paid for includes what the environment answered, and the gains of a play add up to its last
    next_NAME less its first NAME. These are the columns that the recipes igpo, grpo-vps, rlpr and verifree read, under
    the name "belief". In a play of one turn NAME is the likelihood without a chain, next_NAME with it.

    Args:
        text: `Reference()`, or another with one text.
        slot: as in `ref_likelihood`. Before an action its words stand alone, in place of the action.
        aggregate: of tokens, not of groups: the places of a play are compared with nothing.

    Unscored as in `ref_likelihood`, each place by itself: where one context is too long, its neighbours are scored.

    Example:
        >>> from guerdon.policies import small
        >>> from guerdon.records import Step, Task, Trajectory
        >>> policy = small(["1", "2", "so"], width=8, heads=2)
        >>> read, said = policy.format.read("1", True), policy.format.say("so 2")
        >>> step = Step("1", "so 2", tokens=[*read, *said], logprobs=[0.0] * len(said))
        >>> seen = beliefs(policy).observe(Batch.of([Trajectory(0, Task(reference="2"), (step, step))]))
        >>> bool(seen["next_belief"].values[0] == seen["belief"].values[1])
        True
    """
    return Beliefs(Scorer(policy, temperature, most), name, text, slot, aggregate, source)


def turns_of(batch: Batch, source: Source, policy: Any, who: str) -> Sequence[list[Turn] | str]:
    """Per trajectory its turns, or why there are none."""
    batch.need(source.reads, who)
    return source.turns(batch, policy)


def unread(turns: list[Turn] | str) -> Verdict | None:
    """Why nothing can be put into a play; None where it can."""
    if isinstance(turns, str):
        return Verdict.unscored(turns)
    return None if turns else Verdict.unscored(NO_STEP)


def _numbers(verdicts: list[Verdict]) -> Array:
    return np.array([np.nan if v.value is None else v.value for v in verdicts], float)
