"""PIPO: an update is judged by the batch after it, and repeated or taken back.

Paper       Policy Improvement Reinforcement Learning. 2026. arXiv:2604.00860.
Idea        Whether the last update made the policy better shows in the next batch; so do it once more where
            it did, and a little less where it did not.
Composes    either(grpo of fresh plays, modulate(attributed(grpo of replayed plays), by=rectified(improvement)));
            Clipped + On("replayed", Clipped).

Symbols     xi   = (mean outcome of the fresh plays - history_mean) / (history_std + EPS_XI): the last WINDOW batches
            phi  = xi where xi >= 0, else HARM * xi
            A[i] = GRPO's advantage                                      fresh plays
            A[i] = phi * n A_grpo[i] / sum over the group of |A_grpo|    replayed plays: those of the batch before

`guerdon.credit.retrospect.RecentBatches` keeps the history; put its columns on before it is updated, or the mean is in
its own anchor. Before it has WINDOW batches the replayed plays are dropped, and this is GRPO.

Departures  One step on both batches; the paper takes the step on the old one first. Its code clamps
            mean - history_mean to [-5, 5] and the result to [-10, 10], which outcomes in [0, 1] seldom reach. HARM is
            the paper's; the released default is 0.

Example (fresh plays succeed half of the time, plays before a quarter, give or take an eighth: xi is 2):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 0.0])
    >>> batch = batch.with_columns(replayed=Column.of("trajectory", [False, False, True, True]))
    >>> batch = batch.with_columns(history_mean=Column.of("group", [0.25] * 2))
    >>> batch = batch.with_columns(history_std=Column.of("group", [0.125] * 2))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.707, -0.707,  2.   , -2.   ])
"""

from guerdon.credit import Credit, Std, centred, modulate, only_where, shuffled
from guerdon.credit.retrospect import attributed, either, improvement, rectified
from guerdon.objectives import Objective, On
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact

HARM = 0.1  # UNVERIFIED: notes on the paper, lambda
EPS_XI = 1e-6  # code: alpha_std
WINDOW = 8  # code: K

OUTCOME, REPLAYED = fact("outcome"), fact("replayed")
FRESH = affine(REPLAYED, scale=-1.0, offset=1.0)


def credit(harm: float = HARM, signal: Term = OUTCOME) -> Credit:
    """The advantage with another weight for bad news, or another signal to judge updates by."""
    of_fresh, of_old = (
        only_where(centred(OUTCOME, scale=Std(grpo.EPS), weight=some), where=some) for some in (FRESH, REPLAYED)
    )
    verdict = rectified(improvement(signal, FRESH, eps=EPS_XI), harm)
    return either(of_fresh, modulate(attributed(of_old), by=verdict))


def objective(base: Objective = grpo.OBJECTIVE) -> Objective:
    """Any objective, and once more on the batch before this one."""
    return base + On("replayed", base)


RECIPE = with_control(
    Recipe(
        name="pipo",
        title="PIPO",
        paper="Policy Improvement Reinforcement Learning, 2026, arXiv:2604.00860",
        idea="Repeat the last update where the policy got better for it, take it back where not.",
        reward=OUTCOME,
        credit=credit(),
        objective=objective(),
        numbers={
            "HARM": Number(HARM, "UNVERIFIED", "notes on the paper; the released default is 0"),
            "EPS_XI": Number(EPS_XI, "code", "core_algos.py"),
            "WINDOW": Number(WINDOW, "code", "algorithm.py; the window of RecentBatches"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="history",
        needs=("outcome", "replayed", "history_mean", "history_std"),
        baseline=grpo.RECIPE,
    ),
    "PIPO judging updates by outcomes shuffled over the batch",
    credit(signal=shuffled(OUTCOME, across=True)),
)
