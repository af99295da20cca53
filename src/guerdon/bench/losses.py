"""`guerdon bench speed --losses`: our losses beside verl's and TRL's, forward of the model left out.

Each pair starts from the same padded tensors, those that the peer's own trainer makes: verl's mask is bool and its
advantages are (B, T); TRL's mask is int64 and its advantages are (B,). What counts is all from there to the gradient
of the padded log-probabilities, with what each side reports: ours pays for the way to a flat stream and back, anew in
each repetition. verl's registered losses are called as they stand, with its KL as its trainer adds it. Of TRL it is
`GRPOTrainer._compute_loss` itself, on a stand-in for the trainer that has the settings it reads; the forward is
replaced by given log-probabilities, the clock starts after it, and the entropy that it reports is given one number
a play, which costs it nothing. One thread, its processor time, in turn.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon import objectives as o
from guerdon.bench.speed import Row, peer
from guerdon.errors import MissingExtraError
from guerdon.objectives.padded import from_padded

if TYPE_CHECKING:
    import torch

BETA = 0.04
NARROW = (3e-4, 4e-4)  # GSPO's bounds: a mean over a thousand tokens moves little
EACH, GSPO = o.SequenceMean(), o.TokenGradient(o.SequenceRatio())


@dataclass(frozen=True)
class Sizes:
    """Plays, their tokens where none is padding, and repetitions. With padding a row is twice as wide."""

    plays: int = 1024
    tokens: int = 1024
    repeats: int = 15


FULL = Sizes()
SMALL = Sizes(64, 64, 3)


@dataclass(frozen=True, eq=False)
class Padded:
    """What a trainer holds when the forward is done: (B, T) tensors; `score` is one advantage a play, (B,)."""

    name: str
    logprob: torch.Tensor
    old: torch.Tensor
    reference: torch.Tensor
    score: torch.Tensor
    mask: torch.Tensor


class Clock:
    """When a repetition began, in the thread's processor time; started anew by a side that has first to get ready."""

    began = 0.0

    def start(self) -> None:
        """Now."""
        self.began = time.thread_time()

    def read(self) -> float:
        """Seconds since."""
        return time.thread_time() - self.began


CLOCK = Clock()
Loss = Callable[[], "torch.Tensor"]


@dataclass(frozen=True)
class Pair:
    """One loss, on both sides: ours is an objective, theirs what is asked of the peer."""

    name: str
    ours: o.Objective
    theirs: dict[str, Any]


def verl_pairs(longest: int) -> tuple[Pair, ...]:
    """verl's clip is always dual, with 3 where nothing is set."""
    dapo = {"loss": "vanilla", "mode": "token-mean", "low": 0.2, "high": 0.28}
    narrow = {"low": NARROW[0], "high": NARROW[1]}
    clipped = o.Clipped(0.2, 0.28, dual=3.0)
    return (
        Pair("grpo", replace(clipped, reduce=EACH), dapo | {"mode": "seq-mean-token-mean"}),
        Pair("dapo", clipped, dapo),
        Pair(
            "dr_grpo", replace(clipped, reduce=o.ConstantLength(longest)),
            dapo | {"mode": "seq-mean-token-sum-norm", "longest": longest},
        ),
        Pair("cispo", o.Reinforce(o.Bounded(0.2, 0.28)), dapo | {"loss": "cispo"}),
        Pair(
            "gspo", o.Clipped(*NARROW, ratio=GSPO, reduce=EACH),
            narrow | {"loss": "gspo", "mode": "seq-mean-token-mean"},
        ),
        Pair("dapo + KL", clipped + o.KL(BETA), dapo | {"beta": BETA}),
    )  # fmt: skip


