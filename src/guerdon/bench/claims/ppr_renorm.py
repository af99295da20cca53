"""PPR's shift of step scores: what it does to the length of plays when a judge likes useless steps."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.claims.iterresearch_eapo import FOUND, GO_ON, HORIZON, NEEDED, USELESS, chain
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.credit import Credit, Others, Turn, before_end, centred, to_go_of
from guerdon.recipes import ppr_renorm, rloo
from guerdon.rewards import Term, at_end, fact

BUDGET, ACCEPTS = 40_000, (0.0, 0.6)  # the share of useless steps that the judge accepts
SCORE = fact("judge_score")
Array = np.ndarray


def compared(reward: Term) -> Credit:
    """Returns to go against the others at the same turn, in place of a critic."""
    return centred(to_go_of(reward), by=("prompt", Turn()), baseline=Others())


RULES = {
    "shifted": compared(ppr_renorm.reward()), "added": compared(before_end(SCORE) + at_end(fact("outcome"))),
    "outcome alone": rloo.RECIPE.credit,
}  # fmt: skip


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Success and length at the end of training for each rule and judge."""
    world, start, found = chain(), int(rng.integers(2**32)), {}
    for accepts in ACCEPTS:
        for name, credit in RULES.items():
            own = np.random.default_rng(start)

            def judge(plays: Plays, logits: Array, own: Generator = own, accepts: float = accepts) -> dict[str, Column]:
                liked = (plays.action == GO_ON) | ((plays.action == USELESS) & (own.random(len(plays)) < accepts))
                return {"judge_score": Column.of("step", liked.astype(float))}

            curve = learn(world, credit, own, effort.of(BUDGET), facts=judge, watch=reaches(world, FOUND),
                          stepper=Plain(0.1))  # fmt: skip
            success, length = curve.final()
            found[f"success, {name}, judge accepts {accepts:g}"] = success
            found[f"length, {name}, judge accepts {accepts:g}"] = length
    return found


def run(seed: int, effort: Effort) -> Result:
    """Success of the shifted form against the plain sum, with a judge that accepts useless steps."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"success, {name}, judge accepts {ACCEPTS[1]:g}") for name in ("shifted", "added"))
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"{NEEDED} rounds are needed, at most {HORIZON}; {BUDGET} environment steps each. Holds if success at the "
        "end is above that of scores added as they are, under a judge that accepts most useless rounds. Within "
        "successes each further round still adds its score, so what the shift does to length is in the rows.",
    )  # fmt: skip


CLAIM = Claim(
    "ppr-renorm", "step scores shifted by the outcome",
    "Hybrid Reward Normalization for Process-supervised Non-verifiable Agentic Tasks",
    "Centring step scores and the outcome before adding them makes their signs agree, where plain step rewards "
    "destabilise training.",
    run,
)  # fmt: skip
