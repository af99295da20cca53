"""From tokens to steps, and what can be said of a token before it is trained.

`token_mean` and `token_share` are terms that bring tokens to steps. `prediction_error`,
`influence` and `divergence` are flat numpy functions for a host that has the policy's
probabilities and hidden states: what they give goes on the batch as a token column.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.minform import tokens_of_step
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, floats, need_level

Array = np.ndarray
FAR = 11.0  # the reach of a log-ratio in `divergence`, as in the code of TW-GRPO


def token_mean(term: Term) -> Term:
    """The mean of a token term over the sampled tokens of each step.

        m[t] = mean over the sampled tokens k of step t of x[k]

    What was read and not written does not count. Missing where a sampled token has no value,
    and where a step sampled none. A batch without the column `sampled` sampled every token.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=[2, 1])
        >>> batch = batch.with_columns(entropy=Column.of("token", [1.0, 2.0, 4.0]))
        >>> token_mean(fact("entropy"))(batch).values
        array([1.5, 4. ])
    """

    def score(batch: Batch) -> Column:
        column = term(batch)
        need_level("token_mean", term.name, column, "token")
        step, n, counts = batch.step_of_token, batch.size("step"), sampled(batch).astype(np.float64)
        tokens = segments.total(counts, step, n)
        lost = segments.total(counts * ~column.valid, step, n)
        whole = segments.total(counts * column.filled(0.0), step, n)
        return floats(column, whole / np.where(tokens > 0, tokens, 1.0), (tokens > 0) & (lost == 0), "step")

    return Term(f"token_mean({term.name})", score, term.observers)


def sampled(batch: Batch) -> Bool[Array, "tokens"]:
    """True for the tokens that the policy wrote; all of them in a batch that does not say."""
    if "sampled" not in batch:
        return np.ones(batch.size("token"), bool)
    column = batch["sampled"]
    return column.valid & np.asarray(column.values, bool)


def _token_share(batch: Batch) -> Column:
    tokens, owner = tokens_of_step(batch), batch.trajectory_of_step
    whole = segments.total(tokens, owner, batch.size("trajectory"))[owner]
    return Column("step", tokens / np.where(whole > 0, whole, 1.0), whole > 0)


token_share = Term("token_share", _token_share)
"""The step's share of the tokens that its trajectory sampled: as the `weight` of a comparison of
steps, it lets every trajectory vote once, and within it every token as much."""


def prediction_error(probability: Float[Array, "n vocabulary"], token: Int[Array, "n"]) -> Float[Array, "n vocabulary"]:
    """What the output layer was told at each token: the gradient of its log-probability by the logits.

        g[k, v] = 1[v = token[k]] - probability[k, v]

    Example:
        >>> prediction_error(np.array([[0.25, 0.75]]), np.array([1]))
        array([[-0.25,  0.25]])
    """
    if len(probability) != len(token):
        raise ShapeError(
            f"prediction_error: {len(probability)} rows of probabilities and {len(token)} tokens; "
            "one row per token is needed; leave out the prompt in both"
        )
    error = -np.asarray(probability, np.float64)
    error[np.arange(len(token)), token] += 1.0
    return error


def influence(
    error: Float[Array, "n vocabulary"], hidden: Float[Array, "n dim"], play: Int[Array, "n"], right: Bool[Array, "n"]
) -> Float[Array, "n"]:
    """How far training a token raises the likelihood of the right answers of its group.

        M    = sum over tokens k of right plays i of (1 / |i|) g[k] h[k]^T
        s[k] = (2 right[k] - 1) * g[k]^T M h[k]

    A gradient step on one token's log-probability, with the sign of its outcome, moves the output
    layer by g h^T. s is what this does, to first order, to the sum over right plays of their mean
    log-probability per token. Only the output layer's part is counted: hidden states are
    held. The effect of the real update is |A| times s, so s compares tokens of one
    outcome with each other.

    Cost n * vocabulary * dim, once for M and once for s, where the sum over pairs of tokens costs n
    times as much. Columns of `error` may be left out, to keep M small: then s is approximate.

    Args:
        error: one row per token, from `prediction_error`; the tokens of one group.
        hidden: the state from which the token was predicted, just before the output layer.
        play: which play of the group the token is of.
        right: whether this play was right.

    Returns:
        One number per token; all zero in a group without a right play.

    Raises:
        ShapeError: the arguments are not equally long.

    Example (a right and a wrong token at the same place: to push the wrong one down helps as much):
        >>> g = prediction_error(np.full((2, 2), 0.5), np.array([0, 1]))
        >>> influence(g, np.ones((2, 1)), np.array([0, 1]), np.array([True, False])).tolist()
        [0.5, 0.5]

    References:
        Token Hidden Reward: Steering Exploration-Exploitation in Group Relative Deep
        Reinforcement Learning, 2025, arXiv:2510.03669.
    """
    if not len(error) == len(hidden) == len(play) == len(right):
        raise ShapeError(
            f"influence: {len(error)} errors, {len(hidden)} hidden states, {len(play)} plays, {len(right)} outcomes; "
            "one of each per token is needed; repeat what is known per play with np.repeat"
        )
    by = segments.dense(play)
    weight = right / np.maximum(segments.count(by), 1)[by]
    matrix = (weight[:, None] * error).T @ hidden
    return np.where(right, 1.0, -1.0) * np.einsum("kd,kd->k", error @ matrix, hidden)


def divergence(
    logprob: Float[Array, "plays positions vocabulary"], length: Int[Array, "plays"]
) -> Float[Array, "positions"]:
    """How far the plays of one group disagree about the next token, position by position.

        l[i]    = uniform where play i has ended
        m       = mean over i of l[i]
        D[t]    = mean over i of sum over v of (exp(d) - d - 1),   d = m - l[i] held to [-11, 11]

    As the code of TW-GRPO has it. It is no KL divergence: m does not add up to 1 and the sum
    over the vocabulary has no factor p(v), so an unlikely token counts like a likely one. After
    the end of the shortest play the uniform rows make D large, whatever the others say.

    Args:
        logprob: log-probabilities of the next token, padded to the longest play.
        length: positions of each play.

    Example (two plays that agree, then one ends):
        >>> sure = np.log(np.array([0.9, 0.1]))
        >>> D = divergence(np.stack([[sure, sure], [sure, sure]]), np.array([2, 1]))
        >>> D.round(3).tolist()
        [0.0, 0.385]

    References:
        Reinforcing Video Reasoning with Focused Thinking, 2025.
    """
    plays, positions, vocabulary = np.shape(logprob)
    if len(length) != plays:
        raise ShapeError(f"divergence: {plays} plays and {len(length)} lengths; one length per play is needed; "
                         "pass the number of sampled tokens of each")  # fmt: skip
    going = np.arange(positions) < np.asarray(length)[:, None]
    held = np.where(going[:, :, None], logprob, -np.log(vocabulary))
    away = np.clip(held.mean(axis=0) - held, -FAR, FAR)
    return (np.expm1(away) - away).sum(axis=2).mean(axis=0)
