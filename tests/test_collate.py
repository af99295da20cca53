"""The ways in and out of a Batch: worked examples, round trips, figures, bad input."""

import gc
import time
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import RecordError, ShapeError
from guerdon.records import Ended, Step, Task, Trajectory
from strategies import ragged_batches


def two_plays() -> list[Trajectory]:
    """One that won in two steps, one that broke at its second step of three."""
    return [
        Trajectory(
            "p",
            Task("find the key", reference="key", extra={"size": 3}),
            (
                Step(
                    "a hall",
                    "go",
                    0.0,
                    "s0",
                    facts={"progress": 0.5, "note": "far"},
                    tokens=(7, 8, 9),
                    logprobs=(-0.5,),
                ),
                Step("a key", "take", 1.0, "s1", facts={"progress": None}, tokens=(5,), logprobs=(-0.25,)),
            ),
            outcome=1.0,
        ),
        Trajectory(
            "p",
            Task("find the key", extra={"size": 4}),
            tuple(
                Step("a hall", "wait", 0.25, "s0", facts={"progress": 0.0}, tokens=(7, 6), logprobs=(-1.0,))
                for _ in range(3)
            ),
            outcome=0.5,
            ended=Ended.failed(1, "the environment hung"),
        ),
    ]


# From records.


def test_two_plays_by_hand():
    b = Batch.of(two_plays())
    assert (b.size("token"), b.size("step"), b.size("trajectory"), b.size("group")) == (10, 5, 2, 1)
    assert b["token_id"].tolist() == [7, 8, 9, 5, 7, 6, 7, 6, 7, 6]
    assert b["sampled"].tolist() == [False, False, True, True] + [False, True] * 3
    assert b["logprob"].tolist() == [None, None, -0.5, -0.25] + [None, -1.0] * 3
    assert b["action"].tolist() == ["go", "take", "wait", "wait", "wait"]
    assert b["prompt"].tolist() == ["find the key"] * 2
    assert b["task_size"].tolist() == [3, 4]
    assert b["sequence"].values.tolist() == [0, 0, 1, 1, 1]


def test_a_failed_play_has_no_outcome_and_its_rewards_and_facts_are_void_from_there():
    b = Batch.of(two_plays())
    assert b["outcome"].tolist() == [1.0, None]
    assert b["reward"].tolist() == [0.0, 1.0, 0.25, None, None]
    assert b["progress"].tolist() == [0.5, None, 0.0, None, None]
    assert b["failed"].tolist() == [False, True]
    assert b["ended_by"].tolist() == [None, "the environment hung"]
    assert b["observation"].tolist()[3:] == ["a hall", "a hall"], "what was seen stays seen"


def test_a_fact_that_is_text_is_kept_to_be_read():
    b = Batch.of(two_plays())
    assert b["note"].tolist() == ["far", None, None, None, None]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["1", "2"], ["1", "2"]),  # text that looks like a number stays text, whatever the others are
        (["1", None], ["1", None]),
        ([[1, 2], [3, 4]], ["[1, 2]", "[3, 4]"]),  # lists are text whether or not they are equally long
        ([[1], [3, 4]], ["[1]", "[3, 4]"]),
        ([True, None], [1.0, None]),
        ([0, 1], [0.0, 1.0]),
    ],
)
def test_numbers_are_numbers_and_the_rest_is_text(values, shown):
    b = Batch.of([Trajectory(0, steps=tuple(Step(facts={"f": v}) for v in values))])
    assert b["f"].tolist() == shown


def test_a_fact_that_some_steps_do_not_have_is_missing_there():
    b = Batch.of([Trajectory(0, steps=(Step(), Step(facts={"f": 1.0})))])
    assert b["f"].tolist() == [None, 1.0]


def test_a_state_leads_to_the_next_one_but_not_past_the_end():
    b = Batch.of(two_plays())
    s0, s1 = Batch.key(["s0", "s1"]).tolist()
    assert b["state"].tolist() == [s0, s1, s0, s0, s0]
    assert b["next_state"].tolist()[0] == s1
    assert not b["next_state"].valid[1], "nothing is known after the last step"
    b = Batch.of([Trajectory(0, steps=(Step(state="a", next_state="b"), Step(state=None), Step(state="c")))])
    assert b["next_state"].tolist() == [Batch.key(["b"])[0], Batch.key(["c"])[0], None]


def test_groups_are_numbered_as_they_come_whatever_their_label():
    b = Batch.of([Trajectory(g) for g in ("late", 7, "late", "7", "early")])
    assert b.group_of_trajectory.tolist() == [0, 1, 0, 2, 3]


