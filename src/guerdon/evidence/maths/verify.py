"""Is an answer equal to a reference? Total: any two texts get a verdict, in bounded time, from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guerdon.batch import Batch, Level
from guerdon.errors import RecordError
from guerdon.evidence.grading import remembered, rows_of, with_verdicts
from guerdon.evidence.maths.checked import Checker
from guerdon.evidence.maths.exact import Decision, decide, meant
from guerdon.evidence.maths.extract import SPAN, Said, boxes, cut_off, extract, undressed
from guerdon.evidence.maths.guard import too_large
from guerdon.evidence.maths.words import is_text
from guerdon.evidence.observer import Cost
from guerdon.evidence.use import workers_in_use
from guerdon.records import Verdict

DEADLINE = 1.0
Ask = tuple[str, str, bool]  # what was said, the reference, and whether it is known to be good
NOTHING = ("", "", False)
UNSEEN = {0: "\ufffd", **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD), None)}


def equal(
    answer: str, reference: str, *, digits: int = 6, last_number: bool = False, deadline: float = DEADLINE
) -> Verdict:
    """Whether what a candidate said answers with what the reference says.

    First the answer is extracted (`extract`), then rules of our own decide in this process where they can;
    the rest is asked of math-verify in a worker that is killed at the deadline. See docs/maths.md for
    every rule. No text makes it hang, crash or raise, on any thread.

    Args:
        answer: all that was said.
        reference: the answer alone, in LaTeX or plain, with or without dollars; or a solution with a
            `\\boxed{}` or `####`.
        digits: significant figures from which on a decimal may stand for the number it was rounded from.
        last_number: whether the last number of the text counts where no answer is stated.
        deadline: seconds for the worker, from when it begins.

    Returns:
        1 or 0; a `why` fact with every 0. Facts: `path` ("exact" or "checked"), `extracted`,
        `why`; of the quick path also `rule`.
        0 also for what the candidate did under the stated limits: no answer, an answer too large.
        Unscored: the reference is empty, too large or unreadable; the checker missed its deadline;
        math-verify is needed and not installed.

    Example:
        >>> equal(r"The answer is \\boxed{\\frac{1}{2}}.", "0.5").value
        1.0
        >>> equal("1 2 3 4 5 6 7", "7").value, equal(r"\\boxed{9^{9^{9^{9}}}}", "7").facts["why"]
        (0.0, 'the answer is too large: a power has more figures than the checker takes')
        >>> equal("4", "").cause
        'the reference is empty'

    Elsewhere: `math_verify.verify` gives False for a timeout, and uses SIGALRM of the main thread, or no limit at all.
    """
    verdict, ask = _first(answer, reference, digits, last_number)
    if verdict is not None:
        return verdict
    try:
        found = workers_in_use().run(Checker(), [ask], deadline)[0]
    except Exception as error:  # no worker could be had: that is no fault of the answer
        found = Verdict.unscored(f"the checker could not be asked: {error}")
    return _with(found, ask[0])


def check_reference(reference: str) -> str:
    """Why a reference cannot be verified against; "" for a good one.

    A good reference can be read, within the size limits, and is equal to itself.

    Example:
        >>> check_reference(r"\\frac{1}{2}"), check_reference(" "), check_reference(r"\\frac{1}{")
        ('', 'the reference is empty', 'the reference could not be read')
    """
    text = reference_text(_sound(reference))
    if not text:
        return "the reference is empty"
    large = too_large(text)
    if large:
        return f"the reference is too large: {large}"
    verdict, ask = _compared(text, text, 6)
    if verdict is None or not (is_text(text) or not isinstance(meant(text)[0], str)):
        ask = (text, text, False)
        try:
            verdict = workers_in_use().run(Checker(), [ask], 5.0)[0]
        except Exception as error:
            return f"the checker could not be asked: {error}"
    if not verdict.scored:
        return verdict.cause or ""
    return "" if verdict.value == 1.0 else "the reference does not verify against itself"


def check_references(references: Iterable[str]) -> None:
    """Refuses references that cannot be verified against; for when a data set is loaded.

    Raises:
        RecordError: some are bad; the sentence names the first ten rows, counted from 0, and what is wrong.

    Example:
        >>> check_references(["1/2", r"\\sqrt{2}"])
    """
    bad = [(row, why) for row, reference in enumerate(references) if (why := check_reference(reference))]
    if bad:
        shown = "; ".join(f"row {row}: {why}" for row, why in bad[:10])
        raise RecordError(
            f"check_references: {len(bad)} references cannot be verified against ({shown}"
            f"{'; and more' if len(bad) > 10 else ''}); each must be readable and equal to itself; "
            "mend or drop those rows"
        )


@dataclass(frozen=True)
class Maths:
    """The observer that `maths` makes: quick rules in this process for the whole batch, workers for the rest.

    Attributes:
        digits, last_number: as in `equal`.
        deadline: seconds for one item on the workers in use.
    """

    name: str = "maths"
    reads: tuple[str, ...] = ("action", "reference")
    level: Level = "trajectory"
    digits: int = 6
    last_number: bool = False
    deadline: float = 2.0
    low: float = 0.0
    high: float = 1.0
    version: str = "3"
    cost: Cost = "seconds"

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name`, its cause and its facts on it."""
        rows, verdicts = rows_of(batch, self.reads, self.level, self.name)
        at = [i for i, verdict in enumerate(verdicts) if verdict is None]
        workers, checker = workers_in_use(), Checker()

        def ask(some: list[tuple]) -> list[Verdict]:
            return workers.run(checker, some, self.deadline)

        found = _all([rows[i] for i in at], self.digits, self.last_number, lambda a: remembered(self, checker, a, ask))
        for i, verdict in zip(at, found, strict=True):
            verdicts[i] = verdict
        return with_verdicts(batch, self.name, self.level, verdicts)


