"""How a run is done, as against what it trains: sizes, rates, budgets. One frozen record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from guerdon.errors import UnknownNameError


@dataclass(frozen=True)
class Config:
    """Everything about a run that is not the recipe, the environment or the seed.

    Attributes:
        steps: environment steps after which training stops; None: no such limit.
        iterations: updates after which training stops.
        prompts: tasks per iteration, each a group.
        plays: plays per task.
        epochs: passes over each batch.
        minibatches: optimiser steps per pass.
        lr: of Adam, constant.
        clip_gradient: the largest gradient norm.
        entropy: weight of the entropy bonus.
        kl: weight of KL to the policy that training began with; 0 keeps no reference model.
        reset_reference: after every so many iterations that reference becomes the policy as it then is; 0 never.
        temperature: of sampling.
        most: the most tokens of an action.
        history: True reads the whole history, False the last state.
        memory: with the last state, how many past actions are read with it.
        width, layers, heads, longest: of the small model, where no other is given.
        warm_up_plays: scripted plays per training task that the policy imitates first.
        warm_up_noise: share of random actions in them; 1 is random play.
        warm_up_random: plays of random admissible actions per training task that are imitated with them.
        warm_up_epochs: passes over both.
        warm_up_lr: learning rate of the imitation.
        eval_every: iterations between evaluations; 0: only at the end.
        eval_plays: plays of an evaluation, spread over its tasks.
        final_plays: plays of the last evaluation, on test and on training tasks each.
        save_every: iterations between saved batches.
        checkpoint_every: iterations between checkpoints.
        chunk: the most padded tokens in one forward pass.
        deadline: seconds that one call of an environment may take.
        threads: of torch on a CPU; 0 leaves that to torch.
    """

    steps: int | None = None
    iterations: int = 100
    prompts: int = 8
    plays: int = 8
    epochs: int = 1
    minibatches: int = 4
    lr: float = 1e-3
    clip_gradient: float = 1.0
    entropy: float = 0.0
    kl: float = 0.0
    reset_reference: int = 0
    temperature: float = 1.0
    most: int = 8
    history: bool = False
    memory: int = 0
    width: int = 64
    layers: int = 2
    heads: int = 4
    longest: int = 1024
    warm_up_plays: int = 0
    warm_up_noise: float = 1.0
    warm_up_random: int = 0
    warm_up_epochs: int = 1
    warm_up_lr: float = 1e-3
    eval_every: int = 10
    eval_plays: int = 64
    final_plays: int = 256
    save_every: int = 20
    checkpoint_every: int = 1
    chunk: int = 16_384
    deadline: float = 30.0
    threads: int = 0

    def __post_init__(self) -> None:
        least = {
            "prompts": 1, "plays": 1, "epochs": 1, "minibatches": 1, "iterations": 0, "threads": 0, "most": 1,
            "chunk": 1, "checkpoint_every": 1, "save_every": 1, "final_plays": 1, "eval_plays": 1, "eval_every": 0,
            "memory": 0, "warm_up_plays": 0, "warm_up_random": 0, "warm_up_epochs": 0, "warm_up_noise": 0,
            "width": 1, "layers": 1, "heads": 1, "longest": 2, "entropy": 0, "kl": 0, "reset_reference": 0,
        }  # fmt: skip
        for name, low in least.items():
            if not low <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"Config: {name} is {getattr(self, name)}; it must be a number of at least {low}; change it"
                )
        for name in ("lr", "temperature", "clip_gradient", "warm_up_lr", "deadline"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"Config: {name} is {getattr(self, name)}; it must be a positive number; change it")
        if self.width % (2 * self.heads):
            raise ValueError(
                f"Config: width is {self.width} and heads {self.heads}; each head has an even share of the width; "
                f"give a width that is a multiple of {2 * self.heads}"
            )
        if self.most >= self.longest:
            raise ValueError(
                f"Config: most is {self.most} and longest {self.longest}; an action has to fit behind what was read; "
                "lower most, or raise longest"
            )

    def changed(self, options: Mapping[str, Any]) -> Config:
        """The same with these options; text values are read as the option's type.

        Example:
            >>> Config().changed({"lr": "0.01", "history": "true"}).lr
            0.01
        """
        types = {f.name: f.type for f in fields(self)}
        out = {}
        for name, value in options.items():
            if name not in types:
                raise UnknownNameError(
                    f"Config: there is no option {name!r}; the options are {', '.join(sorted(types))}; use one of these"
                )
            out[name] = _read(name, str(types[name]), value) if isinstance(value, str) else value
        return replace(self, **out)

    def asdict(self) -> dict[str, Any]:
        """As plain values, for run.json."""
        return asdict(self)


def _read(name: str, kind: str, text: str) -> Any:
    try:
        if kind == "bool":
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        if text.lower() == "none" and "None" in kind:
            return None
        return float(text) if kind == "float" else int(text)
    except (ValueError, KeyError):
        raise ValueError(
            f"Config: {name} is {text!r}; a value of type {kind} is needed; write one like {name}=1"
        ) from None


PRESETS: dict[str, Config] = {
    # Rate, KL and batch were chosen on grpo and rloo alone, with two subgoals: docs/log.md, 21 November 2026.
    "keydoor": Config(
        steps=700_000, prompts=16, plays=8, minibatches=4, lr=1e-3, kl=0.003, most=4, longest=512, threads=1,
        warm_up_plays=4, warm_up_noise=1.0, warm_up_epochs=3, warm_up_lr=3e-3, eval_every=10, eval_plays=64,
    ),
    "textworld": Config(
        steps=40_000, prompts=10, plays=4, minibatches=4, lr=5e-4, kl=0.003, most=12, memory=1, width=128, threads=2,
        warm_up_plays=2, warm_up_noise=0.0, warm_up_random=2, warm_up_epochs=12, warm_up_lr=2e-3,
        eval_every=20, eval_plays=40, final_plays=80,
    ),
}  # fmt: skip


def preset(environment: str, policy: str | None = None) -> Config:
    """The configuration that fits an environment on two cores; the general one for others.

    Args:
        policy: the model that is trained, where it is not the small one made here. It can speak already, so there is no
            warm-up, and the rate is TRL's for GRPO: the rates that a small model learns with from nothing
            undo a trained one within a few steps.

    Example:
        >>> preset("keydoor").lr, preset("keydoor", "a/model").lr
        (0.001, 1e-06)
    """
    config = PRESETS.get(environment, Config())
    if policy is None:
        return config
    return replace(config, lr=1e-6, warm_up_plays=0, warm_up_random=0)