def test_trajectories_without_steps_and_steps_without_tokens_have_their_place():
    b = Batch.of(
        [Trajectory(0, outcome=0.0), Trajectory(0, steps=(Step(tokens=()), Step(tokens=(1,)), Step())), Trajectory(1)]
    )
    assert b.trajectory_of_step.tolist() == [1, 1, 1]
    assert b.step_of_token.tolist() == [1]
    assert b["outcome"].tolist() == [0.0, None, None]


def test_no_trajectories_make_an_empty_batch():
    b = Batch.of([])
    assert [b.size(level) for level in ("token", "step", "trajectory", "group")] == [0, 0, 0, 0]


def test_tokens_without_logprobs_are_all_sampled_and_an_empty_list_means_none():
    b = Batch.of(
        [
            Trajectory(
                0, steps=(Step(tokens=(1, 2)), Step(tokens=(3, 4), logprobs=()), Step(tokens=(5, 6), logprobs=(-1.0,)))
            )
        ]
    )
    assert b["sampled"].tolist() == [True, True, False, False, False, True]
    assert b["logprob"].tolist() == [None] * 5 + [-1.0]


def test_sequences_of_two_trajectories_are_never_the_same():
    b = Batch.of(
        [
            Trajectory(0, steps=(Step(sequence=0), Step(sequence=1))),
            Trajectory(0, steps=(Step(sequence=0), Step(sequence=0))),
        ]
    )
    assert b["sequence"].tolist() == [0, 1, 2, 2]


def test_a_task_key_that_is_text_in_one_task_is_text_in_all():
    b = Batch.of([Trajectory(0, Task(extra={"k": "x"})), Trajectory(0, Task(extra={"k": 3})), Trajectory(0)])
    assert b["task_k"].tolist() == ["x", "3", None]


def test_lists_and_mappings_under_a_task_are_json_text():
    b = Batch.of(
        [
            Trajectory(0, Task(extra={"tests": [{"stdin": "1", "stdout": "2"}], "mixed": {"a": 1}, "odd": [object()]})),
            Trajectory(0, Task(extra={"mixed": "text", "odd": [1]})),
            Trajectory(0, Task(extra={"mixed": 3})),
        ]
    )
    assert b["task_tests"].tolist() == ['[{"stdin": "1", "stdout": "2"}]', None, None]
    assert b["task_mixed"].tolist() == ['{"a": 1}', "text", "3"]
    assert b["task_odd"].tolist() == [None, "[1]", None]


def test_numpy_in_records_is_as_good_as_python():
    steps = (
        Step(
            reward=np.float32(0.5),
            facts={"f": np.int64(2)},
            tokens=np.array([1, 2]),
            logprobs=np.array([-0.5], np.float32),
        ),
    )
    b = Batch.of([Trajectory(np.int64(4), steps=steps)])
    assert (b["reward"].tolist(), b["f"].tolist(), b["logprob"].tolist()) == ([0.5], [2.0], [None, -0.5])


# From steps.


def test_steps_by_hand():
    b = Batch.from_steps(
        group=["b", "b", "a"],
        trajectory=["x", "x", "y"],
        reward=[0.5, 0.5, np.nan],
        state=["s", None, "s"],
        action=["l", "r", "l"],
        tokens_per_step=[1, 0, 2],
    )
    assert b.trajectory_of_step.tolist() == [0, 0, 1]
    assert b.group_of_trajectory.tolist() == [1, 0]
    assert b.step_of_token.tolist() == [0, 2, 2]
    assert b["outcome"].tolist() == [1.0, None]
    assert b["terminated"].tolist() == [False, True, True]
    assert b["state"].valid.tolist() == [True, False, True]
    assert b["action"].tolist() == ["l", "r", "l"]


def test_a_trajectory_that_was_cut_did_not_terminate():
    b = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3, truncated=[False, True, False])
    assert b["truncated"].tolist() == [True, False]
    assert b["terminated"].tolist() == [False, False, True]


@given(ragged_batches())
def test_steps_taken_apart_and_put_together_are_the_same_batch(batch):
    again = Batch.from_steps(
        group=batch.index("group", at="step"),
        trajectory=batch.trajectory_of_step,
        reward=batch["reward"].filled(),
        state=batch["state"].values,
        action=batch["action"].values,
        terminated=batch["terminated"].values,
        truncated=batch.lift(batch["truncated"], "step").values,
        tokens_per_step=np.bincount(batch.step_of_token),
    )
    for name in ("reward", "state", "action", "terminated", "truncated", "sequence", "sampled"):
        assert again[name].tolist() == batch[name].tolist()
    assert again.step_of_token.tolist() == batch.step_of_token.tolist()
    assert again.group_of_trajectory.tolist() == batch.group_of_trajectory.tolist()