def trl_pairs(longest: int) -> tuple[Pair, ...]:
    """TRL's clip is dual where `delta` is set."""
    clipped = o.Clipped(0.2, 0.28)
    return (
        Pair("grpo", replace(clipped, reduce=EACH), {"loss_type": "grpo"}),
        Pair("dapo", clipped, {"loss_type": "dapo"}),
        Pair("dr_grpo", replace(clipped, reduce=o.ConstantLength(longest)), {"loss_type": "dr_grpo"}),
        Pair("dapo, dual", replace(clipped, dual=3.0), {"loss_type": "dapo", "delta": 3.0}),
        Pair("cispo", o.Reinforce(o.Bounded(1.0, 4.0)), {"loss_type": "cispo", "high": 5.0}),
        Pair(
            "gspo", o.PlayClipped(*NARROW),
            {"loss_type": "grpo", "level": "sequence", "low": NARROW[0], "high": NARROW[1]},
        ),
        Pair("dapo + KL", clipped + o.KL(BETA), {"loss_type": "dapo", "beta": BETA}),
    )  # fmt: skip


def measure(sizes: Sizes = FULL, watch: Callable[[str], None] = lambda what: None) -> list[Row]:
    """Every figure, in a minute or two.

    Args:
        watch: told what is measured next.

    Raises:
        MissingExtraError: verl or TRL is not installed.
    """
    rows = []
    with peer() as verl:
        trainer = grpo_trainer()
        for x in cases(sizes):
            for stack, pairs, mask, advantage, made in (
                ("verl", verl_pairs, x.mask, x.score[:, None].expand_as(x.old).contiguous(), verl_loss),
                ("TRL", trl_pairs, x.mask.long(), x.score, trl_loss),
            ):
                their = verl if stack == "verl" else trainer
                for pair in pairs(x.old.shape[1]):
                    watch(f"{pair.name} beside {stack}, {x.name}")
                    ours = our_loss(pair.ours, x, mask, advantage)
                    theirs = made(their, x, mask, advantage, **pair.theirs)
                    rows.append(_beside(pair.name, stack, x, ours, theirs, sizes.repeats))
    return rows if sizes == FULL else [replace(row, asked=None) for row in rows]


