"""Players: a policy, the expert, chance, and a mix of the last two."""

from dataclasses import dataclass, field

import pytest
import torch

from guerdon.batch import Batch
from guerdon.environments.base import Seen
from guerdon.environments.keydoor import Keydoor
from guerdon.environments.vector import InProcess
from guerdon.policies import LastState, WholeHistory, small
from guerdon.records import Task
from guerdon.rollouts import by_policy, by_script, play

KEYDOOR = Keydoor(size=3, subgoals=4, horizon=40, train=4, test=1)


def policy_of(family=KEYDOOR, **options):
    return small(family.words(), width=8, heads=1, layers=1, **options)


def scripted(noise, seed=0, family=KEYDOOR, tasks=None, **options):
    policy, vector = policy_of(family, **options), InProcess(family)
    player = by_script(policy, vector, family.actions(), noise, seed)
    return policy, play(player, vector, tasks or family.tasks("train"))


# The script


def test_without_noise_the_expert_solves_every_task():
    _, played = scripted(0.0)
    assert all((t.outcome, t.ended.how) == (1.0, "finished") for t in played)
    assert all(s.facts["closer"] == 1 for t in played for s in t.steps)


def test_noise_alone_draws_evenly_from_the_actions():
    _, played = scripted(1.0, tasks=KEYDOOR.tasks("train") * 10)
    said = [s.action for t in played for s in t.steps]
    assert set(said) == set(KEYDOOR.actions())
    share = 1 / len(KEYDOOR.actions())
    bound = 5 * (share * (1 - share) / len(said)) ** 0.5
    assert all(abs(said.count(a) / len(said) - share) < bound for a in KEYDOOR.actions())


def test_some_noise_is_in_between():
    _, played = scripted(0.3, tasks=KEYDOOR.tasks("train") * 5)
    closer = [s.facts["closer"] == 1 for t in played for s in t.steps]
    assert 0.6 < sum(closer) / len(closer) < 0.95


def test_the_seed_decides():
    one, same, other = ([s.action for t in scripted(0.5, seed)[1] for s in t.steps] for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("context", [LastState(), LastState(1), WholeHistory()], ids=str)
def test_a_script_writes_down_what_the_policy_would_have_read(context):
    policy, played = scripted(0.2, context=context)
    for it in played:
        done = []
        for step in it.steps:
            turn = context.turn(step.observation, done)
            want = (*policy.format.read(turn.text, not turn.carry), *policy.format.say(step.action))
            assert step.tokens == want
            assert step.logprobs == (0.0,) * len(policy.format.say(step.action))
            done.append(step.action)
    batch = Batch.of(played)
    assert (batch["sampled"].values.sum()) == sum(len(s.logprobs) for t in played for s in t.steps)


# Worlds that list their actions, or whose expert breaks


class Shop:
    """Lists what may be done; its expert does what its task says."""

    def reset(self, task):
        self.task, self.count = task, 0
        return self.seen()

    def step(self, action):
        self.count += 1
        return self.seen()

    def seen(self):
        listed = {} if self.task.prompt == "silent" else {"admissible_commands": f"buy {self.count}; sell {self.count}"}
        return Seen("shop", facts=listed, truncated=self.count == 4, outcome=0.0 if self.count == 4 else None)

    def expert(self):
        if self.task.prompt == "broken":
            raise ValueError("no way")
        return "leave"

    def close(self):
        pass


@dataclass
class Shops:
    name: str = "shops"
    horizon: int = 4
    options: dict = field(default_factory=dict)

    def make(self):
        return Shop()

    def words(self):
        return ["shop", "buy", "sell", "leave", *map(str, range(5))]

    def actions(self):
        return []


def test_chance_draws_from_the_listed_commands_where_the_family_has_none():
    _, played = scripted(1.0, family=Shops(), tasks=[Task("open")] * 20)
    for turn in range(4):
        assert {t.steps[turn].action for t in played} == {f"buy {turn}", f"sell {turn}"}


def test_chance_with_nothing_to_draw_from_says_nothing():
    _, (it,) = scripted(1.0, family=Shops(), tasks=[Task("silent")])
    assert [s.action for s in it.steps] == [""] * 4


def test_an_expert_that_breaks_fails_its_play_and_no_other():
    _, (good, broken) = scripted(0.0, family=Shops(), tasks=[Task("open"), Task("broken")])
    assert [s.action for s in good.steps] == ["leave"] * 4
    assert (broken.ended.how, broken.ended.at, broken.ended.cause) == ("failed", 0, "ValueError: no way")


# The policy


def test_a_policy_plays_and_its_generator_decides():
    policy = policy_of(most=3)

    def actions(seed):
        policy.forget()
        player = by_policy(policy, torch.Generator().manual_seed(seed))
        played = play(player, InProcess(KEYDOOR), KEYDOOR.tasks("train"))
        assert all(len(s.logprobs) <= 3 and s.sequence == i for t in played for i, s in enumerate(t.steps))
        return [s.action for t in played for s in t.steps]

    assert actions(0) == actions(0) != actions(1)
