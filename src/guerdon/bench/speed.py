"""`guerdon bench speed`: our credit beside verl's, beside `np.unique`, and beside a plain copy.

Both sides get the same plays in the form that they work on: verl padded (B, T) tensors, Guerdon flat
columns. Both get a uid (text) per play and turn it into groups each time; both give one advantage a
token; nobody whitens. What a batch and its columns find out once and keep (how long plays are, whether
all their tokens were sampled) is known when the clock starts beside verl; in the rows from columns to
tokens it is found anew each time. One thread each, and its processor time, so that what else the machine does is
not counted; repetitions in turn, and a ratio for each.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.plays import GROUP, Plays, plays
from guerdon.credit import Credit, Others, Std, centred, gae, next_values
from guerdon.credit.compare import LENGTH
from guerdon.errors import MissingExtraError
from guerdon.rewards import fact

Array = np.ndarray
GAMMA, LAM = 0.99, 0.95
STATES = 20_000  # distinct states of the anchored case
OUTCOME = fact("outcome")
CREDITS = {  # the same formulas as verl's functions of these names
    "grpo": centred(OUTCOME, scale=Std(1e-6)),
    "rloo": centred(OUTCOME, baseline=Others()),
    "opo": centred(OUTCOME, weight=LENGTH),
}


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: what was done.
        where: on which plays.
        beside: what it is compared with.
        ours, theirs: milliseconds, medians; megabytes for memory.
        ratio: the median over the repetitions of theirs / ours where `least`, else of ours / theirs.
        low, high: the smallest and the largest of these ratios.
        asked: what the ratio should be: at least this where `least`, else at most; None: nothing is asked.
        least: which way.
        apart: the largest difference between the two results, where they should be equal.
    """

    what: str
    where: str
    beside: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    asked: float | None
    least: bool
    apart: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether what is asked is so; None where nothing is."""
        if self.asked is None:
            return None
        return self.ratio >= self.asked if self.least else self.ratio <= self.asked

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True)
class Sizes:
    """How large the cases are; `SMALL` is for a look and for tests, and proves nothing."""

    tokens: tuple[int, int] = (1024, 4096)  # (a): plays, and their greatest length
    turns: tuple[int, int] = (16384, 50)  # (b): plays, and their turns of one token
    steps: tuple[int, int] = (1_000_000, 10_000_000)  # between these, time should grow as the steps do
    repeats: int = 9


FULL = Sizes()
SMALL = Sizes((64, 512), (512, 50), (20_000, 200_000), 3)


def advantages(batch: Batch, credit: Credit, uid: Array | Sequence[str]) -> Column:
    """One advantage a token, from plays that say in text which prompt they are of."""
    batch = batch.grouped(uid)
    return batch.lift(credit(batch), "token")


def measure(sizes: Sizes = FULL, watch: Callable[[str], None] = lambda what: None) -> list[Row]:
    """Every figure, in a minute or two.

    Args:
        watch: told what is measured next.

    Raises:
        MissingExtraError: verl is not installed.
    """
    a, b = sizes.tokens, sizes.turns
    rng = np.random.default_rng(0)
    long = rng.integers(1, a[1] + 1, a[0])
    rows = []
    with peer() as verl:
        for name, length, turns, floor in (("a", long, False, 15.0), ("b", np.full(b[0], b[1]), True, 100.0)):
            for mixed in (False, True):
                case = plays(f"({name}) uids mixed" if mixed else f"({name})", length, turns, mixed=mixed)
                watch(f"beside verl {case.name}")
                rows += _beside_verl(case, verl, floor if not mixed else None, sizes.repeats)
        for name, length, floor in (("a", long, 15.0), ("b", np.full(b[0], b[1]), 3.0)):
            watch(f"gae ({name})")
            rows += _gae(plays(f"({name})", length, True), verl, floor, sizes.repeats)
    for name, length, turns in (("a", long, False), ("b", np.full(b[0], b[1]), True)):
        watch(f"end to end ({name})")
        rows += _end_to_end(plays(f"({name})", length, turns), sizes.repeats)
    steps = b[0] * b[1]
    for states in (STATES, steps):
        watch(f"anchors, {states} states")
        rows.append(_anchored(steps, states, b[1], sizes.repeats))
    watch("growth")
    rows += _growth(sizes.steps, b[1])
    watch("memory")
    rows += _memory(plays("(a)", long, False), plays("(b)", np.full(b[0], b[1]), True), b[1])
    return rows if sizes == FULL else [replace(row, asked=None) for row in rows]


# Beside verl.


@contextmanager
def peer() -> Iterator[Any]:
    """verl's module of advantages, on one thread, its whitening of GAE taken out.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import torch
        from verl.trainer.ppo import core_algos
    except ImportError as error:
        raise MissingExtraError(
            f"bench speed: verl cannot be imported ({error}); it is what the figures stand beside; "
            "install it with pip install 'guerdon[verl]'"
        ) from error
    threads, whiten = torch.get_num_threads(), core_algos.verl_F.masked_whiten
    torch.set_num_threads(1)
    core_algos.verl_F.masked_whiten = lambda values, mask, shift_mean=True: values
    try:
        yield core_algos
    finally:
        core_algos.verl_F.masked_whiten = whiten
        torch.set_num_threads(threads)