def cases(sizes: Sizes) -> Iterator[Padded]:
    """As many tokens in both: dense, and with half of a twice as wide batch padding on the right."""
    import torch

    rng = torch.Generator().manual_seed(0)
    plays, tokens = sizes.plays, sizes.tokens
    some = torch.randint(1, 2 * tokens, (plays // 2,), generator=rng)
    for name, length, width in (
        ("dense", torch.full((plays,), tokens), tokens),
        ("half padding", torch.cat([some, 2 * tokens - some]), 2 * tokens),
    ):
        normal = [torch.randn(plays, width, generator=rng) for _ in range(3)]
        old = -normal[0].abs()
        yield Padded(
            f"{name} ({plays:,} x {width:,})", (old + 0.2 * normal[1]).requires_grad_(), old, old + 0.2 * normal[2],
            torch.randn(plays, generator=rng), torch.arange(width) < length[:, None],
        )  # fmt: skip


def our_loss(objective: o.Objective, x: Padded, mask: torch.Tensor, advantage: torch.Tensor) -> Loss:
    """From padded to flat, and the loss."""
    reads = {"ref_logprob": x.reference} if "ref_logprob" in objective.needs else {}
    return lambda: objective(from_padded(x.logprob, x.old, advantage, mask, **reads))[0]


def verl_loss(
    verl: Any, x: Padded, mask: torch.Tensor, advantage: torch.Tensor, *, loss: str, mode: str, low: float,
    high: float, longest: int | None = None, beta: float = 0.0,
) -> Loss:  # fmt: skip
    """The registered loss of that name, and its KL where `beta` is given."""
    from verl.workers.config.actor import FSDPActorConfig

    totals = {} if longest is None else {"loss_scale_factor": longest}
    config = FSDPActorConfig(
        strategy="fsdp", rollout_n=1, use_dynamic_bsz=True, clip_ratio_low=low, clip_ratio_high=high,
        clip_ratio_c=3.0, loss_agg_mode=mode, global_batch_info=totals,
    )  # fmt: skip
    function = verl.get_policy_loss_fn(loss)

    def call() -> torch.Tensor:
        total, _ = function(
            old_log_prob=x.old, log_prob=x.logprob, advantages=advantage, response_mask=mask, loss_agg_mode=mode,
            config=config,
        )  # fmt: skip
        if beta:
            distance = verl.kl_penalty(x.logprob, x.reference, "low_var_kl")
            total = total + beta * verl.agg_loss(distance, mask, mode, **totals)
        return total

    return call


def grpo_trainer() -> Any:
    """TRL's class.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from trl import GRPOTrainer
    except ImportError as error:
        raise MissingExtraError(
            f"bench speed: TRL cannot be imported ({error}); it is what the figures stand beside; "
            "install it with pip install 'guerdon[trl]'"
        ) from error
    return GRPOTrainer


class Alone:
    """The part of an accelerator that reports are made with, in one process."""

    num_processes = 1

    def reduce(self, x: torch.Tensor, reduction: str) -> torch.Tensor:
        """There is nobody to add up with."""
        return x

    def gather(self, x: torch.Tensor) -> torch.Tensor:
        """There is nobody to gather from."""
        return x


def trl_loss(
    trainer: Any, x: Padded, mask: torch.Tensor, advantage: torch.Tensor, *, loss_type: str, low: float = 0.2,
    high: float = 0.28, level: str = "token", beta: float = 0.0, delta: float | None = None,
) -> Loss:  # fmt: skip
    """`_compute_loss` of the trainer, the log-probabilities given."""
    entropy, nothing = x.old.new_zeros(len(x.old), 1), mask[:, :0]

    def forward(*_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor, None]:
        CLOCK.start()
        return x.logprob, entropy, None

    stand_in = SimpleNamespace(
        _get_per_token_logps_and_entropies=forward, aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level=level, beta=beta, loss_type=loss_type,
        epsilon_low=low, epsilon_high=high, use_vllm=False, max_completion_length=x.old.shape[1],
        args=SimpleNamespace(use_bias_correction_kl=False, delta=delta, steps_per_generation=1),
        model=SimpleNamespace(training=True), current_gradient_accumulation_steps=1, accelerator=Alone(),
        _entropy_bonus_enabled=False, _metrics={"train": defaultdict(list)},
    )  # fmt: skip
    inputs = {
        "prompt_ids": nothing, "prompt_mask": nothing, "completion_ids": mask, "completion_mask": mask,
        "advantages": advantage, "old_per_token_logps": x.old, "ref_per_token_logps": x.reference,
        "num_items_in_batch": mask.sum(),
    }  # fmt: skip
    return lambda: trainer._compute_loss(stand_in, None, inputs)


def _beside(name: str, stack: str, x: Padded, ours: Loss, theirs: Loss, repeats: int) -> Row:
    (our, mine), (their, other) = in_turn((ours, theirs), x.logprob, repeats)
    apart = max(abs(mine[0] - other[0]), float((mine[1] - other[1]).abs().max() / other[1].abs().max()))
    ratio = their / our
    return Row(
        name, x.name, stack, 1e3 * float(np.median(our)), 1e3 * float(np.median(their)), float(np.median(ratio)),
        float(ratio.min()), float(ratio.max()), 1.0, True, apart,
    )  # fmt: skip


Result = tuple[float, "torch.Tensor"]


def in_turn(losses: Sequence[Loss], leaf: torch.Tensor, repeats: int) -> list[tuple[np.ndarray, Result]]:
    """Seconds of loss and backward of each repetition, and the last loss and gradient; the first does not count.

    Args:
        leaf: what the gradient is taken of.
    """
    seconds = np.empty((len(losses), repeats + 1))
    found: list[Result] = [(0.0, leaf)] * len(losses)
    for k in range(repeats + 1):
        for i, loss in enumerate(losses):
            leaf.grad = None
            found[i] = (0.0, leaf)  # freed before the clock starts
            CLOCK.start()
            value = loss()
            value.backward()
            seconds[i, k] = CLOCK.read()
            found[i] = (float(value.detach()), leaf.grad)
    leaf.grad = None
    return [(each[1:], last) for each, last in zip(seconds, found, strict=True)]
