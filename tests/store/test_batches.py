"""A batch as a parquet file: what is written comes back exactly, and any tool reads the table."""

import time
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import LEVELS, Batch, Column
from guerdon.errors import ColumnError, RunFolderError
from guerdon.records import Ended, Step, Task, Trajectory
from guerdon.store import read_batch, write_batch

DTYPES = ["bool", "int8", "int32", "int64", "uint64", "float16", "float32", "float64"]


def assert_same_column(one: Column, other: Column, where: str) -> None:
    """The same level, type, validity, parts, and the same bits wherever there is a value."""
    assert one.level == other.level, where
    assert one.valid.tolist() == other.valid.tolist(), where
    if isinstance(one.values, pa.Array):
        assert one.values.type == other.values.type, where
        assert one.tolist() == other.tolist(), where
    else:
        assert (one.values.dtype, one.values.shape) == (other.values.dtype, other.values.shape), where
        assert one.values[one.valid].tobytes() == other.values[one.valid].tobytes(), where
    assert [name for name, _ in one.parts] == [name for name, _ in other.parts], where
    for (name, a), (_, b) in zip(one.parts, other.parts, strict=True):
        assert_same_column(a, b, f"{where}/{name}")


def assert_same_batch(one: Batch, other: Batch) -> None:
    for parents in ("step_of_token", "trajectory_of_step", "group_of_trajectory"):
        assert getattr(one, parents).tolist() == getattr(other, parents).tolist(), parents
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        assert_same_column(one[name], other[name], name)
    assert list(one.relations) == list(other.relations)
    for name, table in one.relations.items():
        assert table.equals(other.relations[name], check_metadata=True), name


def there_and_back(path, batch: Batch) -> Batch:
    write_batch(path, batch)
    return read_batch(path)


@st.composite
def columns(draw, rng, size: int, level: str, deep: int = 1):
    """A column of any type and shape, some entries not valid, perhaps with parts."""
    kind = draw(st.sampled_from([*DTYPES, "text", "coded", "words"]))
    valid = rng.random(size) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    if kind in ("text", "coded", "words"):
        words = [f"word {i}\n" * i for i in rng.integers(0, 4, size)]
        if kind == "words":
            values = np.array(words, "U64")
        else:
            values = pa.array([w if ok else None for w, ok in zip(words, valid, strict=True)], pa.string())
            values = values.dictionary_encode() if kind == "coded" else values
    else:
        shape = (size, *draw(st.sampled_from([(), (), (1,), (3,), (2, 2)])))
        dtype = np.dtype(kind)
        bits = rng.integers(0, 2**63, shape, dtype=np.int64)
        values = (rng.normal(size=shape) if dtype.kind == "f" else bits).astype(dtype)
    parts = []
    if deep:
        names = draw(st.lists(st.sampled_from(["a", "b", "c/d", "группа"]), max_size=2))
        parts = [(name, draw(columns(rng, size, level, deep - 1))) for name in names]
    return Column(level, values, valid, tuple(parts))


