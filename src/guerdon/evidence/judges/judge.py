"""An observer that asks a judge about each item of a batch, and leaves what it says as facts."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from guerdon.batch import Batch, Level
from guerdon.errors import LevelError, PolicyError, RecordError
from guerdon.evidence.grading import check_reads, rows_of, with_verdicts
from guerdon.evidence.judges.client import Client, Endpoint, NoReply, Reply, Sampling
from guerdon.evidence.judges.forms import Form
from guerdon.evidence.judges.loop import apart
from guerdon.evidence.observer import Cost, check_name
from guerdon.evidence.use import Memory, Progress, cache_in_use, progress_in_use
from guerdon.records import Verdict

WORDING = "2"  # of what judges are told; another wording is another judge (a test holds the two together)


@dataclass(frozen=True)
class Steps:
    """In `reads`: the texts of all steps of a play, in order, under the name of the column.

    Example:
        >>> Steps("observation").column
        'observation'
    """

    column: str = "action"


@dataclass(frozen=True)
class Judge:
    """Asks a judge about each item of a level.

    The column `name` holds its verdict; facts of every form: `calls`, `tokens_in`, `tokens_out` (of when it was
    asked, also where the verdict was remembered), and of most `votes`, `agreement`, `reason`. An item about which
    the judge cannot be asked, does not answer in time, or answers out of form, is unscored with the cause.

    Attributes:
        endpoint: where the judge is.
        form: what it is asked: `Scored`, `Staged`, `Soft`, `Rubric`, `Pair`, `FirstError`, `StepMarks`, ...
        reads: what it sees, under these labels: columns, and `Steps(column)` for every step of a play. It sees
            nothing else.
        said: the label of the candidate's own text.
        largest: characters of that text; a longer one scores the lowest, with `why`, and is not sent.
        sampling: how its answer is drawn. Several votes need a temperature above 0.
        cache: remembers verdicts; None for the one in use (`using(cache=)`). Unscored ones are never remembered.

    Raises:
        PolicyError: several votes at temperature 0 would be one vote, paid several times.
        RecordError: the endpoint or the form is a text; `reads` is one text, and not a list of them.

    Example:
        >>> from guerdon.evidence.judges import yes_no
        >>> judge = Judge("right", Endpoint("http://127.0.0.1:8000/v1", "judge"), yes_no("You judge sums."))
        >>> judge.low, judge.high, judge.level, judge.cost
        (0.0, 1.0, 'trajectory', 'minutes')
    """

    name: str
    endpoint: Endpoint
    form: Form
    reads: tuple[str | Steps, ...] = ("prompt", "action")
    level: Level = "trajectory"
    said: str = "action"
    largest: int = 400_000
    sampling: Sampling = field(default_factory=Sampling)
    cache: Memory | None = field(default=None, compare=False, repr=False)
    cost: Cost = field(default="minutes", init=False)

    def __post_init__(self) -> None:
        check_name(self.name, "Judge")
        check_reads(self.reads, "Judge")
        for what, given, kind, way in (
            ("endpoint", self.endpoint, Endpoint, 'Endpoint("http://HOST:PORT/v1", "MODEL")'),
            ("form", self.form, Form, 'yes_no("You judge ...") or Rubric("You judge ..."); see docs/judges.md'),
        ):
            if isinstance(given, type) or not isinstance(given, kind):
                raise RecordError(f"Judge: {what} is {given!r}; the {what} itself is needed; write {way}")
        if self.form.votes.n > 1 and self.sampling.temperature == 0:
            raise PolicyError(
                f"Judge: {self.name!r} asks for {self.form.votes.n} votes at temperature 0; they would be one vote; "
                "give it sampling=Sampling(temperature=0.7), or one vote"
            )
        if self.level != "trajectory" and any(isinstance(read, Steps) for read in self.reads):
            raise LevelError(
                f"Judge: {self.name!r} reads all steps of a play for each {self.level}; Steps() belongs to trajectory "
                "level; use step_judge for verdicts per step"
            )

    @property
    def low(self) -> float:
        """The lowest verdict."""
        return self.form.low

    @property
    def high(self) -> float:
        """The highest verdict."""
        return self.form.high

    @property
    def version(self) -> str:
        """Wording, form, model and sampling; not the address, so that a judge may move."""
        labels = [read.column if isinstance(read, Steps) else read for read in self.reads]
        return fingerprint(WORDING, self.form, self.endpoint.model, self.sampling, labels, self.largest)

    def observe(self, batch: Batch) -> Batch:
        """The batch with the verdicts on."""
        return with_verdicts(batch, self.name, self.level, self.verdicts(batch))

    def verdicts(self, batch: Batch) -> list[Verdict]:
        """The verdict on each item, in order."""
        names = [read for read in self.reads if isinstance(read, str)]
        rows, standing = rows_of(batch, names, self.level, self.name)
        materials = [dict(zip(names, row, strict=True)) for row in rows]
        for read in self.reads:
            if isinstance(read, Steps):
                for i, texts in enumerate(steps_of(batch, read.column, self.name)):
                    materials[i][read.column] = texts
                    if standing[i] is None and None in texts:
                        standing[i] = Verdict.unscored(f"{read.column} is missing at step {texts.index(None)}")
        asked = [i for i, verdict in enumerate(standing) if verdict is None]
        for i, verdict in zip(asked, self.judged([materials[i] for i in asked]), strict=True):
            standing[i] = verdict
        return standing

    def judged(self, materials: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        """The verdict on each material, from what is remembered or from the judge; equal ones are asked about once.

        It runs on an event loop of its own, so it can be called where one is running already.

        Args:
            materials: per item, the values by label.
        """
        keys = [fingerprint(self.name, self.version, material) for material in materials]
        known: dict[str, Verdict] = {}
        todo: dict[str, Mapping] = {}
        for key, material in zip(keys, materials, strict=True):
            if _length(material.get(self.said)) > self.largest:
                known[key] = Verdict.score(self.low, self.low, self.high, why=f"longer than {self.largest} characters")
            else:
                todo[key] = material
        cache = cache_in_use() if self.cache is None else self.cache
        if cache is not None:
            known |= cache.get(list(todo))
        new: dict[str, Verdict] = {}
        missing = {key: material for key, material in todo.items() if key not in known}
        try:
            if missing:
                progress = progress_in_use()  # of this thread; the loop has its own
                apart(lambda: self._ask_about(missing, new, progress))
        finally:  # what was paid for is kept, also when the rest is interrupted
            if cache is not None:
                cache.put({key: verdict for key, verdict in new.items() if verdict.scored})
        return [known[key] if key in known else new[key] for key in keys]

    async def _ask_about(
        self, materials: Mapping[str, Mapping], out: dict[str, Verdict], progress: Progress | None
    ) -> None:
        sampling = replace(self.sampling, logprobs=self.form.logprobs)
        waiting = iter(materials.items())
        async with Client(self.endpoint) as client:

            async def ask(messages: Sequence[Mapping], votes: int) -> list[Reply | NoReply]:
                return await client.ask(messages, sampling, votes)

            async def serve() -> None:
                for key, material in waiting:
                    try:
                        out[key] = await self.form.judge(ask, material)
                    except Exception as error:  # a form's own fault is no score
                        out[key] = Verdict.unscored(f"{type(error).__name__}: {error}")
                    if progress is not None:
                        progress(self.name, len(out), len(materials))

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.endpoint.at_once, len(materials))):
                    group.create_task(serve())


def steps_of(batch: Batch, column: str, who: str) -> list[list]:
    """The values of a step column, a list for each play; None where one is missing.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3, action=["a", "b", "c"])
        >>> steps_of(batch, "action", "judge")
        [['a', 'b'], ['c']]
    """
    batch.need([column], who)
    if batch[column].level != "step":
        raise LevelError(f"{who}: {column!r} is a {batch[column].level} column; Steps() reads a step column; name one")
    ends = np.cumsum(batch.counts("step"))
    values = batch[column].tolist()
    return [values[a:b] for a, b in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]


def fingerprint(*what: Any) -> str:
    """16 hexadecimal digits that stand for values: equal ones have equal digits in every process.

    Dataclasses count by their fields, functions by where they are defined.

    Example:
        >>> fingerprint(1, "a") == fingerprint(1, "a"), fingerprint(1) == fingerprint(1.5)
        (True, False)
    """
    return hashlib.blake2b(json.dumps(_plain(what)).encode(), digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {"type": f"{type(value).__module__}.{type(value).__qualname__}", **held}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Callable) and not isinstance(value, type):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _length(said: Any) -> int:
    return sum(map(len, map(str, said))) if isinstance(said, list | tuple) else len(str(said or ""))
