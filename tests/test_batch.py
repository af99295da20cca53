"""Batch and Column: levels, columns, keys; what is refused and how it is said."""

import copy
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import LEVELS, Batch, Column
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.records import Step, Trajectory
from strategies import ragged_batches

PAIRS = [(fine, coarse) for i, fine in enumerate(LEVELS) for coarse in LEVELS[i:]]


def small() -> Batch:
    """Two groups; trajectories of 2, 0 and 1 steps; steps of 1, 2 and 0 tokens."""
    return Batch(np.array([0, 1, 1]), np.array([0, 0, 2]), np.array([1, 0, 0]))


# Levels.


def test_sizes_by_hand():
    assert [small().size(level) for level in LEVELS] == [3, 3, 3, 2]


def test_index_by_hand():
    b = small()
    assert b.index("trajectory", at="token").tolist() == [0, 0, 0]
    assert b.index("group", at="step").tolist() == [1, 1, 0]
    assert b.index("step", at="step").tolist() == [0, 1, 2]


@given(ragged_batches())
def test_index_goes_up_one_level_after_another(batch):
    for fine, coarse in PAIRS:
        for between in LEVELS[LEVELS.index(fine) : LEVELS.index(coarse) + 1]:
            one_by_one = batch.index(coarse, at=between)[batch.index(between, at=fine)]
            assert batch.index(coarse, at=fine).tolist() == one_by_one.tolist()


@given(ragged_batches())
def test_lift_copies_the_value_validity_and_parts_of_the_parent(batch):
    outcome = batch["outcome"]
    outcome = Column(outcome.level, outcome.values, outcome.valid, (("half", outcome), ("rest", outcome)))
    for to in ("step", "token"):
        lifted = batch.lift(outcome, to)
        assert lifted.level == to
        for i, parent in enumerate(batch.index("trajectory", at=to)):
            assert lifted.values[i] == outcome.values[parent]
            assert lifted.valid[i] == outcome.valid[parent]
        assert [name for name, _ in lifted.parts] == ["half", "rest"]
        assert all(part.level == to and part.tolist() == lifted.tolist() for _, part in lifted.parts)


def test_lift_to_the_same_level_is_the_column_itself():
    b = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    assert b.lift(b["reward"], "step") is b["reward"]


@given(ragged_batches())
def test_the_items_of_a_parent_lie_side_by_side(batch):
    for children in (batch.step_of_token, batch.trajectory_of_step):
        assert (np.diff(children) >= 0).all()


# Columns.


def test_nan_and_null_are_missing_zero_and_false_are_not():
    assert Column.of("step", [0.0, None, np.nan, 1]).valid.tolist() == [True, False, False, True]
    assert Column.of("step", ["", None]).valid.tolist() == [True, False]
    assert Column.of("step", np.array([False, True])).valid.all()
    assert Column.of("step", np.array([[1.0, np.nan], [0.0, 0.0]])).valid.tolist() == [False, True]


def test_valid_that_is_given_wins():
    assert Column.of("step", [1.0, 2.0], valid=[False, True]).tolist() == [None, 2.0]


def test_filled_says_what_is_missing_in_every_trailing_place():
    c = Column("step", np.array([[1, 2], [3, 4]]), np.array([True, False]))
    assert c.filled(-1.0).tolist() == [[1.0, 2.0], [-1.0, -1.0]]
    assert np.isnan(c.filled()[1]).all()


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=4)), min_size=1), st.data())
def test_take_and_tolist_work_alike_on_numbers_and_on_text(words, data):
    index = np.array(data.draw(st.lists(st.integers(0, len(words) - 1))), np.int64)
    numbers = [None if w is None else float(len(w)) for w in words]
    for values in (words, numbers):
        column = Column.of("step", pa.array(words, pa.string()) if values is words else values)
        assert column.tolist() == values
        assert column.take(index).tolist() == [values[i] for i in index]


def test_with_columns_leaves_the_old_batch_as_it_was():
    old = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    new = old.with_columns(reward=Column.of("step", [2.0]), more=Column.of("step", [3.0]))
    assert (old["reward"].tolist(), "more" in old) == ([1.0], False)
    assert (new["reward"].tolist(), "more" in new) == ([2.0], True)


def test_a_batch_cannot_be_changed_in_place():
    b = small()
    with pytest.raises(TypeError):
        b.columns["reward"] = Column.of("step", np.zeros(3))
    with pytest.raises(AttributeError):
        b.columns = {}


def test_the_mapping_that_was_given_can_change_without_changing_the_batch():
    columns = {"r": Column.of("step", np.zeros(3))}
    b = Batch(np.array([0, 1, 1]), np.array([0, 0, 2]), np.array([1, 0, 0]), columns)
    columns.clear()
    assert "r" in b


def test_relations_are_put_beside():
    table = pa.table({"name": ["a"]})
    b = small().with_relations(items=table)
    assert b.relations["items"] is table
    assert b.with_columns(r=Column.of("step", np.zeros(3))).relations["items"] is table


@pytest.mark.parametrize("back", [lambda b: pickle.loads(pickle.dumps(b)), copy.deepcopy])
def test_a_batch_goes_to_another_process_and_can_be_copied(back):
    b = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, None], state=["a", "b"])
    same = back(b)
    assert same["reward"].tolist() == [1.0, None]
    assert same["state"].tolist() == b["state"].tolist()
    assert same.index("group", at="token").tolist() == [0, 0]


# Bad input.


