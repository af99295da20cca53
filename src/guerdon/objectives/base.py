"""What an objective is, and how objectives add.

An objective is called on a stream and gives `(loss, terms)`: the loss has the gradient, the
terms are detached scalars for the report. Every term is a share of a mean over the whole
optimiser step, as the loss is, so a trainer adds up losses and terms over micro-batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, final, runtime_checkable

from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch

Unit = Literal["token", "step", "sequence", "group"]
UNITS: tuple[Unit, ...] = ("token", "step", "sequence", "group")


@runtime_checkable
class Objective(Protocol):
    """`objective(stream) -> (loss, terms)`, to be made small.

    Its properties say what the trainer has to know before it is called.
    """

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional fields of the stream that it reads, and of streams beside it."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        ...

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms, `parts` included."""
        ...

    @property
    def whole(self) -> Unit:
        """The unit that must not be split between micro-batches, for the losses to add up."""
        ...

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]: ...


class Operators:
    """`+` of two objectives and `*` by a number. An objective of your own inherits it, and overrides nothing."""

    __slots__ = ()

    @final
    def __add__(self, other: Objective) -> Sum:
        return Sum(_addends(self) + _addends(other)) if isinstance(other, Operators) else NotImplemented

    @final
    def __mul__(self, by: float) -> Scaled:
        return Scaled(self, float(by)) if isinstance(by, int | float) else NotImplemented

    __rmul__ = __mul__


class Measured(Operators):
    """What one-term objectives share that report a measurement `name`, and their part of the loss as `NAME_loss`.

    The measurement is unscaled, so it can be read whatever the weight is.
    """

    __slots__ = ()
    name: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return (f"{self.name}_loss",)

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return (f"{self.name}_loss", self.name)

    @property
    def whole(self) -> Unit:
        """Each token stands for itself."""
        return "token"


def _addends(objective: Objective) -> tuple[Objective, ...]:
    return objective.addends if isinstance(objective, Sum) else (objective,)


@dataclass(frozen=True)
class Sum(Operators):
    """Several objectives at once: losses add, and the terms of each are reported.

        loss = sum over addends of their losses

    Raises:
        ValueError: there is no addend, or two report a term of the same name.

    Example:
        >>> from guerdon.objectives import Clipped, Entropy
        >>> (Clipped() + Entropy(0.01)).parts
        ('surrogate', 'entropy_loss')
    """

    addends: tuple[Objective, ...]

    def __post_init__(self) -> None:
        if not self.addends:
            raise ValueError("Sum: no addend was given; a sum needs one at least; write it as one objective + another")
        names = self.reports
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"Sum: {twice} would be reported by two addends; every term needs a name of its own; "
                "give one of the addends another name="
            )

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional tensors of the stream that its addends read."""
        return frozenset().union(*(o.needs for o in self.addends))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return tuple(name for o in self.addends for name in o.parts)

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return tuple(name for o in self.addends for name in o.reports)

    @property
    def whole(self) -> Unit:
        """The largest unit that an addend must have whole."""
        return max((o.whole for o in self.addends), key=UNITS.index)

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, terms = self.addends[0](stream)
        for objective in self.addends[1:]:
            more, named = objective(stream)
            loss, terms = loss + more, terms | named
        return loss, terms


@dataclass(frozen=True)
class Scaled(Operators):
    """An objective times a number. The parts of the loss scale with it; measurements stay as they are.

    Example:
        >>> from guerdon.objectives import Entropy
        >>> (0.5 * Entropy(0.01)).reports
        ('entropy_loss', 'entropy')
    """

    objective: Objective
    by: float

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional tensors of the stream that its addends read."""
        return self.objective.needs

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return self.objective.parts

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return self.objective.reports

    @property
    def whole(self) -> Unit:
        """The largest unit that an addend must have whole."""
        return self.objective.whole

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, terms = self.objective(stream)
        return self.by * loss, terms | {name: self.by * terms[name] for name in self.parts}


@dataclass(frozen=True)
class On(Operators):
    """An objective on a stream beside the main one: replayed plays, reference answers, the batch before this.

        loss = objective(stream.beside[beside])

    The totals are those of the stream beside, so its mean is over its own tokens, steps and plays. Where a
    micro-batch has no such stream the loss is 0.

    Args:
        beside: the name of the stream.
        objective: any objective.

    Returns:
        `(loss, terms)`: the terms of the objective, with the name of the stream before theirs.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Imitate, Stream
        >>> lp, ids = torch.tensor([-1.0, -3.0]), torch.tensor([0, 0])
        >>> shown = Stream.of(lp, lp, lp, ids, ids)
        >>> loss, terms = On("shown", Imitate())(Stream.of(lp, lp, lp, ids, ids, beside={"shown": shown}))
        >>> float(loss), list(terms)
        (2.0, ['shown/imitation'])
    """

    beside: str
    objective: Objective

    @property
    def needs(self) -> frozenset[str]:
        """The stream beside, and what its objective reads there."""
        return self.objective.needs | {self.beside}

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return self._named(self.objective.parts)

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return self._named(self.objective.reports)

    @property
    def whole(self) -> Unit:
        """The unit that must not be split, there."""
        return self.objective.whole

    def _named(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{self.beside}/{name}" for name in names)

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if self.beside not in stream.beside:
            nothing = stream.clean(stream.logprob)[:0].sum()
            return nothing, dict.fromkeys(self.reports, nothing.detach())
        other = replace(stream.beside[self.beside], iteration=stream.iteration)
        loss, terms = self.objective(other)
        return loss, {f"{self.beside}/{name}": value for name, value in terms.items()}
