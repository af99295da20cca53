"""A critic: a small head on what the policy has read, trained beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from guerdon.batch import Batch, Column
from guerdon.policies import LanguagePolicy
from guerdon.policies.score import Inputs, score
from guerdon.recipes.base import Recipe
from guerdon.training.workers import Workers

WIDTH, LR, PASSES, ROWS = 64, 1e-3, 4, 512  # ours: a head this small is cheap to train well


class ValueModel:
    """Values of states, read off the policy's last hidden state before each action.

    The policy's weights get no gradient from it, so a recipe with a critic trains the same
    policy as one without.
    """

    def __init__(self, policy: LanguagePolicy, recipe: Recipe, seed: int) -> None:
        self.policy, self.recipe = policy, recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = policy.model.config.hidden_size
            self.head = torch.nn.Sequential(torch.nn.Linear(width, WIDTH), torch.nn.Tanh(), torch.nn.Linear(WIDTH, 1))
        self.head.to(policy.model.device)
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=LR, weight_decay=0.0)
        self.seen: torch.Tensor | None = None

    def observe(self, batch: Batch) -> Batch:
        """Adds `value`, of the state before each action, and `next_value`, of the state after a truncated play.

        A play is truncated where its outcome is decided, at the horizon, so nothing is to come
        after it and `next_value` is 0.
        """
        self.seen = self._hidden(batch)
        with torch.no_grad():
            value = self.head(self.seen)[:, 0].cpu().numpy().astype(np.float64)
        return batch.with_columns(value=Column.of("step", value), next_value=Column.of("step", np.zeros(len(value))))

    def fit(self, batch: Batch, workers: Workers) -> dict[str, float]:
        """Moves the values towards what came of the states; several processes then meet in the middle."""
        target = self.recipe.critic.targets(batch, self.recipe.reward)
        at = np.flatnonzero(target.valid)
        if not len(at):
            workers.average(self.head.parameters())
            return {}
        x = self.seen[torch.from_numpy(at).to(self.seen.device)]
        y = torch.from_numpy(target.values[at]).to(x)
        losses = []
        for _ in range(PASSES):
            for part in torch.arange(len(at), device=x.device).split(ROWS):
                loss = (self.head(x[part])[:, 0] - y[part]).square().mean()
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.detach())
        workers.average(self.head.parameters())
        spread = float(y.var(correction=0))
        explained = 1.0 - float(losses[0]) / spread if spread > 0 else 0.0
        return {"critic_loss": float(torch.stack(losses).mean()), "critic_explained": explained}

    @torch.no_grad()
    def _hidden(self, batch: Batch) -> torch.Tensor:
        model = self.policy.model
        inputs = Inputs.for_model(model, batch)
        step = batch.step_of_token[inputs.token]
        first = np.ones(len(step), bool)
        first[1:] = step[1:] != step[:-1]  # the state is read off before a step's first sampled token
        out = torch.zeros(batch.size("step"), model.config.hidden_size, device=model.device)
        for rows in inputs.chunks(np.arange(len(inputs.ids)), 16_384):
            scored = score(model, inputs, rows, 1.0, first, hidden=True)
            out[torch.from_numpy(step[scored.at]).to(model.device)] = scored.hidden.float()
        return out

    def state_dict(self) -> dict[str, Any]:
        """Head and optimiser."""
        return {"head": self.head.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes both back."""
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
