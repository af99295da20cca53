"""TW-GRPO's weights: which places of a text they call decisive, with and without an end of a text."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import min_max
from guerdon.credit.tokens import divergence
from guerdon.environments import tabular
from guerdon.recipes import tw_grpo
from guerdon.rewards import affine, fact

PLAYS, FILLER, ANSWER, WORDS = 8, 12, 4, 200
Array = np.ndarray


def group(rng: Generator, ends_early: int, sampled_filler: bool) -> tuple[Array, Array]:
    """Next-word log-probabilities of a group's plays, and their lengths.

    Plays agree about the filler, unless it was sampled and so gives each its own context; they disagree about the
    answer. `ends_early` plays end before the answer.
    """
    alike = rng.normal(size=(1, FILLER, WORDS)) * 2
    own = rng.normal(size=(PLAYS, FILLER, WORDS)) * 2
    answer = np.repeat(rng.normal(size=(1, ANSWER, WORDS)) * 2, PLAYS, 0)
    answer[np.arange(PLAYS), :, rng.integers(4, size=PLAYS)] += 6.0
    logits = np.concatenate([own if sampled_filler else np.repeat(alike, PLAYS, 0), answer], axis=1)
    length = np.full(PLAYS, FILLER + ANSWER)
    length[:ends_early] = FILLER
    return np.log(tabular.softmax(logits)), length


def weights(logprob: Array, length: Array) -> tuple[Array, Array]:
    """The mean weight of answer tokens over that of filler tokens is read off these two: weights and places."""
    far = divergence(logprob, length)
    home, play, place = plays_of_length(np.zeros(PLAYS, int), length)
    batch = Batch.from_steps(group=home, trajectory=play, reward=(play == 0).astype(float), tokens_per_step=1)
    batch = batch.with_columns(divergence=Column.of("token", far[place]))
    weight = affine(min_max(fact("divergence"), by="prompt"), scale=tw_grpo.ALPHA - 1.0, offset=1.0)(batch).values
    return weight, place


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The share of the weight on answer tokens over their share of the tokens, in three cases."""
    found: dict[str, list[float]] = {}
    cases = {"shared filler": (0, False), "sampled filler": (0, True), "shared filler, one play ends early": (1, False)}
    for _ in range(effort.of(40, least=5)):
        for name, (early, sampled) in cases.items():
            weight, place = weights(*group(rng, early, sampled))
            focus = weight[place >= FILLER].mean() / weight[place < FILLER].mean()
            found.setdefault(f"answer over filler, {name}", []).append(float(focus))
            found.setdefault(f"mean weight, {name}", []).append(float(weight.mean()))
        logprob, _ = group(rng, 0, False)
        fill = divergence(logprob, np.r_[FILLER, np.full(PLAYS - 1, FILLER + ANSWER)])
        real = divergence(logprob, np.full(PLAYS, FILLER + ANSWER))
        found.setdefault("divergence past the end over that of the answer", []).append(
            float(fill[FILLER:].mean() / real[FILLER:].mean())
        )
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """Where filler is sampled by each play, as it is in practice; the control is filler that all plays share."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("answer over filler, sampled filler"), found.pop("answer over filler, shared filler")
    return Result(
        figure, control, figure.above(1.1), tuple(found.values()),
        f"Mean weight of answer tokens over that of filler tokens; the most is {tw_grpo.ALPHA:g}. The control is "
        "the best case: all plays have one filler. Holds if the focus is above 1.1 where each play has filler of "
        "its own.",
    )  # fmt: skip


CLAIM = Claim(
    "tw-grpo", "weights by disagreement of the group",
    "Reinforcing Video Reasoning with Focused Thinking",
    "Weighing tokens by how much the group's next-token distributions differ there moves the gradient from filler "
    "to the tokens that decide.",
    run,
)  # fmt: skip
