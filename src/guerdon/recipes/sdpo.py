"""SDPO: a sibling's success, or what the environment said, put in the context, makes the policy its own teacher.

Paper       Reinforcement Learning via Self-Distillation. 2026.
Idea        Feedback says more than a number; the policy that reads it says at every token what it would
            have done instead.
Composes    step_term(teacher_logprob - logprob); Reinforce(Bounded(1, RATIO - 1)), mean over tokens.

Symbols     q[t]   teacher_logprob: the sampled token under the averaged policy that reads the question, a successful
                   sibling (never the play itself) or else the feedback, and the play up to t; missing where there
                   is neither
            p[t]   logprob: the same token under the policy
            A[t] = log q[t] - log p[t],   weight min(new / old, RATIO), held fixed

This is the paper's token level, the policy gradient of the reverse KL. `logits(share)` is its default: the
Jensen-Shannon divergence over the 100 likeliest tokens and a tail, with the same weight; it needs `top`. No reward
and no advantage over other plays enters.

Departures  From sampled tokens rather than 100 a place; the paper finds logits better than tokens, and tokens better
            than sequences. log p is that of the policy that sampled.

Example (the second play has no teacher: nothing succeeded but itself, and nothing was said of it):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 1.0], tokens_per_step=1)
    >>> seen = {"logprob": Column.of("token", [-0.5, -0.5]), "teacher_logprob": Column.of("token", [-2.0, None])}
    >>> RECIPE.credit(batch.with_columns(**seen)).tolist()
    [-1.5, None]
"""

from guerdon.credit import shuffled
from guerdon.objectives import Bounded, Distil, JensenShannon, Objective, Reinforce
from guerdon.recipes import grpo, sd_zero
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

SHARE = 0.5  # code: config/sdpo.yaml, alpha
RATIO = 2.0  # code: core_algos.py
TOP = 100  # code: config/sdpo.yaml


def logits(share: float = SHARE, ratio: float = RATIO) -> Objective:
    """The paper's default loss, over the likeliest tokens and a tail."""
    return Distil(JensenShannon(share), most=ratio)


RECIPE = with_control(
    Recipe(
        name="sdpo",
        title="SDPO",
        paper="Reinforcement Learning via Self-Distillation, 2026",
        idea="The policy that has read feedback or a sibling's success teaches the one that has not.",
        reward=fact("outcome"),
        credit=sd_zero.credit(),
        objective=Reinforce(Bounded(1.0, RATIO - 1.0)),
        numbers={
            "SHARE": Number(SHARE, "code", "config/sdpo.yaml, alpha; in `logits`"),
            "RATIO": Number(RATIO, "code", "core_algos.py, compute_self_distillation_loss"),
            "TOP": Number(TOP, "code", "config/sdpo.yaml; how many tokens a host stores for `logits`"),
        },
        told="token signals",
        alone="every play that has a teacher gets what it says, alone or in a group that agrees",
        needs=("outcome", "logprob", "teacher_logprob"),
        baseline=grpo.RECIPE,
    ),
    "SDPO with its feedback shuffled over the tokens of the group",
    sd_zero.credit(shuffled(sd_zero.GAP)),
)
