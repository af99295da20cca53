"""SPEAR: successes of earlier policies are learnt from again, the more the further training is.

Paper       Learn the Ropes, Then Trust the Wins: Self-imitation with Progressive Exploration for
            Agentic Reinforcement Learning. 2025.
Idea        Replay good plays, judged by what plays are worth now rather than when they were played;
            little of it while the policy still explores, all of it later.
Composes    covariance_clip(recalibrated(centred(outcome, weight=fresh), history_mean, replayed));
            Clipped + Scheduled(On("replayed", Clipped), Cosine(0, COEF, RAMP)), constant length.

Symbols     A[i] = R[i] - mean of the fresh plays of the group              fresh plays
            A[i] = R[i] - b, dropped where below 0                          replayed plays
            b      history_mean: the median of the group means of the last 10240 plays (`RecentQuantile`)
            w(t) = COEF (1 - cos(pi t / RAMP)) / 2 up to t = RAMP, then COEF: the weight of the replayed plays
            A token is silenced with a random share SHARE among those whose (log p - mean)(A - mean) is in [LOW, HIGH].

Replayed plays are a stream beside the fresh ones, so each loss is divided by its own plays. `reward(t, calls)`
is the outcome with the paper's bonus for tool calls, which fades while w grows; RECIPE has it at its end.

Departures  One range [LOW, HIGH] for both kinds of play; the code has [1, 40] for fresh ones. The filters of
            rollouts and the choice of the groups with the largest spread are the sampler's.

Example (a replayed success, where half of all plays succeed by now; its group has two fresh plays):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[1.0, 1.0, 0.0], tokens_per_step=1)
    >>> batch = batch.with_columns(replayed=Column.of("trajectory", [True, False, False]))
    >>> batch = batch.with_columns(history_mean=Column.of("group", [0.75]), logprob=Column.of("token", [-1.0] * 3))
    >>> RECIPE.credit(batch).values
    array([ 0.25,  0.5 , -0.5 ])
"""

from guerdon.credit import Credit, centred, covariance_clip, recalibrated, shuffled
from guerdon.objectives import Clipped, ConstantLength, Cosine, Objective, On, Scheduled
from guerdon.recipes import dr_grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, clip, fact, total

COEF = 1.0  # code: TencentYoutuResearch/SPEAR
RAMP = 200  # code: 100 to 200 steps
LOW, HIGH = 2.0, 60.0  # code: the range for replayed plays
SHARE = 0.02  # code
CLIP_LOW, CLIP_HIGH = 0.2, 0.28  # code
PER_CALL = 0.1  # code: episode.py

OUTCOME, REPLAYED = fact("outcome"), fact("replayed")
FRESH = affine(REPLAYED, scale=-1.0, offset=1.0)
BASE = Clipped(low=CLIP_LOW, high=CLIP_HIGH, reduce=ConstantLength())


def reward(iteration: int, calls: Term, over: int = RAMP) -> Term:
    """The outcome and, while it lasts, a bonus of PER_CALL for each call of a tool, at most 1 in all."""
    return OUTCOME + Cosine(1.0, 0.0, over)(iteration) * clip(PER_CALL * total(calls), high=1.0)


def credit(worth: Term = OUTCOME, share: float = SHARE) -> Credit:
    """The advantage with another worth of replayed plays, or another share of silenced tokens."""
    again = recalibrated(centred(OUTCOME, weight=FRESH), worth, fact("history_mean"), REPLAYED)
    return covariance_clip(again, LOW, HIGH, share)


def objective(coef: float = COEF, ramp: int = RAMP) -> Objective:
    """The loss with another weight for what is replayed; with 0 the replayed plays do not matter."""
    return BASE + Scheduled(On("replayed", BASE), Cosine(0.0, coef, ramp))


RECIPE = with_control(
    Recipe(
        name="spear",
        title="SPEAR",
        paper="Learn the Ropes, Then Trust the Wins: Self-imitation with Progressive Exploration, 2025",
        idea="Replay old successes, judged by what plays are worth now, the more the later.",
        reward=OUTCOME,
        credit=credit(),
        objective=objective(),
        numbers={
            "COEF": Number(COEF, "code", "ray_trainer_hybrid.py"),
            "RAMP": Number(RAMP, "code", "100 to 200 steps"),
            "LOW": Number(LOW, "code", "dp_actor.py, replayed plays"),
            "HIGH": Number(HIGH, "code", "dp_actor.py, replayed plays"),
            "SHARE": Number(SHARE, "code", "dp_actor.py"),
            "CLIP_LOW": Number(CLIP_LOW, "code", "Dr.BoT"),
            "CLIP_HIGH": Number(CLIP_HIGH, "code", "Dr.BoT"),
            "PER_CALL": Number(PER_CALL, "code", "episode.py"),
        },
        told="history",
        alone="a replayed play gets its worth above the median of recent groups, alone or in a group that agrees",
        needs=("outcome", "replayed", "history_mean", "logprob"),
        baseline=dr_grpo.RECIPE,
    ),
    "SPEAR with the outcomes of replayed plays shuffled over the batch",
    credit(shuffled(OUTCOME, across=True)),
)
