"""EAPO (IterResearch): a round is worth the outcome, less the further it is from the end.

Paper       IterResearch: Rethinking Long-Horizon Agents via Markovian State Reconstruction. 2025.
            arXiv:2511.07327.
Idea        Rounds are samples of their own, so all rounds of a prompt are one group, and a
            discount makes short successes worth more than long ones.
Composes    centred(to_go_of(at_end(outcome), GAMMA), scale=Std(EPS)); the ratio of a round as a whole.

Symbols     r[t] = GAMMA^(T - t) * R_T,   which is the return of the round and is not summed again
            A    = (r - mean over all rounds of all plays of the prompt) / (their std + EPS)

With all outcomes right the pooled mean still sets early rounds below 0 and late ones above, which
says nothing of the plays: `credit(by=("prompt", Turn()))` compares rounds of one index and does not.

Departures  GAMMA is not given where we could read. Which rounds are kept, so that their number divides over
            devices, is the trainer's. A long play has more rounds in the mean, as in the paper.

Example (0.95 and 1 for the rounds of a success, 0 for a failure's: mean 0.65):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(2)
    array([ 0.53,  0.62, -1.15])
"""

from guerdon.credit import Credit, Keys, Std, at_size_of, centred, to_go_of
from guerdon.credit.keys import PROMPT
from guerdon.objectives import Clipped, StepMean, StepRatio, TokenGradient
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import at_end, fact

GAMMA = 0.95  # ours: not found in the paper; 20 rounds before the end a success is worth a third
LOW = 3e-4  # UNVERIFIED: GSPO, section 5.1
HIGH = 4e-4  # UNVERIFIED: GSPO, section 5.1
EPS = 1e-4  # code: as in grpo

OUTCOME = fact("outcome")


def credit(gamma: float = GAMMA, by: Keys = PROMPT) -> Credit:
    """The advantage with another discount, or with rounds compared by something else beside the prompt."""
    return centred(to_go_of(at_end(OUTCOME), gamma), by=by, scale=Std(EPS))


RECIPE = with_control(
    Recipe(
        name="iterresearch-eapo",
        title="IterResearch (EAPO)",
        paper="IterResearch, 2025, arXiv:2511.07327",
        idea="Discount the outcome by the rounds that follow, and compare all rounds of a prompt.",
        reward=OUTCOME,
        credit=credit(),
        objective=Clipped(low=LOW, high=HIGH, ratio=TokenGradient(StepRatio()), reduce=StepMean()),
        numbers={
            "GAMMA": Number(GAMMA, "ours", "not found in the paper"),
            "LOW": Number(LOW, "UNVERIFIED", "GSPO, arXiv:2507.18071, section 5.1"),
            "HIGH": Number(HIGH, "UNVERIFIED", "GSPO, arXiv:2507.18071, section 5.1"),
            "EPS": Number(EPS, "code", "as in grpo"),
        },
        alone="a group of one gets zero; one that agrees on success gets early rounds below the mean, late ones above",
        baseline=grpo.RECIPE,
    ),
    "EAPO's direction at GRPO's size",
    at_size_of(credit(), grpo.CREDIT),
)
