"""Vectors: what breaks is a value, it comes on time, and nobody else loses by it."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from guerdon.environments import vector
from guerdon.environments.base import Seen
from guerdon.environments.vector import InProcess, Isolated
from guerdon.errors import EnvironmentFault, ShapeError
from guerdon.records import Task

DEADLINE = 3.0  # seconds; an innocent neighbour answers in milliseconds, but a busy machine may not let it
LATE = 3.0  # how much later than its deadline a fault may come, on a busy machine


def sleep():
    time.sleep(1000)


def spin():
    while True:
        pass


def hold_the_gil():
    return pow(3, 10**9)  # one call in C that does not let go


def deafen():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep()


def leave():
    os._exit(3)


def leave_politely():
    sys.exit("enough")


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def raise_key_error():
    raise KeyError("door")


def exhaust_the_stack():
    return exhaust_the_stack()


class Speechless(Exception):
    def __str__(self):
        raise ValueError


def raise_speechless():
    raise Speechless


def lie():
    """Writes on every open line to the parent what no environment would say."""
    for number in range(3, 64):
        try:
            os.write(number, b'["answer", {"observation": 7}]\n')
        except OSError:
            continue
    sleep()


MISCHIEF = {
    "sleep": sleep,
    "spin": spin,
    "hold the gil": hold_the_gil,
    "deafen": deafen,
    "leave": leave,
    "leave politely": leave_politely,
    "crash": crash,
    "raise": raise_key_error,
    "recurse": exhaust_the_stack,
    "speechless": raise_speechless,
    "lie": lie,
    "int": lambda: 3,
    "none": lambda: None,
    "nan": lambda: Seen("x", reward=math.nan),
    "infinite outcome": lambda: Seen("x", outcome=math.inf),
    "bytes": lambda: Seen(b"x"),
    "state": lambda: Seen("x", state=4),
    "ended": lambda: Seen("x", terminated=1),
    "facts": lambda: Seen("x", facts=[1]),
    "fact": lambda: Seen("x", facts={"milestones": math.nan}),
    "reward text": lambda: Seen("x", reward="1"),
    "large": lambda: Seen("x" * (vector.LONGEST_ANSWER + 1)),
    "large but fine": lambda: Seen("x" * 1_000_000),
    "numpy": lambda: Seen("x", reward=np.float32(0.5), terminated=np.bool_(True), facts={"n": np.int64(2)}),
}


class Counter:
    """Counts steps; at the third it does the mischief that its task names."""

    def reset(self, task):
        self.task, self.count = task, 0
        if task.extra.get("at") == "reset":
            return MISCHIEF[task.extra["mischief"]]()
        return Seen(f"{task.prompt} begins", state="0")

    def step(self, action):
        self.count += 1
        if self.count == 3 and self.task.extra.get("at", "step") == "step" and "mischief" in self.task.extra:
            return MISCHIEF[self.task.extra["mischief"]]()
        facts = {"n": self.count, "said": action, "pid": os.getpid(), "gone": None}
        return Seen(f"{self.task.prompt} {self.count}", str(self.count), reward=1, facts=facts)

    def expert(self):
        if self.task.extra.get("at") == "expert":
            return MISCHIEF[self.task.extra["mischief"]]()
        return f"say {self.count}"

    def close(self):
        if at := self.task.extra.get("closes"):
            Path(at).write_text("closed")


@dataclass
class Counters:
    name: str = "counters"
    horizon: int = 10
    trusted: bool = False
    options: dict = field(default_factory=dict)

    def make(self):
        return Counter()


def plays(*mischief, at="step"):
    return [Task(f"play {i}", extra={"mischief": what, "at": at} if what else {}) for i, what in enumerate(mischief)]


@pytest.fixture(params=[InProcess, Isolated])
def counters(request):
    made = request.param(Counters())
    yield made
    made.close()


@pytest.fixture
def isolated():
    made = Isolated(Counters(), deadline=DEADLINE)
    yield made
    made.close()


def fork_of(seen):
    return int(seen.facts["pid"])


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids, within=5.0):
    until = time.monotonic() + within
    while time.monotonic() < until and any(map(alive, pids)):
        time.sleep(0.02)
    return not any(map(alive, pids))


# What every vector does.


def test_each_slot_plays_its_own_task(counters):
    assert [seen.observation for seen in counters.reset(plays(None, None, None))] == [
        "play 0 begins",
        "play 1 begins",
        "play 2 begins",
    ]
    counters.step({1: "a"})
    said = counters.step({2: "c", 1: "b"})
    assert list(said) == [2, 1]
    assert (said[1].observation, said[2].observation) == ("play 1 2", "play 2 1")
    assert (said[1].facts["said"], said[1].reward, said[1].state, said[1].facts["gone"]) == ("b", 1.0, "2", None)
    assert counters.expert([0, 2]) == {0: "say 0", 2: "say 1"}


def test_a_reset_begins_again_with_more_or_fewer_slots(counters):
    counters.reset(plays(None))
    counters.step({0: "a"})
    assert len(counters.reset(plays(None, None, None))) == 3
    assert counters.step({0: "a", 2: "a"})[0].observation == "play 0 1"
    counters.reset(plays(None))
    with pytest.raises(ShapeError, match=r"slot 2.*1 plays"):
        counters.step({2: "a"})


def test_no_slots_is_fine(counters):
    assert (counters.reset([]), counters.step({}), counters.expert([])) == ([], {}, {})


RETURNED = {
    "raise": "KeyError: 'door'",
    "recurse": "RecursionError",
    "speechless": "Speechless",
    "leave politely": "SystemExit: enough",
    "int": "returned int, not Seen",
    "none": "returned NoneType, not Seen",
    "nan": "returned reward that is nan",
    "infinite outcome": "returned outcome that is inf",
    "bytes": "returned an observation that is bytes",
    "state": "returned a state key that is int",
    "ended": "returned terminated that is 1",
    "facts": "returned facts that are list",
    "fact": "returned fact 'milestones' that is nan",
    "reward text": "returned reward that is str",
}


def test_nonsense_and_exceptions_are_faults_with_their_cause(counters):
    counters.reset(plays(*RETURNED, None))
    last = len(RETURNED)
    for _ in range(3):
        said = counters.step(dict.fromkeys(range(last + 1), "go"))
    for slot, cause in enumerate(RETURNED.values()):
        assert isinstance(said[slot], EnvironmentFault) and str(said[slot]).startswith(cause), said[slot]
    assert said[last].observation == f"play {last} 3"


def test_a_fault_stays_until_the_next_reset(counters):
    counters.reset(plays("raise", at="reset") + plays(None))
    first = counters.step({0: "go", 1: "go"})
    assert str(first[0]) == "KeyError: 'door'" and first[1].observation == "play 0 1"
    assert str(counters.expert([0])[0]) == "KeyError: 'door'"
    assert counters.reset(plays(None))[0].observation == "play 0 begins"


def test_an_expert_that_fails_is_a_fault_of_the_play(counters):
    counters.reset(plays("raise", "int", None, at="expert"))
    said = counters.expert([0, 1, 2])
    assert (str(said[0]), str(said[1]), said[2]) == ("KeyError: 'door'", "expert returned int, not text", "say 0")
    assert isinstance(counters.step(said)[0], EnvironmentFault)


def test_numpy_scalars_become_plain_and_large_answers_come_whole(counters):
    counters.reset(plays("numpy", "large but fine"))
    for _ in range(3):
        said = counters.step({0: "go", 1: "go"})
    assert (said[0].reward, said[0].terminated, said[0].facts) == (0.5, True, {"n": 2.0})
    assert len(said[1].observation) == 1_000_000


def test_the_family_says_how_it_is_played():
    assert isinstance(vector.of(Counters(trusted=True)), InProcess)
    assert isinstance(vector.of(Counters()), Isolated)


def test_in_process_reuses_environments_over_resets():
    made = []

    class Counted(Counters):
        def make(self):
            made.append(Counter())
            return made[-1]

    counters = InProcess(Counted())
    for _ in range(3):
        counters.reset(plays(None, None))
    assert len(made) == 2


def test_in_process_lets_an_interrupt_through():
    class Interrupted(Counters):
        def make(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InProcess(Interrupted()).reset(plays(None))


# What only processes can do.

ENDED = {
    "sleep": "no answer within 3 s",
    "spin": "no answer within 3 s",
    "hold the gil": "no answer within 3 s",
    "deafen": "no answer within 3 s",
    "leave": "its process ended (exit code 3)",
    "crash": "its process ended (exit code -11)",
    "lie": "its process answered out of form|returned an observation that is int",
    "large": "returned an answer of more than",
}


@pytest.mark.parametrize("at", ["step", "reset", "expert"])
def test_hostile_environments_end_on_time_and_the_others_lose_nothing(isolated, at):
    tasks = plays(*ENDED, at=at) + plays(None)
    last = len(ENDED)
    isolated.reset([tasks[-1]] * (last + 1))  # processes are made before the clock runs
    pids = [fork_of(seen) for seen in isolated.step(dict.fromkeys(range(last + 1), "go")).values()]
    start = time.monotonic()
    said = dict(enumerate(isolated.reset(tasks)))
    if at == "step":
        for _ in range(3):
            said = isolated.step(dict.fromkeys(range(last + 1), "go"))
    elif at == "expert":
        said = isolated.expert(range(last + 1))
    assert time.monotonic() - start < DEADLINE + LATE
    for slot, cause in enumerate(ENDED.values()):
        if (at, slot) != ("expert", list(ENDED).index("large")):
            assert isinstance(said[slot], EnvironmentFault), said[slot]
            assert any(str(said[slot]).startswith(one) for one in cause.split("|")) or at == "expert", said[slot]
    assert not isinstance(said[last], EnvironmentFault)
    assert gone(pids[:7]) and alive(pids[last])
    assert all(isinstance(seen, Seen) for seen in isolated.reset(plays(*[None] * (last + 1))))


def test_every_slot_hangs_and_it_still_takes_one_deadline(isolated):
    isolated.reset(plays(*[None] * 8))
    start = time.monotonic()
    said = isolated.reset(plays(*["sleep"] * 8, at="reset"))
    assert {str(fault) for fault in said} == {"no answer within 3 s"}
    assert time.monotonic() - start < DEADLINE + LATE


def test_few_workers_do_the_same_work():
    counters = Isolated(Counters(), workers=2)
    counters.reset(plays(*[None] * 5))
    assert [seen.facts["n"] for seen in counters.step(dict.fromkeys(range(5), "go")).values()] == [1.0] * 5
    counters.close()


def test_slots_are_processes_that_work_at_the_same_time(isolated):
    isolated.reset(plays(None, None))
    pids = {fork_of(seen) for seen in isolated.step({0: "a", 1: "a"}).values()}
    assert len(pids) == 2 and os.getpid() not in pids


def test_close_leaves_no_process_and_lets_environments_close(tmp_path):
    counters = Isolated(Counters(), deadline=DEADLINE)
    counters.reset([Task("fine", extra={"closes": str(tmp_path / "note")}), *plays("spin", at="expert")])
    pids = [fork_of(seen) for seen in counters.step({0: "a", 1: "a"}).values()]
    threading.Timer(0.2, os.kill, (pids[1], signal.SIGSTOP)).start()  # this one will not close by itself
    time.sleep(0.3)
    counters.close()
    assert gone(pids, within=0.5) and (tmp_path / "note").read_text() == "closed"


def test_a_stopped_child_that_is_sent_more_than_fits_is_a_fault(isolated):
    isolated.reset(plays(None))
    os.kill(fork_of(isolated.step({0: "a"})[0]), signal.SIGSTOP)
    assert str(isolated.step({0: "x" * 10**7})[0]) == "no answer within 3 s"


PARENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with it ignored
import sys, time
sys.path.insert(0, {folder!r})
from test_vector import Counters, plays
from guerdon.environments.vector import Isolated
it = Isolated(Counters())  # no guarded entry point: a child must not run this file again
it.reset(plays(None, None, "spin"))
for _ in range(2):
    said = it.step({{0: "a", 1: "a", 2: "a"}})
print(*[int(seen.facts["pid"]) for seen in said.values()], flush=True)
{then}
"""


