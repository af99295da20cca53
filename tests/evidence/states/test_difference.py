"""Edits of nested states: laws, worked examples, edge cases where nothing changed, attacks."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.plain import same
from guerdon.evidence.states import StateMatch, TooLarge, changes, edits, leaves, state_match

ATOMS = st.none() | st.booleans() | st.integers(0, 2)
STATES = st.recursive(
    ATOMS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("abc"), v, max_size=3), max_leaves=6
)
TREES = st.dictionaries(st.sampled_from("abcd"), STATES, max_size=4)

# Laws.


@given(TREES, TREES)
def test_two_states_have_no_changes_exactly_where_they_are_equal(a, b):
    assert (changes(leaves(a), leaves(b)) == {}) == same(a, b)


@given(TREES, TREES)
def test_changes_can_be_undone(a, b):
    there, back = changes(leaves(a), leaves(b)), changes(leaves(b), leaves(a))
    assert there.keys() == back.keys()


@given(TREES, TREES, TREES)
def test_shares_of_edits_are_counts_over_counts(before, after, wanted):
    found = edits(before, after, wanted)
    assert 0 <= found.right <= min(found.made, found.wanted)
    assert found.precision * found.made == pytest.approx(found.right)
    assert found.recall * found.wanted == pytest.approx(found.right)
    assert found.surplus == found.made - found.right and 0 <= found.f() <= 1
    assert (found.f() == 1.0) == same(after, wanted)


@given(TREES, TREES, TREES)
def test_what_was_made_and_wanted_change_places(before, after, wanted):
    one, other = edits(before, after, wanted), edits(before, wanted, after)
    assert one.f() == pytest.approx(other.f())
    if one.made and one.wanted:
        assert one.precision == other.recall


@given(TREES, TREES)
def test_doing_what_was_wanted_is_all_and_doing_nothing_is_nothing(before, wanted):
    assert edits(before, wanted, wanted).f() == 1.0
    idle = edits(before, before, wanted)
    assert idle.precision == 1.0 and idle.f() == float(same(before, wanted))


@given(st.lists(st.integers(0, 9), unique=True, max_size=5), st.randoms())
def test_a_table_has_no_order(ids, random):
    rows = [{"id": i, "n": i * 2} for i in ids]
    mixed = rows[:]
    random.shuffle(mixed)
    assert leaves(rows, by=("id",)) == leaves(mixed, by=("id",))


# Worked examples.


def test_by_hand():
    before = {"orders": [{"id": 1, "state": "open", "at": 5}], "stock": {"pen": 3}}
    after = {"orders": [{"id": 2, "state": "new", "at": 9}, {"id": 1, "state": "closed", "at": 7}], "stock": {"pen": 3}}
    wanted = {"orders": [{"id": 1, "state": "closed", "at": 6}], "stock": {"pen": 2}}
    found = edits(before, after, wanted, by=("id",), ignore=("at",))
    assert (found.made, found.wanted, found.right) == (3, 2, 1)  # closed; and two values of an order too many
    verdict = StateMatch(("id",), ("at",))(after, before, wanted)
    assert verdict.facts["precision"] == pytest.approx(1 / 3) and verdict.facts["recall"] == 0.5
    assert verdict.facts["surplus"] == pytest.approx(2 / 3) and verdict.facts["equal"] == 0.0


@pytest.mark.parametrize(
    ("after", "wanted", "value", "precision", "recall"),
    [
        ({"a": 1}, {"a": 1}, 1.0, 1.0, 1.0),  # nothing had to change and nothing did
        ({"a": 2}, {"a": 1}, 0.0, 0.0, 1.0),  # nothing had to change
        ({"a": 1}, {"a": 2}, 0.0, 1.0, 0.0),  # nothing was done
        ({"a": 3}, {"a": 2}, 0.0, 0.0, 0.0),  # the right place, the wrong value
        ({}, {}, 1.0, 1.0, 1.0),
        ({"a": True}, {"a": 1}, 0.0, 0.0, 1.0),
        ({"a": 1.0}, {"a": 1}, 1.0, 1.0, 1.0),
        ({"a": 1, "b": {}}, {"a": 1, "b": []}, 0.0, 0.0, 0.0),
    ],
)
def test_edges(after, wanted, value, precision, recall):
    verdict = StateMatch()(json.dumps(after), '{"a": 1}', wanted)
    assert (verdict.value, verdict.facts["precision"], verdict.facts["recall"]) == (value, precision, recall)


def test_shotgun_edits_are_all_found_and_hardly_right():
    before, wanted = {str(i): 0 for i in range(50)}, {**{str(i): 0 for i in range(50)}, "7": 1}
    verdict = StateMatch()({str(i): 1 for i in range(50)}, before, wanted)
    assert verdict.facts["recall"] == 1.0 and verdict.facts["precision"] == 0.02 and verdict.value < 0.04


def test_ids_that_repeat_are_no_table():
    assert ("id=1", "id") not in leaves([{"id": 1}, {"id": 1}], by=("id",))
    assert (0, "id") in leaves([{"id": 1}, {"x": 1}], by=("id",))


# Scored and unscored.


def test_whose_fault_it_is():
    grade = StateMatch()
    assert grade("{", "{}", "{}").value == 0.0
    assert (
        not grade("{}", "{", "{}").scored and not grade("{}", "{}", None).scored and not grade("{}", "3", "{}").scored
    )


def test_as_an_observer():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 1], reward=[0.0] * 2)
    batch = batch.with_columns(
        final_state=Column.of("step", ['{"a": 2}', '{"a": 2}']),
        task_state=Column.of("trajectory", ['{"a": 1}', None]),
        reference=Column.of("trajectory", ['{"a": 2}'] * 2),
    )
    seen = observe(batch, [state_match()])
    assert seen["state"].tolist() == [1.0, None] and seen["state/equal"].tolist() == [1.0, None]


# Attacks.


def test_large_and_deep_states_end_soon():
    deep = "[" * 60 + "1" + "]" * 60
    wide = json.dumps(list(range(150_000)))
    start = time.perf_counter()
    assert StateMatch()(wide, "{}", "{}").facts["why"].startswith("the state has more than")
    assert not StateMatch()("{}", wide, "{}").scored and not StateMatch()("{}", "{}", wide).scored
    assert StateMatch()(deep, deep, deep).value == 1.0
    assert StateMatch()("[" * 100_000, "{}", "{}").value == 0.0
    assert time.perf_counter() - start < 4
    with pytest.raises(TooLarge):
        leaves(list(range(150_000)))