def _beside_verl(case: Plays, verl: Any, floor: float | None, repeats: int) -> list[Row]:
    import torch

    mask = case.mask()
    reward = torch.from_numpy(case.padded()[0])
    rows = []
    kinds = (torch.int64, torch.float32) if floor else (torch.int64,)  # verl's own masks are int64
    for kind in kinds:
        tensor = torch.from_numpy(mask).to(kind)
        where = case.name if kind == torch.int64 else f"{case.name} float mask"
        for name, credit in CREDITS.items():
            for theirs in (name, f"{name}_vectorized"):
                if theirs == "opo_vectorized":
                    continue  # verl has none
                their = verl.get_adv_estimator_fn(theirs)
                ours, other = _run(
                    lambda credit=credit: advantages(case.batch, credit, case.uid),
                    lambda their=their, tensor=tensor: their(reward, tensor, case.uid)[0],
                    repeats,
                )
                least = 1.0 if theirs != name else floor if kind == torch.int64 else None
                apart = np.abs(ours[1].values - other[1].numpy()[mask]).max()
                rows.append(_row(name, where, f"verl {theirs}", ours[0], other[0], least, True, apart))
    return rows


def _gae(case: Plays, verl: Any, floor: float, repeats: int) -> list[Row]:
    import torch

    owner, mask = case.play_of_token, case.mask()
    tensor = torch.from_numpy(mask).to(torch.int64)

    def ours() -> Array:
        return gae(case.reward, case.value, next_values(case.value, owner), owner, GAMMA, LAM)

    def theirs(reward: Array, value: Array) -> Any:
        return verl.compute_gae_advantage_return(torch.from_numpy(reward), torch.from_numpy(value), tensor, GAMMA, LAM)[
            0
        ]

    ready = case.padded()
    rows = []
    for beside, call, least in (
        ("verl gae, padding", lambda: theirs(*case.padded()), floor),
        ("verl gae, padded before", lambda: theirs(*ready), None),
    ):
        our, other = _run(ours, call, max(repeats // 2, 3))
        apart = np.abs(our[1] - other[1].numpy()[mask]).max()
        rows.append(_row("gae", case.name, beside, our[0], other[0], least, True, apart))
    return rows


# Beside numpy.


def _end_to_end(case: Plays, repeats: int) -> list[Row]:
    """From the columns themselves, with a new Batch each time, to an advantage a token."""
    token, step = case.batch.step_of_token, case.batch.trajectory_of_step
    sampled = case.batch["sampled"]
    rows = []
    for name, credit in CREDITS.items():

        def ours(credit: Credit = credit) -> Column:
            # Columns too are new: they find out once whether every value is there, and true.
            known = Column("token", sampled.values, sampled.valid)
            columns = {"outcome": Column.of("trajectory", case.score), "sampled": known}
            batch = Batch(token, step, segments.number(case.uid), columns)
            return batch.lift(credit(batch), "token")

        written = ours()
        read = (token, step, case.uid, case.score)
        read = (*read, sampled.values, sampled.valid) if name == "opo" else read
        arrays = (*read, written.values, written.valid)
        our, copy = _run(ours, lambda arrays=arrays: [a.copy() for a in arrays], repeats)
        rows.append(_row(f"{name}, columns to tokens", case.name, "copying them", our[0], copy[0], 4.0, False))
    return rows


def anchored(steps: int, states: int, turns: int, seed: int = 0) -> Batch:
    """Plays whose steps stand in random states, with hashed state keys and a float32 reward."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(-(2**63), 2**63 - 1, states)
    trajectory = np.arange(steps) // turns
    return Batch.from_steps(
        group=trajectory // GROUP,
        trajectory=trajectory,
        reward=rng.random(steps).astype(np.float32),
        state=pool[rng.integers(0, states, steps)],
    )


ANCHORED = centred(fact("reward"), by=("prompt", "state"))


def _anchored(steps: int, states: int, turns: int, repeats: int) -> Row:
    batch = anchored(steps, states, turns)
    keys = batch["state"].values
    ours, unique = _run(lambda: ANCHORED(batch), lambda: np.unique(keys, return_inverse=True), repeats)
    where = f"{steps:,} steps, {states:,} states"
    return _row("centred by prompt, state", where, "np.unique with inverse", ours[0], unique[0], 3.0, False)


def _growth(steps: tuple[int, int], turns: int) -> list[Row]:
    """Time a step at the larger size over time a step at the smaller."""
    cases = {
        "grpo to tokens": lambda batch: batch.lift(CREDITS["grpo"](batch), "token"),
        "gae": lambda batch: _gae_of(batch, batch.trajectory_of_step),
        "gae, one play": lambda batch: _gae_of(batch, np.zeros(batch.size("step"), np.int64)),
        "centred by prompt, state": ANCHORED,
    }
    batches = [anchored(n, max(n // 40, 1), turns) for n in steps]
    rows = []
    for name, call in cases.items():
        small, large = _run(lambda call=call: call(batches[0]), lambda call=call: call(batches[1]), 3)
        each = [t / n for t, n in zip((small[0], large[0]), steps, strict=True)]
        where = f"{steps[1]:,} steps"
        rows.append(_row(f"{name}, a step", where, f"a step of {steps[0]:,}", each[1], each[0], 2.0, False))
    return rows


def _gae_of(batch: Batch, owner: Array) -> Array:
    value = batch["reward"].values
    return gae(value, value, next_values(value, owner), owner, GAMMA, LAM)


def _memory(a: Plays, b: Plays, turns: int) -> list[Row]:
    """The batch and all that is made on the way to token advantages, in batches."""
    rows = []
    for case in (a, b):
        for name, credit in CREDITS.items():
            rows.append(_peak(name, case.name, case.batch, lambda c=case, k=credit: advantages(c.batch, k, c.uid)))
    steps = b.batch.size("step")
    batch = anchored(steps, min(STATES, steps), turns)
    where = f"{steps:,} steps"
    rows.append(_peak("centred by prompt, state", where, batch, lambda: ANCHORED(batch)))
    rows.append(_peak("gae", where, batch, lambda: _gae_of(batch, batch.trajectory_of_step)))
    return rows


def _peak(name: str, where: str, batch: Batch, call: Callable[[], Any]) -> Row:
    own = size_of(batch)
    call()
    tracemalloc.start()
    try:
        result = call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del result
    ratio = (own + peak) / own
    return Row(
        f"{name}, peak memory", where, "the batch", (own + peak) / 1e6, own / 1e6, ratio, ratio, ratio, 3.0, False
    )


def size_of(batch: Batch) -> int:
    """The bytes of a batch's arrays."""
    columns = batch.columns.values()
    parents = (batch.step_of_token, batch.trajectory_of_step, batch.group_of_trajectory)
    return sum(a.nbytes for a in (*parents, *(c.values for c in columns), *(c.valid for c in columns)))


# Timing, and the table.


def _run(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> tuple[tuple[Array, Any], ...]:
    """Processor seconds of each repetition and the last result, of both, in turn; the first does not count."""
    calls = (ours, theirs)
    results = [call() for call in calls]
    seconds = np.empty((2, repeats))
    for k in range(repeats):
        for i, call in enumerate(calls):
            results[i] = None  # freed before the clock starts
            began = time.thread_time()
            results[i] = call()
            seconds[i, k] = time.thread_time() - began
    return tuple((seconds[i], results[i]) for i in range(2))


def _row(
    what: str, where: str, beside: str, ours: Array, theirs: Array, asked: float | None, least: bool,
    apart: float | None = None,
) -> Row:  # fmt: skip
    ratio = theirs / ours if least else ours / theirs
    return Row(
        what, where, beside, 1e3 * float(np.median(ours)), 1e3 * float(np.median(theirs)),
        float(np.median(ratio)), float(ratio.min()), float(ratio.max()), asked, least,
        None if apart is None else float(apart),
    )  # fmt: skip


HEADS = ("what", "where", "beside", "ours", "theirs", "ratio", "range", "asked", "holds")


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The rows as text, under `HEADS`.

    Example:
        >>> row = Row("gae", "(a)", "verl gae", 1.0, 20.0, 20.0, 18.0, 22.0, 15.0, True)
        >>> table([row])[0][5:]
        ('20.0x', '18.0-22.0', '>= 15', 'yes')
    """
    out = []
    for r in rows:
        asked = "-" if r.asked is None else f"{'>=' if r.least else '<='} {r.asked:g}"
        said = {True: "yes", False: "NO", None: "-"}[r.holds]
        unit = "MB" if "memory" in r.what else "ns" if ", a step" in r.what else "ms"
        scale = 1e6 if unit == "ns" else 1.0
        out.append(
            (r.what, r.where, r.beside, f"{r.ours * scale:.2f} {unit}", f"{r.theirs * scale:.2f} {unit}",
             f"{r.ratio:.1f}x", f"{r.low:.1f}-{r.high:.1f}", asked, said)
        )  # fmt: skip
    return out
