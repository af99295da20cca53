"""PRIME: implicit process rewards to go and the outcome, each less what the other answers got.

Paper       Cui et al., Process Reinforcement through Implicit Rewards. 2025. arXiv:2502.01456.
Idea        A reward model trained on outcomes alone is, token by token, a process reward: the
            log-ratio to its reference.
Composes    whitened(to_go_above_rate(BETA * step_score, Others()) + centred(outcome, baseline=Others())).

Symbols     s[t]   the fact `step_score`: sum over the step's tokens of log pi_phi - log pi_ref
            u[i]   mean of BETA * log-ratio over the tokens of answer i;   b[i] = mean of u over the others
            A[t] = sum over t' >= t of (BETA * s[t'] - b * tokens[t']) + (R - mean of R over the others)
            then (A - mean) / sqrt(var + EPS) over the steps of the batch

A group of one gets zero before whitening takes the batch's mean off. Answers that agree in u get at
later steps what their rest is above or below it. The reward model and its loss are not part of the credit.

Departures  The paper's baseline is followed. The released code multiplies by n / (n - 1) and takes
            off the sum of all n means over n - 1, which leaves every token off by (r[t] - own
            mean) / (n - 1): only the return from the first token is right. The code leaves BETA out and scales
            process returns by the batch's largest; here BETA is the unit, as in the paper.
            Whitening counts steps, theirs tokens. No filter of prompts.

Example (in units of BETA as in `oprl_istar`; before whitening 3, 2.5, -3 and -1.5):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(step_score=Column.of("step", [20.0, 40.0, 0.0, 20.0]))
    >>> credit()(batch).values, RECIPE.credit(batch).values.round(3)
    (array([ 3. ,  2.5, -3. , -1.5]), array([ 0.93 ,  0.761, -1.099, -0.592]))
"""

from guerdon.credit import Credit, Others, centred, shuffled, to_go_above_rate, whitened
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

BETA = 0.05  # code: PRIME run_prime_main.sh
EPS = 1e-8  # code: verl masked_whiten

OUTCOME = fact("outcome")
SCORE = fact("step_score")


def credit(beta: float = BETA, score: Term = SCORE) -> Credit:
    """The advantage before whitening."""
    return to_go_above_rate(beta * score, Others()) + centred(OUTCOME, baseline=Others())


RECIPE = with_control(
    Recipe(
        name="prime",
        title="PRIME",
        paper="Cui et al., Process Reinforcement through Implicit Rewards, 2025, arXiv:2502.01456",
        idea="Implicit process rewards to go and the outcome, each less what the others got.",
        reward=at_end(OUTCOME) + BETA * SCORE,
        credit=whitened(credit(), EPS),
        objective=rloo.RECIPE.objective,
        numbers={
            "BETA": Number(BETA, "code", "PRIME run_prime_main.sh"),
            "EPS": Number(EPS, "code", "verl masked_whiten"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        alone="a group of one gets what whitening takes off the batch",
        told="step scores",
        needs=("outcome", "step_score"),
        baseline=rloo.RECIPE,
    ),
    "PRIME with its process rewards shuffled over the steps of the group",
    whitened(credit(score=shuffled(SCORE)), EPS),
    reward=at_end(OUTCOME) + BETA * shuffled(SCORE),
)