@pytest.mark.bad_input
def test_going_down_a_level_names_the_ways_out():
    b = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    with pytest.raises(LevelError, match=r"step column.*trajectory.*at_end.*total.*mean"):
        b.lift(b["reward"], "trajectory")
    with pytest.raises(LevelError, match=r"a trajectory is not inside a step"):
        b.index("step", at="trajectory")


@pytest.mark.bad_input
def test_a_missing_column_is_named_with_those_there_are():
    b = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    with pytest.raises(ColumnError, match=r"'wroth'.*outcome.*reward.*with_columns"):
        b["wroth"]
    with pytest.raises(ColumnError, match=r"gigpo: .*'state', 'progress'.*recipe"):
        b.need(("reward", "state", "progress"), "gigpo")
    b.need(("reward",), "grpo")


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Column("step", np.zeros(2), np.ones(3, bool)), "2 values and 3 entries in valid"),
        (lambda: Batch(np.array([1, 0]), np.array([0, 0]), np.array([0])), "step_of_token must rise.*sort"),
        (
            lambda: Batch(np.array([0, 3]), np.array([0, 0]), np.array([0])),
            "step_of_token must rise from 0 to at most 1",
        ),
        (lambda: Batch(np.array([-1, 0]), np.array([0, 0]), np.array([0])), "step_of_token must rise"),
        (lambda: Batch(np.array([0, 1]), np.array([0, 1]), np.array([0])), "trajectory_of_step must rise"),
        (lambda: Batch(np.array([0]), np.array([0]), np.array([-1])), "-1; groups count from 0"),
        (lambda: small().with_columns(r=Column.of("step", np.zeros(4))), "'r' has 4 values and the batch has 3 steps"),
        (lambda: Batch(*[np.zeros(1, int)] * 3, {"r": Column.of("group", np.zeros(2))}), "'r' has 2 values.* 1 groups"),
    ],
)
def test_lengths_that_do_not_fit_are_said(make, says):
    with pytest.raises(ShapeError, match=says):
        make()


@pytest.mark.bad_input
def test_a_level_that_is_none_is_refused():
    with pytest.raises(LevelError, match=r"'turn'.*'token', 'step', 'trajectory', 'group'"):
        Column("turn", np.zeros(1), np.ones(1, bool))


def test_the_short_ways_in_are_those_of_collate():
    assert Batch.of([Trajectory(0, steps=(Step(),))]).size("step") == 1
    assert Batch.from_padded(group=[0], read=[[1, 1]], sampled=[[0, 1]]).to_padded("sampled")["sampled"].tolist() == [
        [0, 1]
    ]
    assert Batch.from_steps(group=[0, 1], trajectory=[0, 1], reward=[0, 1]).select([False, True])[
        "reward"
    ].tolist() == [1]


def test_counts_are_those_of_the_parents_and_lifting_copies_by_them():
    batch = Batch(np.array([0, 0, 2]), np.array([0, 0, 2, 2]), np.zeros(3, int))  # empty steps, an empty trajectory
    assert batch.counts("token").tolist() == [2, 0, 1, 0]
    assert batch.counts("step").tolist() == [2, 0, 2]
    assert batch.counts("token", "trajectory").tolist() == [2, 0, 1]
    column = Column.of("trajectory", np.array([5.0, 6.0, np.nan]))
    lifted = batch.lift(column, "token")
    assert lifted.level == "token" and lifted.tolist() == [5.0, 5.0, None]
    text = batch.lift(Column.of("trajectory", ["a", "b", None]), "step")
    assert text.tolist() == ["a", "a", None, None]


def test_grouped_numbers_text_and_keeps_the_rest():
    batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[1.0, 2.0, 3.0])
    again = batch.grouped(np.array(["q", "p", "q"], object))
    assert again.group_of_trajectory.tolist() == [0, 1, 0] and again["outcome"] is batch["outcome"]
    assert batch.group_of_trajectory.tolist() == [0, 0, 0]
    with pytest.raises(ShapeError, match="2 ids and 3 trajectories"):
        batch.grouped(["a", "b"])
    named = batch.with_columns(hint=Column.of("group", [1.0]))
    with pytest.raises(ShapeError, match="'hint' has 1 values and the batch has 2 groups"):
        named.grouped(["a", "b", "a"])


def test_a_column_says_whether_every_value_is_there_and_true():
    seen = [(c.whole, c.always) for c in (Column.of("step", v) for v in ([1.0, 2.0], [1.0, None], [1.0, 0.0]))]
    assert seen == [(True, True), (False, False), (True, False)]


def test_lifted_columns_that_have_every_value_share_one_mask_that_cannot_be_written_to():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, None], tokens_per_step=2)
    whole, part = batch.lift(Column.of("step", [1.0, 2.0]), "token"), batch.lift(batch["reward"], "token")
    assert whole.valid is batch.lift(Column.of("step", [3.0, 4.0]), "token").valid
    assert part.valid.tolist() == [True, True, False, False] and whole.valid.tolist() == [True] * 4
    with pytest.raises(ValueError, match="read-only"):
        whole.valid[0] = False


@pytest.mark.bad_input
def test_what_is_no_column_is_refused_with_the_way_to_make_one():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    with pytest.raises(ColumnError, match=r"'x' is of the type list; a Column is needed; .*Column.of\(level, values\)"):
        batch.with_columns(x=[1.0])


def test_what_lacks_a_column_says_how_a_file_and_a_rollout_bring_it():
    with pytest.raises(
        ColumnError, match=r"key of the task .*`task_KEY`.*fact of the step, or take a reward or recipe"
    ):
        Batch.from_steps(group=[0], trajectory=[0], reward=[1.0]).need(["reference"], "match")