def maths(
    name: str = "maths", reference: str = "reference", action: str = "action", *, digits: int = 6,
    last_number: bool = False, deadline: float = 2.0,
) -> Maths:  # fmt: skip
    """An observer: 1 where the last action answers with what the reference says, else 0; as `equal`, over a batch.

    Args:
        reference: a column of references, one for each trajectory.
        action: a step column of text; the last action of a play counts.

    Example:
        >>> from guerdon.batch import Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["#### 0.5", "$2$"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["1/2", "1/2"]))
        >>> maths().observe(batch)["maths"].values
        array([1., 0.])
    """
    return Maths(name, (action, reference), digits=digits, last_number=last_number, deadline=deadline)


def equal_all(
    pairs: Iterable[tuple[str, str]], *, digits: int = 6, last_number: bool = False, deadline: float = DEADLINE
) -> list[Verdict]:
    """As `equal` for many pairs of answer and reference: the quick ones here, the others on all workers at once.

    Example:
        >>> [v.value for v in equal_all([("1/2", "0.5"), ("2", "3")])]
        [1.0, 0.0]
    """
    workers, checker = workers_in_use(), Checker()
    return _all(list(pairs), digits, last_number, lambda asks: workers.run(checker, asks, deadline))


def _all(
    pairs: Sequence[tuple[str, str]], digits: int, last_number: bool, ask: Callable[[list[tuple]], list[Verdict]]
) -> list[Verdict]:
    firsts = [_first(answer, reference, digits, last_number) for answer, reference in pairs]
    asks = [wanted for verdict, wanted in firsts if verdict is None]
    found = iter(ask(asks) if asks else ())
    return [_with(next(found), wanted[0]) if verdict is None else verdict for verdict, wanted in firsts]


