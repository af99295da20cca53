"""Plays: what happened is written down, and a broken environment breaks one record only."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from guerdon.batch import Batch
from guerdon.environments.base import Seen
from guerdon.environments.keydoor import Keydoor
from guerdon.environments.vector import InProcess, Isolated
from guerdon.errors import EnvironmentFault
from guerdon.records import Ended, Task
from guerdon.rollouts import play, repeated


@dataclass
class Said:
    """An action of the players below; its tokens are made up."""

    text: str
    tokens: tuple[int, ...] | None = (1, 2, 3)
    logprobs: tuple[float, ...] | None = (-0.5,)
    sequence: int | None = 0


class Counter:
    """Counts to the number in its task, or does the mischief that stands there instead."""

    def reset(self, task):
        self.task, self.count = task, 0
        self.mischief(0)
        if (end := task.extra.get("end", 3)) == 0:
            return Seen("over", "over", terminated=True, outcome=0.5)
        self.end = end
        return Seen(f"{task.prompt} 0", "0", facts={"n": 0})

    def step(self, action):
        self.count += 1
        if (answer := self.mischief(self.count)) is not None:
            return answer
        over, cut = self.count == self.end, self.count == self.task.extra.get("cut")
        return Seen(
            f"{self.task.prompt} {self.count}",
            str(self.count),
            reward=0.25,
            terminated=over,
            truncated=cut,
            facts={"n": self.count, "unknown": None, "said": action},
            outcome=1.0 if over else 0.0 if cut else None,
        )

    def mischief(self, count):
        if self.task.extra.get("at") != count:
            return None
        if self.task.extra["does"] == "raise":
            raise KeyError("door")
        if self.task.extra["does"] == "hang":
            time.sleep(1000)
        return {"number": 3, "endless": Seen("x", reward=np.inf), "nothing": "none"}[self.task.extra["does"]]

    def expert(self):
        return "go"

    def close(self):
        pass


@dataclass
class Counters:
    name: str = "counters"
    horizon: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self):
        return Counter()


def task(name="play", **extra):
    return Task(name, extra=extra)


def count(slots, seen):
    """A player that says what it sees."""
    return [Said(f"saw {s.observation}") for s in seen]


def run(*tasks, groups=None, **options):
    return play(count, InProcess(Counters()), tasks, groups, **options)


# What is written down


def test_a_step_holds_what_was_seen_before_and_what_came_after():
    (it,) = run(task("p", end=2))
    first, last = it.steps
    assert (first.observation, first.action, first.state, first.next_state) == ("p 0", "saw p 0", "0", "1")
    assert dict(first.facts) == {"n": 1.0, "unknown": None, "said": "saw p 0"}
    assert (first.reward, first.terminated, last.terminated) == (0.25, False, True)
    assert (last.observation, last.state, last.next_state) == ("p 1", "1", "2")
    assert last.facts["n"] == 2
    assert (first.tokens, first.logprobs, first.sequence) == ((1, 2, 3), (-0.5,), 0)
    assert (it.outcome, it.ended) == (1.0, Ended.finished())


def test_what_was_cut_is_truncated_and_what_is_done_is_finished():
    done, cut, both = run(task(end=2), task(cut=2), task(end=2, cut=2))
    assert [t.ended.how for t in (done, cut, both)] == ["finished", "truncated", "finished"]
    assert cut.ended == Ended.truncated("horizon")
    assert [t.outcome for t in (done, cut, both)] == [1.0, 0.0, 1.0]
    assert [t.steps[-1].terminated for t in (done, cut, both)] == [True, False, True]


def test_a_play_that_is_over_at_its_reset_has_no_steps():
    (it,) = run(task(end=0))
    assert (it.steps, it.outcome, it.ended.how) == ((), 0.5, "finished")


def test_order_and_groups_are_kept_whatever_the_lengths():
    lengths = [3, 1, 4, 1, 5, 2]
    played = run(*[task(f"p{i}", end=n) for i, n in enumerate(lengths)], groups=list("abcabc"))
    assert [t.task.prompt for t in played] == [f"p{i}" for i in range(6)]
    assert [len(t.steps) for t in played] == lengths
    assert [t.group for t in played] == list("abcabc")
    assert all(s.observation == f"{t.task.prompt} {i}" for t in played for i, s in enumerate(t.steps))
    assert [t.group for t in run(task(), task())] == [0, 1]


def test_only_those_that_are_under_way_are_asked():
    asked = []

    def player(slots, seen):
        asked.append(list(slots))
        return count(slots, seen)

    over = []
    play(player, InProcess(Counters()), [task(end=n) for n in (2, 1, 3)], progress=over.append)
    assert asked == [[0, 1, 2], [0, 2], [2]]
    assert over == [1, 2, 3]


def test_an_environment_without_an_end_is_cut_at_the_horizon():
    endless, short = run(task(end=-1), task(end=2), horizon=5)
    assert (len(endless.steps), endless.ended, endless.outcome) == (5, Ended.truncated("horizon"), None)
    assert (len(short.steps), short.ended.how) == (2, "finished")
    assert run(task(end=2), horizon=2)[0].ended.how == "finished"
    assert run(task(end=2, at=2, does="raise"), horizon=2)[0].ended.how == "failed"


def test_no_tasks_are_no_plays():
    assert play(count, InProcess(Counters()), []) == []


def test_repeated_stands_side_by_side():
    tasks, groups = repeated([task("a"), task("b")], 3)
    assert [t.prompt for t in tasks] == list("aaabbb")
    assert groups == [0, 0, 0, 1, 1, 1]
    assert repeated([], 3) == ([], [])


def test_plays_become_a_batch():
    batch = Batch.of(run(task(end=2), task(cut=1), task(end=3, at=2, does="raise"), groups=[0, 0, 1]))
    assert batch["truncated"].values.tolist() == [False, True, False]
    assert batch["failed"].values.tolist() == [False, False, True]
    assert batch["reward"].valid.tolist() == [True, True, True, True, False]


# What breaks


@pytest.mark.parametrize("does", ["raise", "number", "endless", "nothing"])
@pytest.mark.parametrize("at", [1, 2])
def test_what_breaks_ends_as_failed_and_the_others_go_on(does, at):
    before, broken, after = run(task("a"), task("b", at=at, does=does), task("c"))
    assert before == run(task("a"))[0]
    assert after.steps == run(task("c"))[0].steps
    assert broken.ended.how == "failed" and broken.ended.at == at - 1 == len(broken.steps) - 1
    assert broken.ended.cause.startswith("KeyError: 'door'" if does == "raise" else "returned")
    assert broken.outcome is None
    last = broken.steps[-1]
    assert (last.reward, last.next_state, dict(last.facts), last.terminated) == (None, None, {}, False)
    assert last.action == f"saw b {at - 1}"  # what was sampled stays


def test_a_fault_at_reset_is_a_play_without_steps():
    good, broken = run(task("a"), task(at=0, does="raise"))
    assert good.ended.how == "finished"
    assert (broken.steps, broken.outcome, broken.ended) == ((), None, Ended.failed(0, "KeyError: 'door'"))


def test_faults_everywhere_still_end():
    played = run(*[task(at=0, does="raise")] * 3)
    assert [t.ended.how for t in played] == ["failed"] * 3


def test_an_environment_that_hangs_costs_its_own_play_and_its_deadline():
    vector = Isolated(Counters(), deadline=1.0)
    try:
        began = time.monotonic()
        good, hung, also = play(count, vector, [task("a"), task("b", at=2, does="hang"), task("c", at=1, does="raise")])
        assert time.monotonic() - began < 20
    finally:
        vector.close()
    assert (len(good.steps), good.ended.how) == (3, "finished")
    assert hung.ended == Ended.failed(1, "no answer within 1 s")
    assert also.ended == Ended.failed(0, "KeyError: 'door'")


def test_a_real_world_is_played_to_its_horizon():
    family = Keydoor(size=3, subgoals=2, horizon=6)
    played = play(lambda slots, seen: [Said("sing")] * len(slots), InProcess(family), family.tasks("train"))
    assert all(len(t.steps) == 6 and t.ended == Ended.truncated("horizon") and t.outcome == 0 for t in played)
    assert all(s.facts["action_valid"] == 0 and s.next_state == s.state for t in played for s in t.steps)


# What the policy cannot read ends its play, not the run.


def test_a_player_that_cannot_read_what_it_sees_ends_that_play_before_the_step():
    def player(slots, seen):
        return [EnvironmentFault("too long") if s == 1 and o.state == "2" else Said("go") for s, o in zip(slots, seen)]

    first, second = play(player, InProcess(Counters()), [Task("a"), Task("b")])
    assert first.ended == Ended.finished()
    assert second.ended == Ended.failed(at=2, cause="too long")
    assert len(second.steps) == 2
    assert second.outcome is None
    batch = Batch.of([first, second])
    assert batch["reward"].tolist() == [0.25] * 5  # what came before counts as it was
