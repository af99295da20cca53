"""What a judge can be asked of one text: a score, a yes or no, several in order, a probability.

Each form is a frozen value that knows its range, how it asks and how it reads the answer. A rubric,
steps, pairs, tools and chosen evidence have files of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from guerdon.errors import RecordError
from guerdon.evidence.judges.client import Reply
from guerdon.evidence.judges.fence import Malformed, number, one_of, plain_prompt, prompt, read, words
from guerdon.evidence.judges.votes import Ask, Average, Votes, poll
from guerdon.records import Verdict

REASON = '"one or two sentences"'
WORDS = {"yes": 1.0, "no": 0.0}


@runtime_checkable
class Form(Protocol):
    """A kind of question to a judge.

    Attributes:
        low, high: the range of its verdicts.
        votes: how often it asks the same.
        logprobs: how many alternatives per token it has to see; 0 for none.
    """

    low: float
    high: float
    votes: Votes
    logprobs: int

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The verdict on one item.

        Args:
            ask: sends messages, so many times, and returns what came.
            material: the values that the judge sees, by label.
        """
        ...


@dataclass(frozen=True)
class Scored:
    """A score on a scale, brought to [0, 1]: (score - lowest) / (highest - lowest).

    A score outside the scale is no verdict; it is not pulled in.

    Attributes:
        task: what is judged, and by what.
        lowest, highest: the scale that the judge is told.
        votes: how often it is asked; by default one vote. `Votes(3, Average())` takes the mean of three.

    Example:
        >>> Scored("You judge proofs by the rubric.", highest=10).low
        0.0

    References:
        Curing Miracle Steps in LLM Mathematical Reasoning with Rubric Rewards (a score of 0 to 10 by a rubric).
    """

    task: str
    lowest: Real = 0.0
    highest: Real = 10.0
    votes: Votes = field(default_factory=Votes)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise RecordError(
                f"Scored: the scale is {self.lowest} to {self.highest}; it must rise; exchange lowest and highest"
            )

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The score, with the first reason as a fact."""
        scale = f"{self.lowest:g} (worst) to {self.highest:g} (best)"
        question = prompt(self.task, material, f"Give a score from {scale}.", {"reason": REASON, "score": "a number"})
        fields = {"reason": words, "score": number(self.lowest, self.highest)}
        got = await poll(ask, question, self.votes, lambda reply: read(reply.text, question.code, fields))
        values = [(vote["score"] - self.lowest) / (self.highest - self.lowest) for vote in got.votes]
        return self.votes.settle(got, values, self.low, self.high, **_reason(got.votes))


@dataclass(frozen=True)
class Mark:
    """One thing that is said yes or no to.

    Attributes:
        name: letters, digits and `_`; the key of the answer and the name of the fact.
        question: what is asked.
    """

    name: str
    question: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name in ("code", "step", "reason"):
            raise RecordError(f"Mark: the name is {self.name!r}; letters, digits and _ are needed; choose another")


@dataclass(frozen=True)
class Staged:
    """Yes-or-no questions in one call, in order, each with its reason before the answer: 1 or 0 by the last.

    The judge has to commit itself on what comes first (is it faithful to the documents?) before it says what
    hangs on it (is it correct?). "unknown" is allowed and is no vote.

    Attributes:
        task: what is judged, and by what.
        marks: the questions; the last is the verdict, the others are facts under their names.
        votes: how the votes on each are put together.

    Example:
        >>> staged = Staged("You check answers against documents.", (
        ...     Mark("faithful", "Do the documents support the answer?"), Mark("correct", "Is the answer true?")))
        >>> [mark.name for mark in staged.marks]
        ['faithful', 'correct']

    References:
        From Faithfulness to Correctness: Generative Reward Models that Think Critically, 2025, arXiv:2509.25409
        (TRM). Per sentence or per step it is `StepMarks` with the same marks.
    """

    task: str
    marks: tuple[Mark, ...]
    votes: Votes = field(default_factory=Votes)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not self.marks or len({mark.name for mark in self.marks}) != len(self.marks):
            raise RecordError("Staged: no marks, or two of one name; each needs a name of its own; rename one")

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The last mark, the others as facts."""
        answer, fields, said = {}, {}, []
        for i, mark in enumerate(self.marks, 1):
            answer |= {f"{mark.name}_reason": REASON, mark.name: '"yes", "no" or "unknown"'}
            fields |= {f"{mark.name}_reason": words, mark.name: one_of("yes", "no", "unknown")}
            said.append(f"{i}. {mark.name}: {mark.question}")
        question = prompt(self.task, material, "Answer in this order:\n" + "\n".join(said), answer)
        got = await poll(ask, question, self.votes, lambda reply: read(reply.text, question.code, fields))
        last, facts = self.marks[-1].name, {}
        for mark in self.marks[:-1]:
            known = [WORDS[vote[mark.name]] for vote in got.votes if vote[mark.name] in WORDS]
            facts[mark.name] = self.votes.say(known) if len(known) >= max(self.votes.enough, 1) else None
        known = [WORDS[vote[last]] for vote in got.votes if vote[last] in WORDS]
        unknown = ("the judge says that it does not know",) * (len(got.votes) - len(known))
        spoke = type(got)(tuple(known), got.causes + unknown, got.cost)
        return self.votes.settle(spoke, known, self.low, self.high, **facts, **_reason(got.votes, f"{last}_reason"))


