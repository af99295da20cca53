"""How undecided the policy was where each token was sampled: a fact that only the trainer can record."""

from __future__ import annotations

import numpy as np
import torch

from guerdon.batch import Batch, Column
from guerdon.policies import LanguagePolicy
from guerdon.policies.score import Inputs, score


@torch.no_grad()
def with_entropy(batch: Batch, policy: LanguagePolicy, chunk: int) -> Batch:
    """The batch with the token column `entropy`, in nats; missing where a token was not sampled.

    One forward pass over the distinct inputs of the batch, before the weights change.

    Args:
        chunk: the most padded tokens in one forward pass.
    """
    if "token_id" not in batch:  # every play failed before its first action
        return batch
    inputs = Inputs.for_model(policy.model, batch)
    out = np.full(batch.size("token"), np.nan)
    for rows in inputs.chunks(np.arange(len(inputs.ids)), chunk):
        scored = score(policy.model, inputs, rows, policy.temperature, entropy=True)
        out[inputs.token[scored.at]] = scored.entropy.float().cpu().numpy()
    return batch.with_columns(entropy=Column.of("token", out))
