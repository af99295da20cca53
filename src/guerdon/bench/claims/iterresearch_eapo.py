"""IterResearch's discount by rounds left: shorter searches, and what pooled z-scores say of equal plays."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, no_facts, plays_of_length, reaches
from guerdon.bench.world import World
from guerdon.credit import Credit, Std, Turn, centred, to_go_of
from guerdon.recipes import grpo, iterresearch_eapo

NEEDED, HORIZON, BUDGET = 4, 16, 60_000
GO_ON, USELESS, GIVE_UP = range(3)
FOUND, LOST = NEEDED, NEEDED + 1
Array = np.ndarray


def chain() -> World:
    """Four needed rounds; a useless one changes nothing, and giving up ends the search."""
    after, reward = np.zeros((NEEDED + 2, 3), int), np.zeros((NEEDED + 2, 3))
    for at in range(NEEDED):
        after[at] = at + 1, at, LOST
    reward[NEEDED - 1, GO_ON] = 1.0
    after[FOUND], after[LOST] = FOUND, LOST
    return World(
        after, reward, np.eye(NEEDED + 2)[0], np.arange(NEEDED + 2) >= FOUND, HORIZON, np.arange(NEEDED + 2), "rounds"
    )


def rules() -> dict[str, Credit]:
    """The recipe, by turn, its wrong variant that sums the discounted rewards again, and the outcome for all rounds."""
    rounds = to_go_of(iterresearch_eapo.at_end(iterresearch_eapo.OUTCOME), iterresearch_eapo.GAMMA)
    return {
        "eapo": iterresearch_eapo.credit(), "outcome on all rounds": grpo.CREDIT,
        "eapo by turn": iterresearch_eapo.credit(by=("prompt", Turn())),
        "summed once more": centred(to_go_of(rounds), scale=Std(grpo.EPS)),
    }  # fmt: skip


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Length and success at the end of training; z-scores of rounds where every play is alike and right."""
    world, start, found = chain(), int(rng.integers(2**32)), {}
    for name, credit in rules().items():
        curve = learn(world, credit, np.random.default_rng(start), effort.of(BUDGET), facts=no_facts,
                      watch=reaches(world, FOUND), stepper=Plain(0.1))  # fmt: skip
        found[f"success, {name}"], found[f"length, {name}"] = curve.final()
    length = np.full(8, 10)
    group, play, place = plays_of_length(np.zeros(8, int), length)
    batch = Batch.from_steps(group=group, trajectory=play, reward=(place == 9).astype(float))
    pooled = iterresearch_eapo.credit(gamma=0.9)(batch).values
    found["first round's credit, all plays right"], found["last round's credit, all plays right"] = pooled[0], pooled[9]
    found["first round's credit by turn, all plays right"] = iterresearch_eapo.credit(0.9, by=("prompt", Turn()))(
        batch
    ).values[0]
    return found


def run(seed: int, effort: Effort) -> Result:
    """Length against that under the outcome for all rounds."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("length, eapo"), found.pop("length, outcome on all rounds")
    worse = found["success, eapo"].below(found["success, outcome on all rounds"])
    return Result(
        figure, control, figure.below(control) and not worse, tuple(found.values()),
        f"{NEEDED} rounds are needed, at most {HORIZON}; {BUDGET} environment steps each. Holds if plays are "
        "shorter than under the outcome for all rounds, at no lower success. In a group of equal right plays of "
        "10 rounds nothing is to be learned, yet the pooled z-score blames the first round and praises the last.",
    )  # fmt: skip


CLAIM = Claim(
    "iterresearch-eapo", "a discount by rounds left, in pooled z-scores",
    "IterResearch: Rethinking Long-Horizon Agents via Markovian State Reconstruction",
    "Paying each round the outcome discounted by the rounds still to come teaches searches to be efficient.",
    run,
)  # fmt: skip