@given(ragged_batches(missing=False, ends=False))
def test_records_and_arrays_of_the_same_plays_agree(batch):
    tokens, step = np.bincount(batch.step_of_token), iter(range(batch.size("step")))
    lengths = np.bincount(batch.trajectory_of_step)
    plays = [
        Trajectory(
            int(group),
            steps=tuple(
                Step(
                    reward=batch["reward"].values[i],
                    state=int(batch["state"].values[i]),
                    tokens=[0] * tokens[i],
                    terminated=bool(batch["terminated"].values[i]),
                )
                for i in (next(step) for _ in range(length))
            ),
        )
        for group, length in zip(batch.group_of_trajectory, lengths, strict=True)
    ]
    other = Batch.of(plays)
    for name in ("reward", "state", "next_state", "terminated", "truncated", "sequence", "sampled"):
        assert other[name].tolist() == batch[name].tolist(), name


# Padded.


@given(ragged_batches(), st.integers(0, 2**32 - 1))
def test_padded_under_its_mask_is_the_flat_column(batch, seed):
    rng = np.random.default_rng(seed)
    n = batch.size("token")
    batch = batch.with_columns(
        x=Column.of("token", rng.normal(size=n).astype(np.float32)),
        pair=Column.of("token", rng.integers(0, 9, (n, 2))),
        holes=Column("token", rng.normal(size=n), rng.random(n) < 0.5),
        sequence=Column.of("step", np.arange(batch.size("step"))) if seed % 2 else batch["sequence"],
    )
    padded = batch.to_padded("x", "pair", "sampled", "holes", "state")
    mask = padded["mask"]
    assert len(mask) == len(np.unique(batch["sequence"].values))
    for name in ("x", "pair", "sampled"):
        assert padded[name].dtype == batch[name].values.dtype
        assert padded[name][mask].tolist() == batch[name].tolist()
        assert not padded[name][~mask].any()
    assert padded["holes"][mask].tolist() == batch["holes"].filled(0.0).tolist()
    assert padded["state"][mask].tolist() == batch.lift(batch["state"], "token").tolist()
    assert not (mask[:, 1:] & ~mask[:, :-1]).any(), "padding is on the right"


@st.composite
def chats(draw):
    """Records of steps that read at least one token and then sample at least one."""
    lengths = draw(
        st.lists(
            st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4), min_size=1, max_size=4
        )
    )
    return [
        Trajectory(i // 2, steps=tuple(Step(tokens=range(r + s), logprobs=[-1.0] * s) for r, s in steps))
        for i, steps in enumerate(lengths)
    ]


@given(chats())
def test_padding_and_back_gives_the_steps_back(plays):
    b = Batch.of(plays)
    padded = b.to_padded("sampled", "token_id", "logprob")
    again = Batch.from_padded(
        group=b.group_of_trajectory,
        read=padded["mask"],
        sampled=padded["sampled"],
        columns={"token_id": padded["token_id"]},
    )
    for name in ("step_of_token", "trajectory_of_step", "group_of_trajectory"):
        assert getattr(again, name).tolist() == getattr(b, name).tolist()
    for name in ("sampled", "token_id", "sequence"):
        assert again[name].tolist() == b[name].tolist()


def test_a_padded_row_by_hand_with_padding_on_either_side():
    b = Batch.from_padded(
        group=["q", "p"],
        read=[[0, 1, 1, 1, 1], [1, 1, 0, 0, 0]],
        sampled=[[1, 0, 1, 0, 1], [0, 1, 1, 1, 1]],
        columns={"advantage": np.arange(10.0).reshape(2, 5)},
    )
    assert b.step_of_token.tolist() == [0, 0, 1, 1, 2, 2]
    assert b.trajectory_of_step.tolist() == [0, 0, 1]
    assert b.group_of_trajectory.tolist() == [1, 0]
    assert b["advantage"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert b["sampled"].tolist() == [False, True, False, True, False, True]


# Select.


@given(ragged_batches(), st.data())
def test_select_keeps_whole_trajectories_with_their_values(batch, data):
    n = batch.size("trajectory")
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    batch = batch.with_columns(size=Column.of("group", 100 + np.arange(batch.size("group"))))
    some = batch.select(keep)
    for level, name in (("step", "reward"), ("trajectory", "outcome"), ("token", "sampled")):
        kept = keep[batch.index("trajectory", at=level)]
        assert some[name].tolist() == [v for v, k in zip(batch[name].tolist(), kept, strict=True) if k]
    labels = batch.lift(batch["size"], "trajectory").values[keep]
    assert some.lift(some["size"], "trajectory").values.tolist() == labels.tolist()
    assert some.size("group") == len(set(labels.tolist()))


# Bad input.


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        ({"group": [0, 0], "trajectory": [0], "reward": [1.0]}, "group has 2 entries and reward has 1; one a step"),
        ({"group": [0, 1], "trajectory": [0, 0], "reward": [1.0, 0.0]}, "two groups.*different trajectory ids"),
        ({"group": [0] * 3, "trajectory": [0, 1, 0], "reward": [0.0] * 3}, "from_steps.*side by side.*argsort"),
        (
            {"group": [0], "trajectory": [0], "reward": [1.0], "tokens_per_step": [1, 2]},
            "tokens_per_step has 2 entries",
        ),
    ],
)
def test_steps_that_do_not_fit_are_said(make, says):
    with pytest.raises(ShapeError, match=says):
        Batch.from_steps(**make)


