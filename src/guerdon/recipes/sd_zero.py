"""SD-Zero: the policy that has seen its answer and one bit of verdict teaches the one that has not.

Paper       Self-Distillation Zero: Self-Revision Turns Binary Rewards into Dense Supervision. 2026.
            arXiv:2604.12002.
Idea        Told whether its answer was right, a model that learnt to revise puts other words where it went
            wrong: the outcome becomes a signal at every token.
Composes    step_term(teacher_logprob - logprob); Reinforce().

Symbols     q[t]   teacher_logprob: the sampled token under the reviser, which reads the question, the answer
                   and a phrase that says right or wrong, and then the answer again up to t
            p[t]   logprob: the same token under the policy, which reads the question and the answer up to t
            A[t] = log q[t] - log p[t];   the mean of A d log p over sampled tokens is - the gradient of KL(p, q)

The paper writes the loss as the reverse KL(p, q) at every token, which this estimates without bias from the token
that was sampled. `logits(mix)` is the released form, (1 - mix) forward + mix reverse KL over the teacher's 64
likeliest tokens; it needs `top` in the stream, and reads no credit.

Departures  From sampled tokens rather than 64 a place, so that one recorded number a token is enough. Phase 1,
            which teaches the policy to revise, is fine-tuning (`Imitate`) on revisions that verify.

Example (after the verdict the first token looks as good as before, the second much worse):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], tokens_per_step=2)
    >>> seen = {"logprob": Column.of("token", [-1.0, -0.5]), "teacher_logprob": Column.of("token", [-1.0, -3.0])}
    >>> RECIPE.credit(batch.with_columns(**seen)).values
    array([ 0. , -2.5])
"""

from guerdon.credit import Credit, shuffled, step_term
from guerdon.objectives import Distil, ForwardKL, Mixture, Objective, Reinforce, ReverseKL
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, unfailed

MIX = 0.5  # code: examples/configs/distillation_math.yaml

GAP = unfailed(fact("teacher_logprob") - fact("logprob")).named("teacher")


def credit(gap: Term = GAP) -> Credit:
    """What the teacher says of each sampled token above what the policy said."""
    return step_term(gap)


def logits(mix: float = MIX) -> Objective:
    """The released loss, over the likeliest tokens; without a mix it is the forward KL."""
    if mix == 0:
        return Distil(ForwardKL())
    return Distil(Mixture(((1 - mix, ForwardKL()), (mix, ReverseKL()))))


RECIPE = with_control(
    Recipe(
        name="sd-zero",
        title="SD-Zero",
        paper="Self-Distillation Zero: Self-Revision Turns Binary Rewards into Dense Supervision, arXiv:2604.12002",
        idea="The policy told whether it was right teaches the one that is not told.",
        reward=fact("outcome"),
        credit=credit(),
        objective=Reinforce(),
        numbers={"MIX": Number(MIX, "code", "distillation_math.yaml; in `logits`")},
        told="token signals",
        alone="every play gets what the teacher says of it, alone or in a group that agrees",
        needs=("outcome", "logprob", "teacher_logprob"),
        baseline=grpo.RECIPE,
    ),
    "SD-Zero with the teacher's verdicts shuffled over the tokens of the group",
    credit(shuffled(GAP)),
)
