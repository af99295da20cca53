"""VeriFree: the probability of the reference answer is the reward, and it is also differentiated.

Paper       Zhou et al., Reinforcing General Reasoning without Verifiers. 2025. arXiv:2505.21493.
Idea        Paying a chain by the probability of the right answer is paying the mean of what a verifier would pay:
            less noise. As the policy gives that probability too, its gradient has a second term.
Composes    centred(final(next_belief), baseline=Others()); Clipped + On("answer", Likelihood(Probability())).

Symbols     f(z)   next_belief after the chain z: the probability of the whole reference answer
            d E[f] = E[ f d log pi(z) + d f ],   d f = f d log pi(answer | z)
            A[i] = f[i] - mean of the others of the group

Both terms are sums over tokens and means over plays, so that together they are the derivative. The references ride
along as plays whose column `answer` is true, each after a chain that was sampled, in groups of their own (a group of
one gets 0, and is learnt from all the same).

Departures  None that was found; the clip is TRL's, at ratio 1 it does nothing.

Example (after the first chain the answer is three times as likely as after the second):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> RECIPE.credit(batch.with_columns(next_belief=Column.of("step", [0.75, 0.25]))).values
    array([ 0.5, -0.5])
"""

from guerdon.credit import Credit, Others, centred, shuffled
from guerdon.objectives import Clipped, ConstantLength, Likelihood, Objective, On, Probability
from guerdon.recipes import grpo, rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, final

ANSWER = 1.0  # paper: the derivative

WORTH = final(fact("next_belief"))


def credit(worth: Term = WORTH) -> Credit:
    """How much more a chain is worth than the others of its group."""
    return centred(worth, baseline=Others())


def objective(answer: float = ANSWER) -> Objective:
    """The loss with another weight of the second term; 1 is the derivative."""
    chain = Clipped(low=grpo.CLIP, high=grpo.CLIP, reduce=ConstantLength(1))
    return chain + On("answer", Likelihood(Probability(), answer))


RECIPE = with_control(
    Recipe(
        name="verifree",
        title="VeriFree",
        paper="Zhou et al., Reinforcing General Reasoning without Verifiers, 2025, arXiv:2505.21493",
        idea="The probability of the reference answer as a reward, with both terms of its gradient.",
        reward=WORTH,
        credit=credit(),
        objective=objective(),
        numbers={
            "ANSWER": Number(ANSWER, "paper", "the derivative has the factor 1"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="reference likelihoods",
        needs=("next_belief", "answer"),
        baseline=rloo.RECIPE,
    ),
    "VeriFree with its probabilities shuffled over the plays of the group",
    credit(shuffled(WORTH)),
    reward=shuffled(WORTH),
)
