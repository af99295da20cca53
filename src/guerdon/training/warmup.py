"""Warm-up: the policy first imitates a few scripted plays, so that what it says means something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guerdon.batch import Batch, Column
from guerdon.objectives import Imitate
from guerdon.rollouts import by_script, play, repeated
from guerdon.training.evaluate import evaluate
from guerdon.training.run import WARM, Clock, Run
from guerdon.training.update import update

if TYPE_CHECKING:
    from collections.abc import Mapping


def warm_up(run: Run, watch: Callable[[Run, Mapping[str, Any]], None]) -> None:
    """Imitates scripted plays of each training task, then saves the first checkpoint.

    The environment steps of these plays are reported apart and are the same for every recipe.
    """
    c = run.config
    if c.warm_up_plays or c.warm_up_random:
        watch(run, {"doing": "scripted plays"})
        said: dict[str, float] = {}
        with Clock(run):
            batch = demonstrations(run)
            settings = replace(c, epochs=1, minibatches=max(1, batch.size("step") // 128))
            optimizer = torch.optim.AdamW(run.policy.model.parameters(), lr=c.warm_up_lr, weight_decay=0.0)
            for epoch in range(c.warm_up_epochs):
                seed = int(run.rng(WARM, epoch + 1).integers(1 << 62))
                said = update(run.policy.model, optimizer, Imitate(), batch, settings, seed)
                watch(run, {"doing": f"warm-up {epoch + 1}/{c.warm_up_epochs}", **said})
            run.policy.forget()
        run.warm_up = {"plays": batch.size("trajectory"), "env_steps": batch.size("step"), "noise": c.warm_up_noise,
                       "random": c.warm_up_random, "epochs": c.warm_up_epochs, "loss": said.get("loss")}  # fmt: skip
        watch(run, {"doing": "evaluation after the warm-up"})
        run.warm_up |= {split: evaluate(run, c.eval_plays, split) for split in ("train", "test")}
    run.keep_reference()
    run.save()


def demonstrations(run: Run) -> Batch:
    """The scripted plays, then the random ones, as a batch in which every action is to be imitated."""
    c = run.config
    trajectories = []
    for part, (plays, noise) in enumerate(((c.warm_up_plays, c.warm_up_noise), (c.warm_up_random, 1.0))):
        if plays:
            tasks, groups = repeated(run.train, plays)
            seed = int(run.rng(WARM, part << 20).integers(1 << 62))
            player = by_script(run.policy, run.vector, run.family.actions(), noise, seed)
            trajectories += play(player, run.vector, tasks, groups, horizon=run.family.horizon)
    batch = Batch.of(trajectories)
    return batch.with_columns(advantage=Column.of("step", np.ones(batch.size("step"))))