@st.composite
def batches(draw):
    """A batch with columns of any type at every level; trajectories without steps, steps without tokens."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.integers(0, 3))
    trajectories = draw(st.integers(groups, 5)) if groups else 0
    group = rng.permutation(np.append(np.arange(groups), rng.integers(0, max(groups, 1), trajectories - groups)))
    trajectory = np.repeat(np.arange(trajectories), rng.integers(0, 4, trajectories))
    step = np.repeat(np.arange(len(trajectory)), rng.integers(0, 4, len(trajectory)))
    batch = Batch(step, trajectory, group.astype(np.int64))
    names = draw(
        st.lists(
            st.sampled_from(["worth", "worth/a", "group", "tokens", "column/group", "x y", "état"]),
            unique=True,
            max_size=4,
        )
    )
    put = {}
    for name in names:
        level = draw(st.sampled_from(LEVELS))
        put[name] = draw(columns(rng, batch.size(level), level))
    return Batch(step, trajectory, batch.group_of_trajectory, put)


# Laws.


@given(batches())
def test_a_batch_comes_back_exactly(tmp_path_factory, batch):
    assert_same_batch(batch, there_and_back(tmp_path_factory.mktemp("batch") / "a.parquet", batch))


def test_the_check_above_can_fail():
    b = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    for other in ([np.float32(1.0)], [1.5], [None]):
        with pytest.raises(AssertionError):
            assert_same_batch(
                b, b.with_columns(reward=Column.of("step", np.array(other, type(other[0]) if other[0] else float)))
            )


def test_a_batch_of_records_comes_back(tmp_path):
    plays = [
        Trajectory(
            "p",
            Task("find", extra={"k": "v"}),
            (Step("o", "a", 1.0, "s", facts={"f": None}, tokens=(1, 2), logprobs=(-1.0,)),),
            1.0,
        ),
        Trajectory("p", steps=(Step("o", "b", tokens=()), Step("q", "a", 0.0, "s")), ended=Ended.failed(1, "hung")),
        Trajectory("q", ended=Ended.truncated("horizon")),
    ]
    batch = Batch.of(plays)
    assert_same_batch(batch, there_and_back(tmp_path / "a.parquet", batch))


def test_extremes_come_back(tmp_path):
    ends = np.iinfo(np.int64)
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4).with_columns(
        key=Column.of("step", np.array([ends.min, ends.max, 2**53 + 1, -1])),
        big=Column.of("step", np.array([2**64 - 1, 0, 2**63, 1], np.uint64)),
        odd=Column(
            "step", np.array([np.nan, np.inf, -0.0, 5e-324]), np.ones(4, bool)
        ),  # a NaN that is said to be valid
        hole=Column("step", np.array([np.nan, 1.0, 2.0, 3.0]), np.array([False, True, False, True])),
    )
    assert_same_batch(batch, there_and_back(tmp_path / "a.parquet", batch))


def test_no_trajectories_come_back_as_none(tmp_path):
    for batch in (
        Batch.of([]),
        Batch(*[np.zeros(0, np.int64)] * 3, {"x": Column.of("token", np.zeros((0, 2), np.float32))}),
    ):
        assert_same_batch(batch, there_and_back(tmp_path / "a.parquet", batch))


def test_trailing_axes_without_entries_come_back(tmp_path):
    batch = Batch.of([Trajectory(0)]).with_columns(x=Column.of("trajectory", np.zeros((1, 0, 3))))
    assert_same_batch(batch, there_and_back(tmp_path / "a.parquet", batch))


def test_relations_come_back_with_their_types(tmp_path):
    items = pa.table(
        {"step": [0, 1], "name": pa.array(["a", None]).dictionary_encode(), "passed": [True, None], "at": [[1], []]}
    )
    items = items.replace_schema_metadata({"made by": "a test"})
    batch = Batch.of([Trajectory(0)]).with_relations(items=items, пары=pa.table({"left": pa.array([], pa.int32())}))
    assert_same_batch(batch, there_and_back(tmp_path / "a.parquet", batch))


def test_a_part_that_is_also_a_column_is_stored_once_and_one_that_only_has_the_name_is_kept_apart(tmp_path):
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
    shared, other = Column.of("step", np.array([3.0, 4.0])), Column.of("step", np.array([5.0, 6.0]))
    worth = Column("step", np.array([8.0, 10.0]), np.ones(2, bool), (("a", shared), ("b", other), ("a", other)))
    batch = batch.with_columns(worth=worth, **{"worth/a": shared, "worth/b": shared})
    back = there_and_back(tmp_path / "a.parquet", batch)
    assert_same_batch(batch, back)
    names = pq.read_schema(tmp_path / "a.parquet").names
    assert [n for n in names if n.startswith("worth/")] == ["worth/b", "worth/b'", "worth/a'", "worth/a"]


def test_what_comes_back_can_be_written_into(tmp_path):
    # A view of a file's pages could not: torch warns of such arrays.
    batch = there_and_back(tmp_path / "a.parquet", Batch.from_steps(group=[0], trajectory=[0], reward=[1.0], state=[3]))
    for column in batch.columns.values():
        assert column.values.flags.writeable
    assert batch.step_of_token.flags.writeable


# A table for anyone.


def test_the_table_is_what_the_page_says(tmp_path):
    batch = Batch.of(
        [
            Trajectory(
                "p", Task("find"), (Step("o", "go", 1.0, tokens=(7, 8)), Step("o", "take", None, tokens=(9,))), 1.0
            ),
            Trajectory("q", Task("open"), (), ended=Ended.truncated("horizon")),
        ]
    )
    worth = Column("step", np.array([1.0, 0.5]), np.ones(2, bool), (("base", Column.of("step", np.array([1.0, 0.5]))),))
    batch = batch.with_columns(
        worth=worth, rate=Column.of("group", np.array([0.5, 0.25])), p=Column.of("step", np.zeros((2, 3)))
    )
    write_batch(tmp_path / "a.parquet", batch)
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert rows[0] == {
        "group": 0,
        "tokens": [2, 1],
        "token_id": [7, 8, 9],
        "sampled": [True] * 3,
        "observation": ["o", "o"],
        "action": ["go", "take"],
        "reward": [1.0, None],
        "terminated": [False, False],
        "sequence": [0, 0],
        "truncated": False,
        "failed": False,
        "ended_by": None,
        "outcome": 1.0,
        "prompt": "find",
        "worth": [1.0, 0.5],
        "worth/base": [1.0, 0.5],
        "rate": 0.5,
        "p": [[0.0] * 3] * 2,
    }
    assert (rows[1]["tokens"], rows[1]["reward"], rows[1]["outcome"], rows[1]["rate"]) == ([], [], None, 0.25)


# Bad input.


@pytest.mark.bad_input
def test_a_column_with_no_place_in_a_table_is_said(tmp_path):
    batch = Batch.of([Trajectory(0)])
    for values in (np.array([object()]), np.array([1j])):
        with pytest.raises(ColumnError, match=r"'x' holds (object|complex128).*numbers, truth values or text"):
            write_batch(tmp_path / "a.parquet", batch.with_columns(x=Column("trajectory", values, np.ones(1, bool))))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.bad_input
def test_a_file_that_is_not_ours_is_said(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(RunFolderError, match=r"cannot read .*a.parquet.*resume the run"):
        read_batch(path)
    write_batch(path, Batch.from_steps(group=[0], trajectory=[0], reward=[1.0]))
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], whole[:-9], b"PAR1" + whole[:30]):
        path.write_bytes(damaged)
        with pytest.raises(RunFolderError, match="cannot read"):
            read_batch(path)
    pq.write_table(pa.table({"group": [1]}), path)
    with pytest.raises(RunFolderError, match=r"write_batch did not write.*from_steps"):
        read_batch(path)


# Figures.


def plays(trajectories: int, tokens: int) -> Batch:
    rng = np.random.default_rng(0)
    return Batch.of(
        [
            Trajectory(
                i // 8,
                steps=tuple(
                    Step(
                        f"you see door {k}",
                        f"go {k % 4}",
                        0.0,
                        f"s{k}",
                        facts={"progress": 0.5, "milestone": 1.0},
                        tokens=rng.integers(0, 500, tokens).tolist(),
                        logprobs=(-rng.random(3)).tolist(),
                    )
                    for k in range(50)
                ),
            )
            for i in range(trajectories)
        ]
    )


@pytest.mark.speed
def test_five_thousand_steps_with_a_hundred_thousand_tokens_are_written_in_thirty_milliseconds(tmp_path):
    batch, times = plays(100, tokens=20), []
    for _ in range(7):
        start = time.process_time()
        write_batch(tmp_path / "a.parquet", batch)
        times.append(time.process_time() - start)
        read_batch(tmp_path / "a.parquet")
    assert min(times) < 0.03


@pytest.mark.speed
def test_memory_is_linear_in_the_tokens(tmp_path):
    def peak(tokens):
        batch = plays(40, tokens)
        tracemalloc.start()
        write_batch(tmp_path / "a.parquet", batch)
        read_batch(tmp_path / "a.parquet")
        at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return at_most

    assert peak(200) <= 2.3 * peak(100)