def yes_no(task: str, question: str = "Is it right?", votes: Votes | None = None) -> Staged:
    """One yes-or-no question: 1 for yes, 0 for no; unscored where the judge says that it does not know.

    Example:
        >>> yes_no("You judge sums.").marks[0].question
        'Is it right?'
    """
    return Staged(task, (Mark("verdict", question),), votes or Votes())


@dataclass(frozen=True)
class Soft:
    """The probability of yes, from the log-probabilities of the judge's first word.

        score = P(yes) / (P(yes) + P(no))

    P(yes) is the sum over the alternatives of the first token that is not blank which read "yes" once case,
    blanks and marks around them are taken off. Unscored where the endpoint gives no
    log-probabilities, or where P(yes) + P(no) is below `mass`: the judge was about to say something else.

    Attributes:
        task, question: what is judged and what is asked.
        mass: how much of the first word has to be yes or no.
        logprobs: alternatives asked for; endpoints give 20 at most, often fewer.

    Elsewhere: the paper takes P(yes) for a yes, 1 - P(no) for a no and 0 for anything else; with no other
    word possible that is the same number. An over-confident judge is as good as a hard one: calibrate it first.

    References:
        Expanding RL with Verifiable Rewards Across Diverse Domains, 2025, arXiv:2503.23829.
    """

    task: str
    question: str = "Is it right?"
    mass: Real = 0.5
    logprobs: int = 10
    votes: Votes = field(default_factory=Votes, init=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The probability of yes, with `mass` as a fact."""
        asked = plain_prompt(self.task, material, f"{self.question} Answer with one word, yes or no, and nothing else.")
        got = await poll(ask, asked, Votes(), self._weigh)
        if not got.votes:
            return Verdict.unscored(got.causes[0], **got.cost)
        yes, no = got.votes[0]
        if yes + no < max(self.mass, 1e-12):
            return Verdict.unscored(
                f"the judge's first word is yes or no with a probability of {yes + no:.3g}; {self.mass:g} is needed",
                mass=yes + no, **got.cost,
            )  # fmt: skip
        return Verdict.score(yes / (yes + no), mass=min(yes + no, 1.0), **got.cost)

    def _weigh(self, reply: Reply) -> tuple[float, float]:
        if not reply.logprobs:
            raise Malformed("log-probabilities were asked for and did not come")
        first = next((tops for tops in reply.logprobs if max(tops, key=lambda top: top[1])[0].strip()), ())
        sums = {"yes": 0.0, "no": 0.0}
        for text, logprob in first:
            word = text.strip(" \n\t\"'`*.,▁Ġ").casefold()
            if word in sums:
                sums[word] += math.exp(logprob)
        return sums["yes"], sums["no"]


def mean_score(task: str, n: int, lowest: Real = 0.0, highest: Real = 10.0) -> Scored:
    """The mean of `n` scores.

    Example:
        >>> mean_score("You judge essays.", 4).votes.n
        4
    """
    return Scored(task, lowest, highest, Votes(n, Average()))


def _reason(votes: tuple, key: str = "reason") -> dict[str, str]:
    return {"reason": votes[0][key]} if votes else {}