@lru_cache(maxsize=4096)
def reference_text(reference: str) -> str:
    """The answer in a reference: the last box, what follows `####`, or all of it, without dollars.

    Example:
        >>> reference_text("$x=5$"), reference_text("3*4 = 12\\n#### 12"), reference_text(r"$19$ and $82$")
        ('x=5', '12', '19 and 82')
    """
    text = reference.strip()
    if not text.strip("$ "):
        return ""
    if "boxed" in text and boxes(text):
        return extract(text).text
    if "####" in text:
        text = text.rpartition("####")[2]
    text = undressed(text)
    return SPAN.sub(lambda m: next(part for part in m.groups() if part is not None), text).strip()


def _first(answer: str, reference: str, digits: int, last_number: bool) -> tuple[Verdict | None, Ask]:
    """A verdict where the quick path has one; else None, and what the checker is to be asked."""
    try:
        if answer is None or reference is None:
            return Verdict.unscored(f"the {'answer' if answer is None else 'reference'} is missing"), NOTHING
        if reference != reference:
            return Verdict.unscored("the reference is not a number"), NOTHING
        answer, reference = _sound(answer), _sound(reference)
        if not reference.strip():
            return Verdict.unscored("the reference is empty"), NOTHING
        if len(reference) > 5_000:
            return Verdict.unscored(f"the reference is too large: it has {len(reference)} characters"), NOTHING
        said = Said(reference_text(answer), "whole") if answer == reference else extract(answer, last_number)
        if not said.text.strip():
            why = "no answer was stated" + (": a thought was opened and not closed" if cut_off(answer) else "")
            return Verdict.score(0.0, path="exact", extracted="", rule=said.rule, why=why), NOTHING
        verdict, ask = _compared(said.text, reference, digits)
        if verdict is not None:
            facts = {**verdict.facts, "rule": said.rule, "extracted": said.text[:500]}
            verdict = Verdict(verdict.value, verdict.cause, facts=facts)
        return verdict, ask
    except Exception as error:  # total: a fault of the verifier's own is no score
        return Verdict.unscored(f"the verifier failed: {type(error).__name__}: {error}"), NOTHING


def _compared(said: str, reference: str, digits: int) -> tuple[Verdict | None, Ask]:
    wanted = reference_text(reference)
    if not wanted:
        return Verdict.unscored("the reference is empty"), NOTHING
    if len(said) > 2_000:
        why = f"the answer is too large: {too_large(said)}"
        return Verdict.score(0.0, path="exact", why=why), NOTHING
    if len(wanted) > 2_000:
        return Verdict.unscored(f"the reference is too large: {too_large(wanted)}"), NOTHING
    decision = decide(said, wanted, digits)
    if decision.equal is not None:
        why = decision.why and f"the answer is {'too large' if decision.fault == 'answer' else 'wrong'}: {decision.why}"
        return Verdict.score(float(decision.equal), path="exact", why=why or _why(decision)), NOTHING
    if decision.fault == "reference":
        return Verdict.unscored(f"the reference {decision.why}"), NOTHING
    large = too_large(said)
    if large:
        return Verdict.score(0.0, path="exact", why=f"the answer is too large: {large}"), NOTHING
    return None, (said, wanted, not isinstance(meant(wanted)[0], str))


def _why(decision: Decision) -> str:
    return "equal" if decision.equal else "not equal"


def _with(verdict: Verdict, extracted: str) -> Verdict:
    facts = {"path": "checked", **verdict.facts, "extracted": extracted[:500]}
    return Verdict(verdict.value, verdict.cause, facts=facts)


def _sound(text: object) -> str:
    """A text without what cannot be written down: surrogates and the sign of nothing."""
    given = text if isinstance(text, str) else _text(text)
    if len(given) > 1_000_000:
        given = given[-1_000_000:]
    return given.encode("utf-8", "replace").decode().translate(UNSEEN)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, int) and value.bit_length() > 14_000:  # more figures than Python writes out
        return "9" * 3_000  # which is too large as well
    return str(value)


__all__ = ["Maths", "check_reference", "check_references", "equal", "equal_all", "maths", "reference_text"]
