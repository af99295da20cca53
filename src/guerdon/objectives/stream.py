"""Stream: what an objective reads. One entry per sampled token of one micro-batch, no padding.

A stream carries two kinds of numbers. The tensors of tokens belong to this micro-batch. The totals
(`tokens`, `steps`, `sequences`, `longest`, `tokens_of_sequence`, `tokens_of_step`) and what is said of whole
plays (`outcome`, `group`) belong to the whole optimiser step, so that every micro-batch divides by the same
number and the losses of the micro-batches add up to the loss of the whole.

What is learnt from in another way (replayed plays, reference answers) is a stream of its own, `beside` this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from guerdon.errors import ColumnError, ShapeError

if TYPE_CHECKING:
    import torch

PER_TOKEN = (
    "logprob", "old_logprob", "advantage", "step", "sequence", "entropy", "ref_logprob", "teacher_logprob", "weight",
)  # fmt: skip
PER_PLAY = ("outcome", "group")


@dataclass(frozen=True, eq=False)
class Top:
    """What student and teacher say of the same k next tokens, at each token of the stream.

    Attributes:
        logprob: (tokens, k) log-probabilities under the policy that is trained; has the gradient.
        teacher_logprob: (tokens, k) the same under the teacher; held fixed. -inf fills a row that has fewer.

    Raises:
        ShapeError: the two differ in shape, or are not one row per token.
    """

    logprob: torch.Tensor
    teacher_logprob: torch.Tensor

    def __post_init__(self) -> None:
        student, teacher = tuple(self.logprob.shape), tuple(self.teacher_logprob.shape)
        if student != teacher or len(student) != 2:
            raise ShapeError(
                f"Top: logprob has shape {student} and teacher_logprob has shape {teacher}; one row of k numbers "
                "per sampled token is needed in both, for the same k next tokens; gather both at the same ids"
            )

    def take(self, index: torch.Tensor) -> Top:
        """The rows at `index`."""
        return Top(self.logprob[index], self.teacher_logprob[index])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Comparisons of plays, both of them in this micro-batch.

    Attributes:
        first, second: ids of trajectories, as in `Stream.sequence`.
        preference: how much the first is preferred; negative where the second is.
        total: how many pairs the optimiser step has.
    """

    first: torch.Tensor
    second: torch.Tensor
    preference: torch.Tensor
    total: int

    def among(self, sequences: torch.Tensor) -> Pairs:
        """Those whose two plays both have a token in a micro-batch of these trajectory ids; the total stays."""
        if not len(self.first):
            return self
        plays = max(int(x.max()) for x in (self.first, self.second, sequences) if len(x)) + 1
        there = sequences.new_zeros(plays).index_fill(0, sequences, 1)
        kept = (there[self.first] * there[self.second]).nonzero().flatten()
        return Pairs(self.first[kept], self.second[kept], self.preference[kept], self.total)

    def to(self, device: Any) -> Pairs:
        """The same on another device."""
        return Pairs(*(x.to(device) for x in (self.first, self.second, self.preference)), self.total)


