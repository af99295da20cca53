"""Trajectories as JSONL: what is written comes back, and a bad line is said with its number."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch
from guerdon.errors import RecordError
from guerdon.records import Ended, Step, Task, Trajectory
from guerdon.store import from_json, read_jsonl, to_json, write_jsonl

WORDS = st.text(max_size=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(0, 2**40)
ANCHORS = st.none() | WORDS | st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
EXTRA = st.dictionaries(WORDS.map(lambda w: "x" + w), VALUES, max_size=2)  # no field begins with x
LOGPROBS = st.floats(-1e6, 0)


@st.composite
def steps(draw):
    tokens = draw(st.none() | st.lists(WHOLE, max_size=4).map(tuple))
    known = () if tokens is None else draw(st.lists(LOGPROBS, max_size=len(tokens)).map(tuple))
    return Step(
        draw(WORDS),
        draw(WORDS),
        draw(st.none() | NUMBERS),
        draw(ANCHORS),
        draw(ANCHORS),
        draw(st.dictionaries(WORDS, st.none() | st.booleans() | NUMBERS | WORDS, max_size=2)),
        tokens,
        draw(st.sampled_from([None, known])) if tokens is not None else None,
        draw(st.none() | WHOLE),
        draw(st.booleans()),
        draw(EXTRA),
    )


ENDS = (
    st.builds(Ended, st.just("finished"), extra=EXTRA)
    | st.builds(Ended.truncated, WORDS)
    | st.builds(Ended.failed, WHOLE, WORDS)
)
TRAJECTORIES = st.builds(
    Trajectory,
    WORDS | st.integers(),
    st.builds(Task, WORDS, VALUES, EXTRA),
    st.lists(steps(), max_size=3).map(tuple),
    st.none() | NUMBERS,
    ENDS,
    EXTRA,
)


# Laws.


@given(TRAJECTORIES)
def test_a_trajectory_through_json_is_the_same_trajectory(trajectory):
    assert from_json(json.loads(json.dumps(to_json(trajectory), allow_nan=False))) == trajectory


@given(st.lists(TRAJECTORIES, max_size=4))
def test_a_file_gives_back_what_was_written_a_line_each(tmp_path_factory, trajectories):
    path = tmp_path_factory.mktemp("lines") / "plays.jsonl"
    write_jsonl(path, trajectories)
    assert path.read_bytes().count(b"\n") == len(trajectories)
    assert list(read_jsonl(path)) == trajectories


@given(TRAJECTORIES)
def test_writing_again_writes_the_same(trajectory):
    obj = to_json(trajectory)
    assert to_json(from_json(obj)) == obj


def test_text_of_every_kind_survives(tmp_path):
    odd = ["a\nb\r\n", "\u2028\u2029\x85", '"\\', "ключ 🗝", "\ud800 half a pair", "\x00"]
    plays = [Trajectory(0, Task(word), (Step(word, word),)) for word in odd]
    write_jsonl(tmp_path / "odd.jsonl", plays)
    assert list(read_jsonl(tmp_path / "odd.jsonl")) == plays


# By hand.


def test_a_line_by_hand():
    line = """{"group": "p1", "task": {"prompt": "find it", "reference": ["a"], "level": 3}, "source": "web",
      "steps": [{"observation": "hall", "action": "go", "reward": 1, "state": "s0", "next_state": "s1",
                 "facts": {"progress": null, "ok": true}, "tokens": [4, 5], "logprobs": [-0.5], "sequence": 2,
                 "terminated": true, "mood": 1}],
      "outcome": 0.5, "ended": {"how": "truncated", "by": "horizon", "note": "long"}}"""
    step = Step("hall", "go", 1.0, "s0", "s1", {"progress": None, "ok": True}, (4, 5), (-0.5,), 2, True, {"mood": 1})
    task = Task("find it", ["a"], {"level": 3})
    assert from_json(json.loads(line)) == Trajectory(
        "p1", task, (step,), 0.5, Ended("truncated", "horizon", extra={"note": "long"}), {"source": "web"}
    )
    assert to_json(from_json(json.loads(line))) == json.loads(line)


def test_the_least_that_a_line_must_say():
    assert from_json({"group": 0, "steps": []}) == Trajectory(0)
    t = from_json({"group": 0, "steps": [{}], "task": None, "outcome": None, "ended": None})
    assert t == Trajectory(0, steps=(Step(),))
    assert t.ended == Ended.finished()


def test_numpy_in_a_record_is_written_as_numbers(tmp_path):
    step = Step(
        reward=np.float32(0.5),
        state=np.int64(3),
        facts={"f": np.float32(0.25), "b": np.bool_(True)},
        tokens=np.array([1, 2]),
        logprobs=np.array([-0.5], np.float32),
        extra={"v": np.arange(2)},
    )
    write_jsonl(
        tmp_path / "n.jsonl", [Trajectory(np.int64(1), Task(reference=np.float64(2.0)), (step,), np.float64(1.0))]
    )
    back = next(read_jsonl(tmp_path / "n.jsonl"))
    assert back.group == 1
    assert back.task.reference == 2.0
    assert back.steps[0] == Step(
        reward=0.5, state=3, facts={"f": 0.25, "b": True}, tokens=(1, 2), logprobs=(-0.5,), extra={"v": [0, 1]}
    )


def test_empty_lines_and_a_byte_order_mark_do_not_matter(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"group": 1, "steps": []}\r\n\n  \n{"group": 2, "steps": []}')
    assert [t.group for t in read_jsonl(path)] == [1, 2]


def test_a_line_becomes_a_batch(tmp_path):
    plays = [
        Trajectory("a", Task("q", extra={"k": 1}), (Step("o", "x", 1.0, "s", tokens=(1, 2), logprobs=(-1.0,)),), 1.0)
    ] * 2
    write_jsonl(tmp_path / "a.jsonl", plays)
    one, other = Batch.of(list(read_jsonl(tmp_path / "a.jsonl"))), Batch.of(plays)
    assert {name: c.tolist() for name, c in one.columns.items()} == {
        name: c.tolist() for name, c in other.columns.items()
    }


def test_nothing_is_left_when_writing_breaks_off(tmp_path):
    path = tmp_path / "a.jsonl"
    write_jsonl(path, [Trajectory(1)])
    with pytest.raises(RecordError, match=r"trajectory 1 holds what JSON does not.*use None"):
        write_jsonl(path, [Trajectory(2), Trajectory(3, outcome=math.nan)])
    assert [t.group for t in read_jsonl(path)] == [1]
    assert list(tmp_path.iterdir()) == [path]


# Bad input: file, line, what was given, what is needed, the way out.

GOOD = '{"group": 1, "steps": [{"action": "a"}]}'


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"group": 1, "steps": [', "line 2: .*one whole JSON object a line"),
        ("[1, 2]", r"line 2: it is \[1, 2\]; an object.*needed"),
        ('{"steps": []}', "line 2: there is no 'group' among steps; .*add it"),
        ('{"group": 1}', "line 2: there is no 'steps' among group"),
        ('{"group": 1.5, "steps": []}', "group is 1.5; a text or a whole number"),
        ('{"group": true, "steps": []}', "group is True; a text or a whole number"),
        ('{"group": 1, "steps": {}}', r"steps is {}; a list is needed; write \[\]"),
        ('{"group": 1, "steps": [3]}', r"steps\[0\] is 3; an object"),
        (
            '{"group": 1, "steps": [{}, {"reward": "high"}]}',
            r"steps\[1\].reward is 'high'; a finite number or null.*write null",
        ),
        ('{"group": 1, "steps": [{"reward": true}]}', r"steps\[0\].reward is True"),
        ('{"group": 1, "steps": [{"reward": NaN}]}', "NaN is not JSON.*write null"),
        ('{"group": 1, "steps": [{"reward": -Infinity}]}', "-Infinity is not JSON.*write null"),
        ('{"group": 1, "steps": [{"reward": 1e999}]}', "reward is inf; a finite number"),
        ('{"group": 1, "steps": [], "outcome": 1' + "0" * 400 + "}", "outcome is 10+.*finite number"),
        ('{"group": 1, "steps": [{"facts": {"f": 1e999}}]}', r"steps\[0\].facts.f is inf; a finite number"),
        ('{"group": 1, "steps": [{"facts": [1]}]}', r"facts is \[1\]; an object of names and values"),
        ('{"group": 1, "steps": [{"observation": 3}]}', "observation is 3; a text"),
        ('{"group": 1, "steps": [{"action": null}]}', 'action is None; a text is needed; write ""'),
        ('{"group": 1, "steps": [{"state": 1.5}]}', "state is 1.5; a text or a whole number of 64 bits"),
        (
            '{"group": 1, "steps": [{"state": 9223372036854775808}]}',
            "state is 9223372036854775808; .*write the state as text",
        ),
        ('{"group": 1, "steps": [{"tokens": "ab"}]}', "tokens is 'ab'; a list of token numbers"),
        ('{"group": 1, "steps": [{"tokens": [1, true]}]}', "tokens is .*a list of token numbers"),
        ('{"group": 1, "steps": [{"tokens": [-1]}]}', "tokens is .*token numbers from 0"),
        ('{"group": 1, "steps": [{"logprobs": [-1]}]}', "at most as many as tokens, 0.*one per sampled token"),
        ('{"group": 1, "steps": [{"tokens": [1], "logprobs": [-1, -2]}]}', "at most as many as tokens, 1"),
        ('{"group": 1, "steps": [{"tokens": [1], "logprobs": [null]}]}', "logprobs is .*a list of finite numbers"),
        ('{"group": 1, "steps": [{"tokens": [1], "logprobs": [-1e999]}]}', "logprobs is .*finite"),
        ('{"group": 1, "steps": [{"sequence": "a"}]}', "sequence is 'a'; a whole number"),
        ('{"group": 1, "steps": [{"terminated": 1}]}', "terminated is 1; true or false"),
        ('{"group": 1, "steps": [], "task": "find it"}', "task is 'find it'; an object"),
        ('{"group": 1, "steps": [], "outcome": "won"}', "outcome is 'won'; a finite number"),
        ('{"group": 1, "steps": [], "ended": "finished"}', "ended is 'finished'; .*how"),
        ('{"group": 1, "steps": [], "ended": {"how": "done"}}', "ended is .*done.*truncated"),
        ('{"group": 1, "steps": [], "ended": {"how": "failed", "at": -1}}', "ended.at is -1; a whole number"),
        ('{"group": 1, "steps": [], "ended": {"how": "failed", "cause": 5}}', "ended.cause is 5; a text"),
        ("[" * 100_000, "line 2: .*one whole JSON object"),
    ],
)
def test_a_bad_line_is_said(tmp_path, line, says):
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}\n")
    plays = read_jsonl(path)
    assert next(plays).group == 1, "the lines before it are read"
    with pytest.raises(RecordError, match=says) as error:
        next(plays)
    assert f"{path}, line 2" in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.bad_input
def test_bytes_that_are_no_text_and_files_that_are_not_there_are_said(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(RecordError, match=r"line 1: .*utf-8"):
        list(read_jsonl(tmp_path / "b.jsonl"))
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(RecordError, match=r"cannot read .*check the path"):
            list(read_jsonl(path))


@pytest.mark.bad_input
def test_an_extra_key_with_the_name_of_a_field_is_refused():
    for t in (
        Trajectory(0, extra={"outcome": 1}),
        Trajectory(0, Task(extra={"prompt": ""})),
        Trajectory(0, steps=(Step(extra={"tokens": []}),)),
    ):
        with pytest.raises(RecordError, match=r"extra keys of a .* include .*set the field instead"):
            to_json(t)
