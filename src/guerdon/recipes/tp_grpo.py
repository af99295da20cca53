"""TP-GRPO: what a judge says of thoughts may make wrong ones count less, and never moves the target.

Paper       Good Learners Think Their Thinking: Generative PRM Makes Large Reasoning Model More
            Efficient Math Learner (in its ICLR 2026 version: Smarter Not Harder).
Idea        Runs of steps that a judge gave one label are one thought; with a reward per thought the
            sums to go take two values, so what was right keeps just the outcome.
Composes    modulate(grpo, by=success ? 1 : wrong) - modulate(wrong behind success, by=ALPHA * group_mean(outcome)).

Symbols     r_o    GRPO's advantage;   r_c = ALPHA * share of the group that succeeds
            wrong  of a success: the step was taken back later; of a failure: its answer builds on it
            A[t]   success: r_o, and r_o - r_c where wrong;   failure: r_o where wrong, and 0 elsewhere

These are sums to go of +r_c and -r_c per thought of a success, of r_o and -r_o per thought of a
failure, and r_o for the outcome. The answer is the last thought, right in a success, wrong in a failure,
and is not paid beside the outcome; steps of its kind just before it belong to it. Then labels
alternate back from it, and the sums telescope. `without_thoughts` pays each step instead.

Departures  The place of the answer is derived from the paper's propositions, not read. ALPHA is ours. The
            paper collects plays for 50 updates and trains only on those with a process reward; here
            every play is trained on, once. No KL.

Example (r_o is +-0.707, r_c is 0.5 * 0.5):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(wrong=Column.of("step", [1.0, 0.0, 1.0, 0.0]))
    >>> RECIPE.credit(batch).values.round(3) + 0.0
    array([ 0.457,  0.707, -0.707,  0.   ])
"""

from guerdon.credit import Credit, modulate, shuffled, step_term, to_go_of
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, broadcast, fact, gate, group_mean, otherwise

ALPHA = 0.5  # ours: at half solved, a wrong thought of a success loses a quarter of it

OUTCOME = fact("outcome")
WRONG = fact("wrong")


def credit(alpha: float = ALPHA, wrong: Term = WRONG) -> Credit:
    """The advantage with another price of a wrong thought, or another judge."""
    kept = otherwise(broadcast(OUTCOME), wrong, when=OUTCOME)
    return modulate(grpo.CREDIT, by=kept) - _priced(step_term(gate(wrong, when=OUTCOME)), alpha)


def without_thoughts(alpha: float = ALPHA, wrong: Term = WRONG) -> Credit:
    """The paper's ablation: +r_c or -r_c for every step of a success, summed to go. A failure gets r_o."""
    return grpo.CREDIT + _priced(to_go_of(gate(affine(wrong, scale=-2.0, offset=1.0), when=OUTCOME)), alpha)


def _priced(steps: Credit, alpha: float) -> Credit:
    return modulate(steps, by=alpha * group_mean(OUTCOME))


RECIPE = with_control(
    Recipe(
        name="tp-grpo",
        title="TP-GRPO",
        paper="Good Learners Think Their Thinking: Generative PRM Makes Large Reasoning Model More Efficient",
        idea="A judge may make wrong thoughts count less, and never moves the target.",
        reward=OUTCOME,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "at half solved, a wrong thought of a success loses a quarter"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="a perfect step judge",
        alone="a group of one, and one that agrees, gets -ALPHA on the wrong thoughts of successes",
        needs=("outcome", "wrong"),
        baseline=grpo.RECIPE,
    ),
    "TP-GRPO with its labels shuffled over the steps of the group",
    credit(wrong=shuffled(WRONG)),
)