@dataclass(frozen=True, eq=False)
class Stream:
    """The sampled tokens of one micro-batch, and the totals of the optimiser step it belongs to.

    A token whose `weight` is zero is dropped: it is in no sum and no count, and nothing else of
    it is looked at (it may be NaN). Any other weight multiplies what the token adds to the loss
    and leaves the counts as they are, as an importance weight should.

    Attributes:
        logprob: log-probability of each token under the policy that is trained; has the gradient.
        old_logprob: the same under the policy that sampled; held fixed.
        advantage: the credit of each token; held fixed.
        step: id of the step of each token, 0 <= id < len(tokens_of_step).
        sequence: id of the trajectory of each token, 0 <= id < len(tokens_of_sequence).
        tokens: how many tokens the optimiser step has, dropped ones not counted.
        steps: how many steps have at least one of them.
        sequences: how many trajectories have at least one of them.
        longest: the constant length of `ConstantLength`, the largest number of tokens that a
            trajectory may have; a fixed number of the run rather than of the batch.
        tokens_of_sequence: float, how many tokens each trajectory has in the whole optimiser
            step: a micro-batch may hold only some of its steps.
        tokens_of_step: the same for each step; needed where steps are averaged.
        entropy: entropy of the policy where each token was sampled, with its gradient.
        ref_logprob: log-probability of each token under the reference policy.
        teacher_logprob: the same under a teacher, such as the policy itself with more in its context.
        weight: 0 drops a token; None weighs all of them 1.
        outcome: what each trajectory was worth, one entry per trajectory id; held fixed.
        group: which group each trajectory is of, one id per trajectory id, 0 <= id < number of trajectory ids.
        groups: how many groups have at least one token that counts.
        top: the most likely next tokens at each token, under student and teacher.
        pairs: comparisons of plays.
        beside: streams that are learnt from in another way, by name, with totals of their own; see `On`.
        iteration: how many updates went before, for schedules.
        lengths: how many tokens each trajectory has here, where trajectories lie whole, one after the other in
            the order of their ids: one number where all have as many, else one per trajectory id. None: anyhow.

    Raises:
        ShapeError: two per-token tensors differ in length, or are not flat.
    """

    logprob: torch.Tensor
    old_logprob: torch.Tensor
    advantage: torch.Tensor
    step: torch.Tensor
    sequence: torch.Tensor
    tokens: int
    steps: int
    sequences: int
    longest: int
    tokens_of_sequence: torch.Tensor
    tokens_of_step: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    ref_logprob: torch.Tensor | None = None
    teacher_logprob: torch.Tensor | None = None
    weight: torch.Tensor | None = None
    outcome: torch.Tensor | None = None
    group: torch.Tensor | None = None
    groups: int = 0
    top: Top | None = None
    pairs: Pairs | None = None
    beside: Mapping[str, Stream] = field(default_factory=dict)
    iteration: int = 0
    lengths: int | torch.Tensor | None = None

    def __post_init__(self) -> None:
        one_per_token({name: getattr(self, name) for name in PER_TOKEN})
        one_per_play({name: getattr(self, name) for name in PER_PLAY}, len(self.tokens_of_sequence))
        if self.top is not None and len(self.top.logprob) != len(self.logprob):
            raise ShapeError(
                f"Stream: top has {len(self.top.logprob)} rows and the stream has {len(self.logprob)} tokens; "
                "one row per sampled token is needed; select the sampled tokens before you build it"
            )

    @classmethod
    def of(
        cls,
        logprob: torch.Tensor,
        old_logprob: torch.Tensor,
        advantage: torch.Tensor,
        step: torch.Tensor,
        sequence: torch.Tensor,
        *,
        longest: int | None = None,
        entropy: torch.Tensor | None = None,
        ref_logprob: torch.Tensor | None = None,
        teacher_logprob: torch.Tensor | None = None,
        weight: torch.Tensor | None = None,
        outcome: torch.Tensor | None = None,
        group: torch.Tensor | None = None,
        top: Top | None = None,
        pairs: Pairs | None = None,
        beside: Mapping[str, Stream] | None = None,
        iteration: int = 0,
    ) -> Stream:
        """A stream that is the whole optimiser step: the totals are its own.

        It reads ids on the host, so on a GPU it waits for the device once; the objectives never do.

        Args:
            longest: the constant length; by default the longest trajectory of the stream.

        Example:
            >>> import torch
            >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
            >>> s = Stream.of(lp, lp, torch.ones(3), step=ids, sequence=ids)
            >>> s.tokens, s.sequences, s.longest, s.tokens_of_sequence.tolist()
            (3, 2, 2, [2.0, 1.0])
        """
        columns = (logprob, old_logprob, advantage, step, sequence, entropy, ref_logprob, teacher_logprob, weight)
        one_per_token(dict(zip(PER_TOKEN, columns, strict=True)))
        kept = step.new_ones(len(step)).float() if weight is None else (weight != 0).float()
        plays = len(next((x for x in (outcome, group) if x is not None), ()))
        of_step, of_sequence = kept_per(step, kept), kept_per(sequence, kept, plays)
        return cls(
            logprob, old_logprob, advantage, step, sequence,
            tokens=int(kept.sum()),
            steps=int((of_step > 0).sum()),
            sequences=int((of_sequence > 0).sum()),
            longest=longest if longest is not None else int(of_sequence.max()) if len(of_sequence) else 0,
            tokens_of_sequence=of_sequence, tokens_of_step=of_step,
            entropy=entropy, ref_logprob=ref_logprob, teacher_logprob=teacher_logprob, weight=weight,
            outcome=outcome, group=group,
            groups=0 if group is None else int((kept_per(group, (of_sequence > 0).float()) > 0).sum()),
            top=top, pairs=pairs, beside=beside or {}, iteration=iteration,
        )  # fmt: skip

    def take(self, index: torch.Tensor, beside: Mapping[str, torch.Tensor] | None = None) -> Stream:
        """The tokens at `index` (positions, or a bool per token) as a micro-batch: the totals stay.

        Args:
            beside: what to take of the streams beside this one; of those not named, nothing.
        """
        chosen = {name: getattr(self, name) for name in PER_TOKEN}
        chosen = {name: x if x is None else x[index] for name, x in chosen.items()}
        return replace(
            self, **chosen, lengths=None,
            top=None if self.top is None else self.top.take(index),
            pairs=None if self.pairs is None else self.pairs.among(chosen["sequence"]),
            beside={name: self.beside[name].take(at) for name, at in (beside or {}).items()},
        )  # fmt: skip

    @property
    def dropped(self) -> torch.Tensor | None:
        """True where the weight is zero; None where there are no weights."""
        return None if self.weight is None else self.weight == 0

    def need(self, name: str, asker: str) -> torch.Tensor:
        """The optional tensor `name`, in at least 32 bits, with zeros at dropped tokens.

        Raises:
            ColumnError: the stream was built without it.
        """
        x = getattr(self, name)
        if x is None:
            raise ColumnError(
                f"{asker}: the stream has no {name}; {asker} needs it; build the stream with {name}=, "
                "which a trainer does for every name in objective.needs"
            )
        return self.clean(x)

    def of_play(self, name: str, asker: str) -> torch.Tensor:
        """What is said of whole plays (`outcome`), one entry per token, with zeros at dropped tokens.

        Raises:
            ColumnError: the stream was built without it.
        """
        x = getattr(self, name)
        if x is None:
            raise ColumnError(
                f"{asker}: the stream has no {name}; {asker} needs it; build the stream with {name}=, one entry per "
                "trajectory id, which a trainer does for every name in objective.needs"
            )
        return self.clean(x.index_select(0, self.sequence))

    def clean(self, x: torch.Tensor) -> torch.Tensor:
        """`x` in at least 32 bits, with zeros, and no gradient, at dropped tokens."""
        x = x if x.dtype.itemsize >= 4 else x.float()
        dropped = self.dropped
        return x if dropped is None else x.masked_fill(dropped, 0.0)

    def log_ratio(self) -> torch.Tensor:
        """log(new / old) of each token, with the gradient of `logprob`; 0 at dropped tokens."""
        return self.clean(self.logprob) - self.clean(self.old_logprob.detach())

    def per_play(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of `x` over the tokens of each trajectory, one per trajectory id; carries the gradient.

        Where `lengths` says how the tokens lie it reads them in a row, many times faster than by ids.
        """
        plays = len(self.tokens_of_sequence)
        if isinstance(self.lengths, int):
            return x.view(plays, self.lengths).sum(1)
        if self.lengths is not None:
            import torch

            return torch.segment_reduce(x, "sum", lengths=self.lengths, unsafe=True)
        return x.new_zeros(plays).index_add(0, self.sequence, x)

    def token_mean(self, x: torch.Tensor) -> torch.Tensor:
        """The share of this micro-batch in the mean over all tokens, for reports: no weights, no gradient."""
        return self.clean(x.detach()).sum() / max(self.tokens, 1)

    def token_share(self, true: torch.Tensor) -> torch.Tensor:
        """The share of the tokens of the optimiser step that are True here, for reports."""
        import torch

        dropped = self.dropped
        true = true if dropped is None else true & ~dropped
        return true.view(torch.uint8).sum() / max(self.tokens, 1)  # as bytes: bools are summed several times slower


def one_per_token(columns: dict[str, torch.Tensor | None]) -> None:
    """Raises ShapeError unless every tensor is flat and as long as `logprob`."""
    need = tuple(columns["logprob"].shape)
    for name, column in columns.items():
        if column is not None and (column.dim() != 1 or tuple(column.shape) != need):
            raise ShapeError(
                f"Stream: logprob has shape {need} and {name} has shape {tuple(column.shape)}; every per-token "
                "tensor is flat, with one entry per sampled token; select the sampled tokens before you build it"
            )


def one_per_play(columns: dict[str, torch.Tensor | None], plays: int) -> None:
    """Raises ShapeError unless every tensor is flat and has an entry per trajectory id."""
    for name, column in columns.items():
        if column is not None and tuple(column.shape) != (plays,):
            raise ShapeError(
                f"Stream: {name} has shape {tuple(column.shape)} and the stream has {plays} trajectory ids; "
                "one entry per trajectory id is needed"
            )


def kept_per(ids: torch.Tensor, kept: torch.Tensor, most: int = 0) -> torch.Tensor:
    """How many kept tokens each id has: a float per id from 0 to the largest, and at least `most` of them."""
    n = max(int(ids.max()) + 1 if len(ids) else 0, most)
    return kept.new_zeros(n).index_add(0, ids, kept)