@pytest.mark.bad_input
def test_padded_arrays_that_do_not_fit_are_said():
    with pytest.raises(ShapeError, match=r"read is \(1, 2\), sampled is \(1, 3\)"):
        Batch.from_padded(group=[0], read=[[1, 1]], sampled=[[1, 1, 1]])
    with pytest.raises(ShapeError, match=r"'x' is \(1, 1\); \(1, 2\) is needed"):
        Batch.from_padded(group=[0], read=[[1, 1]], sampled=[[1, 1]], columns={"x": [[1.0]]})
    with pytest.raises(ShapeError, match="keep has 2 entries; the batch has 1 trajectories"):
        Batch.of([Trajectory(0)]).select([True, False])


@pytest.mark.bad_input
def test_records_that_do_not_fit_are_said():
    with pytest.raises(RecordError, match=r"step 1 has 1 tokens and 2 logprobs.*one per sampled token"):
        Batch.of([Trajectory(0, steps=(Step(tokens=(1,)), Step(tokens=(1,), logprobs=(-1.0, -2.0))))])
    with pytest.raises(RecordError, match=r"a fact is called 'reward'.*another name"):
        Batch.of([Trajectory(0, steps=(Step(reward=1.0, facts={"reward": 2.0}),))])


# Figures.


def best_of(n, job):
    """Seconds of the processor, so that a neighbour on the machine does not count."""
    times = []
    for _ in range(n):
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return min(times)


def plays_of(trajectories: int, tokens: int) -> list[Trajectory]:
    """Plays of 50 steps without text, each step with its own token numbers."""
    return [
        Trajectory(
            i // 8,
            outcome=1.0,
            steps=tuple(
                Step(reward=0.0, state=k, tokens=list(range(k, k + tokens)), logprobs=[-0.5, -0.25]) for k in range(50)
            ),
        )
        for i in range(trajectories)
    ]


@pytest.mark.speed
def test_a_million_steps_from_arrays_in_half_a_second():
    rng, n = np.random.default_rng(0), 1_000_000
    arrays = {
        "group": np.arange(n) // 400,
        "trajectory": np.arange(n) // 50,
        "reward": rng.normal(size=n),
        "state": rng.integers(0, 1000, n),
        "action": rng.integers(0, 6, n),
        "truncated": np.zeros(n, bool),
        "tokens_per_step": 8,
    }
    assert best_of(3, lambda: Batch.from_steps(**arrays)) < 0.5


@pytest.mark.speed
@pytest.mark.slow
def test_a_million_steps_from_records_in_two_seconds():
    gc.disable()  # building eleven million objects is not what is measured
    try:
        plays = plays_of(20_000, tokens=8)
    finally:
        gc.enable()
    assert best_of(3, lambda: Batch.of(plays)) < 2.0


@pytest.mark.speed
def test_memory_is_linear_in_the_tokens():
    def peak(tokens):
        plays = plays_of(400, tokens)
        tracemalloc.start()
        Batch.of(plays)
        at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return at_most

    assert peak(128) <= 2.3 * peak(64)


def test_text_is_stored_once_however_often_it_is_said():
    b = Batch.of([Trajectory(0, steps=(Step("a long observation " * 100, "go"),) * 1000)])
    assert isinstance(b["observation"].values, pa.DictionaryArray)
    assert b["observation"].values.nbytes < 10_000


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"group": "a", "steps": []}], "an entry is of the type dict"),
        ({"group": "a", "steps": []}, "an entry is of the type str"),
        (Trajectory("a"), "it is of the type Trajectory"),
        ([Trajectory("a"), Step()], "an entry is of the type Step"),
    ],
)
def test_what_is_no_list_of_plays_is_refused_with_the_way_out(given, says):
    with pytest.raises(RecordError, match=f"{says}; a list of Trajectory is needed; .*from_json"):
        Batch.of(given)
