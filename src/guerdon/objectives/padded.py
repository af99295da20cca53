"""From padded (B, T) tensors, a play a row, to the flat stream that objectives read.

Where the tokens stand is found out once a batch. That waits for the device; nothing after it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.errors import ShapeError
from guerdon.objectives.stream import Stream, kept_per

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Rows:
    """Where the tokens of a padded batch stand. Made once, it serves every epoch on the batch.

    Attributes:
        shape: (B, T).
        at: position of each token in the batch laid out flat, in order; None where there is no padding.
        row: which row each token is of.
        length: how many tokens each row has.
        tokens: how many all have.
        sequences: how many rows have one at least.
        longest: how many the longest has.
    """

    shape: tuple[int, int]
    at: torch.Tensor | None
    row: torch.Tensor
    length: torch.Tensor
    tokens: int
    sequences: int
    longest: int

    @classmethod
    def of(cls, mask: torch.Tensor) -> Rows:
        """Finds the tokens, where the mask is not zero; they need not be at one end.

        Raises:
            ShapeError: the mask is not (B, T).

        Example:
            >>> import torch
            >>> rows = Rows.of(torch.tensor([[1, 1, 0], [0, 0, 1]]))
            >>> rows.at.tolist(), rows.row.tolist(), rows.tokens
            ([0, 1, 5], [0, 0, 1], 3)
        """
        import torch

        if mask.dim() != 2:
            raise ShapeError(
                f"Rows: the mask has shape {tuple(mask.shape)}; (B, T) is needed, a play a row; "
                "pass the mask of sampled tokens as the trainer pads them"
            )
        there = mask != 0
        count = there.view(torch.uint8).sum(1)  # as bytes: bools are summed several times slower
        host = count.cpu().numpy()
        tokens = int(host.sum())
        if tokens == there.numel():
            each = count.new_ones(len(count)).cumsum(0) - 1
            at, row = None, each[:, None].expand(mask.shape).reshape(-1)
        else:
            at = there.reshape(-1).nonzero().squeeze(1)
            row = torch.repeat_interleave(count, output_size=tokens)
        shape = (mask.shape[0], mask.shape[1])
        return cls(shape, at, row, count, tokens, int((host > 0).sum()), int(host.max(initial=0)))

    def flat(self, x: torch.Tensor) -> torch.Tensor:
        """One entry per token, of (B, T), (B, 1) or, where a play has one number, (B,). Carries the gradient.

        Raises:
            ShapeError: it has another shape.

        Example:
            >>> import torch
            >>> rows = Rows.of(torch.tensor([[1, 0], [1, 1]]))
            >>> rows.flat(torch.tensor([[1.0, 9.0], [2.0, 3.0]])).tolist(), rows.flat(torch.tensor([5.0, 6.0])).tolist()
            ([1.0, 2.0, 3.0], [5.0, 6.0, 6.0])
        """
        shape = tuple(x.shape)
        if shape == self.shape:
            return x.reshape(-1) if self.at is None else x.reshape(-1).index_select(0, self.at)
        if shape in ((self.shape[0],), (self.shape[0], 1)):
            return (
                x.reshape(-1, 1).expand(self.shape).reshape(-1)
                if self.at is None
                else x.reshape(-1).index_select(0, self.row)
            )
        raise ShapeError(
            f"Rows: a tensor has shape {shape} and the mask {self.shape}; {self.shape} is needed, or "
            f"({self.shape[0]},) where a play has one number; cut it as the mask is cut"
        )


def from_padded(
    logprob: torch.Tensor,
    old_logprob: torch.Tensor,
    advantage: torch.Tensor,
    mask: torch.Tensor | Rows,
    *,
    step: torch.Tensor | None = None,
    longest: int | None = None,
    entropy: torch.Tensor | None = None,
    ref_logprob: torch.Tensor | None = None,
    teacher_logprob: torch.Tensor | None = None,
    outcome: torch.Tensor | None = None,
    group: torch.Tensor | None = None,
    iteration: int = 0,
) -> Stream:
    """A stream of the tokens of a padded batch, which is the whole optimiser step. Nothing is read of the padding.

    Args:
        logprob, old_logprob, entropy, ref_logprob, teacher_logprob: (B, T).
        advantage: (B, T), or (B,) where a play has one.
        mask: (B, T), not zero at sampled tokens; or the `Rows` made of it before.
        step: (B, T), ids of steps that count on from row to row; by default a row is one step.
        longest: the constant length of `ConstantLength`; by default the tokens of the longest play.
        outcome, group: (B,), what each play was worth, and its group.
        iteration: how many updates went before.

    Raises:
        ShapeError: a tensor does not fit the mask.

    Example:
        >>> import torch
        >>> x = torch.tensor([[-1.0, -2.0], [-3.0, 9.0]])
        >>> s = from_padded(x, x, torch.tensor([1.0, -1.0]), mask=torch.tensor([[1, 1], [1, 0]]))
        >>> s.logprob.tolist(), s.advantage.tolist(), s.sequence.tolist(), s.tokens
        ([-1.0, -2.0, -3.0], [1.0, 1.0, -1.0], [0, 0, 1], 3)
    """
    rows = mask if isinstance(mask, Rows) else Rows.of(mask)

    def flat(x: torch.Tensor | None) -> torch.Tensor | None:
        return None if x is None else rows.flat(x)

    count = rows.length.float()
    steps, of_step, each = rows.sequences, count, rows.row
    if step is not None:
        each = rows.flat(step)
        of_step = kept_per(each, count.new_ones(rows.tokens))
        steps = int((of_step > 0).sum())
    return Stream(
        rows.flat(logprob), rows.flat(old_logprob), rows.flat(advantage), each, rows.row,
        tokens=rows.tokens, steps=steps, sequences=rows.sequences,
        longest=rows.longest if longest is None else longest,
        tokens_of_sequence=count, tokens_of_step=of_step,
        entropy=flat(entropy), ref_logprob=flat(ref_logprob), teacher_logprob=flat(teacher_logprob),
        outcome=outcome, group=group,
        groups=0 if group is None else int((kept_per(group, (count > 0).float()) > 0).sum()),
        iteration=iteration, lengths=rows.shape[1] if rows.at is None else rows.length,
    )  # fmt: skip