def parent(tmp_path, then):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(Path(__file__).parent), then=then))
    running = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    with running.stdout as said:
        return running, [int(pid) for pid in said.readline().split()]


def test_children_die_with_a_parent_that_is_killed(tmp_path):
    running, pids = parent(tmp_path, 'it.step({0: "a", 1: "a", 2: "a"})')
    assert len(pids) == 3 and all(map(alive, pids))
    time.sleep(0.3)  # now one of them spins
    running.kill()
    running.wait()
    assert gone(pids)


def test_children_ignore_an_interrupt_and_go_when_the_program_ends(tmp_path):
    running, pids = parent(tmp_path, "time.sleep(1000)")
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    assert all(map(alive, pids))
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(10) != 0
    assert gone(pids)


def test_a_program_that_forgets_to_close_still_ends(tmp_path):
    running, pids = parent(tmp_path, "pass")
    assert running.wait(10) == 0
    assert gone(pids)


def test_a_family_of_the_main_file_is_played(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "from guerdon.environments.base import Seen\n"
        "from guerdon.environments.vector import Isolated\n"
        "from guerdon.records import Task\n"
        "class World:\n"
        "    def make(self): return Play()\n"
        "class Play:\n"
        "    def reset(self, task): return Seen('hello ' + task.prompt)\n"
        "    def close(self): pass\n"
        "if __name__ == '__main__':\n"
        "    it = Isolated(World())\n"
        "    print(it.reset([Task('you')])[0].observation)\n"
        "    it.close()\n"
    )
    assert subprocess.run([sys.executable, script], capture_output=True, text=True).stdout == "hello you\n"


def test_a_family_that_cannot_be_sent_is_refused_with_the_way_out():
    with pytest.raises(EnvironmentFault, match=r"cannot be pickled.*trusted = True"):
        Isolated(Counters(options={"lock": threading.Lock()}))


def test_a_family_from_a_file_reaches_its_processes(tmp_path):
    from guerdon.environments import get

    path = tmp_path / "world.py"
    path.write_text(
        "from guerdon.environments.base import Seen\n"
        "class World:\n"
        "    name, horizon, options = 'world', 3, {}\n"
        "    def make(self): return Play()\n"
        "class Play:\n"
        "    def reset(self, task): return Seen('hello ' + task.prompt)\n"
        "    def close(self): pass\n"
    )
    world = vector.of(get(f"{path}:World"))
    assert [seen.observation for seen in world.reset(plays(None, None))] == ["hello play 0", "hello play 1"]
    assert str(world.step({0: "go"})[0]).startswith("AttributeError")
    world.close()
