"""EMPG's entropy law: how large the gradient of a softmax is, by its entropy."""

from __future__ import annotations

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.credit.tokens import prediction_error
from guerdon.environments import tabular

POLICIES, DRAWS = 100, 4000


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean absolute distance of the measured E||grad||^2 from the law, and from the same with another entropy."""
    errors: dict[str, list[float]] = {"Renyi-2": [], "Shannon": [], "sampling error to expect": []}
    draws = effort.of(DRAWS, least=500)
    for _ in range(effort.of(POLICIES, least=20)):
        pi = tabular.softmax(rng.normal(size=int(rng.integers(2, 50))) * rng.uniform(0.1, 4.0))
        token = rng.choice(len(pi), size=draws, p=pi)
        square = (prediction_error(np.broadcast_to(pi, (draws, len(pi))), token) ** 2).sum(1)
        collision, shannon = -np.log((pi**2).sum()), -(pi * np.log(pi)).sum()
        errors["Renyi-2"].append(abs(square.mean() - (1 - np.exp(-collision))))
        errors["Shannon"].append(abs(square.mean() - (1 - np.exp(-shannon))))
        errors["sampling error to expect"].append(np.sqrt(2 / np.pi) * square.std(ddof=1) / np.sqrt(draws))
    return {name: float(np.mean(values)) for name, values in errors.items()}


def run(seed: int, effort: Effort) -> Result:
    """Over random softmax policies of 2 to 50 actions."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("Renyi-2").named("distance from the law"), found.pop("Shannon")
    expected = found["sampling error to expect"]
    return Result(
        figure, control.named("distance with Shannon's entropy"),
        figure.below(control) and figure.mean < 1.5 * expected.mean, tuple(found.values()),
        "Mean absolute distance of the sampled mean square of the gradient by the logits. Holds if it is within "
        "1.5 times what sampling alone gives, and below that of the control, the same law with Shannon's entropy.",
    )  # fmt: skip


CLAIM = Claim(
    "empg-entropy", "the gradient's size follows the entropy",
    "Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents",
    "For a softmax, the expected squared gradient of log pi by the logits is 1 - exp(-H2), H2 the Renyi-2 entropy.",
    run,
)  # fmt: skip
