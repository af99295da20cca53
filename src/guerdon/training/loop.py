"""The loop: one iteration is the flow, from tasks to an update. Read this file first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guerdon import store
from guerdon.batch import Batch
from guerdon.credit import assign
from guerdon.errors import DivergedError, EnvironmentFault
from guerdon.evidence import observe
from guerdon.rewards import reward
from guerdon.rollouts import by_policy, play
from guerdon.training.entropy import with_entropy
from guerdon.training.evaluate import evaluate, summarise
from guerdon.training.measure import measure
from guerdon.training.run import SAMPLE, SPLIT, Clock, Run
from guerdon.training.update import update
from guerdon.training.warmup import warm_up

Watch = Callable[[Run, Mapping[str, Any]], None]


def train(run: Run, resume: bool = False, watch: Watch = lambda run, metrics: None) -> dict[str, Any]:
    """Trains until the run's budget is spent, and writes its folder.

    Args:
        run: the recipe, the environment, the policy and the folder.
        resume: go on from the newest checkpoint in the folder.
        watch: called with the metrics after every iteration, for progress bars; before what else takes
            long with `{"doing": what}`.

    Returns:
        What is in summary.json.

    Raises:
        DivergedError: a loss was not finite; the batch is in `batches/diverged.parquet`.
    """
    run.open(resume)
    if not run.ready:
        warm_up(run, watch)
    while not run.over:
        try:
            metrics = iterate(run)
        except DivergedError as error:
            raise run.diverged(error) from error
        if not run.workers.first:
            continue
        store.append_jsonl(run.folder / "metrics.jsonl", metrics)
        run.board.write(metrics)
        if run.iteration % run.config.checkpoint_every == 0 or run.over:
            run.save()
        watch(run, metrics)
    watch(run, {"doing": "last evaluation"})
    return summarise(run)


def iterate(run: Run) -> dict[str, Any]:
    """Tasks to update, once; returns what is written about it, by the process that writes."""
    with Clock(run):
        batch = gather(run)
        metrics = learn(run, batch)
    if not run.workers.first:
        return {}
    metrics = measure(run, batch, metrics)
    if run.config.eval_every and run.iteration % run.config.eval_every == 0:
        metrics["eval"] = evaluate(run, run.config.eval_plays)
    if run.iteration % run.config.save_every == 0 or run.iteration == 1 or run.over:
        run.keep_batch(batch)
    return metrics


def gather(run: Run) -> Batch:
    """Plays, and adds columns stage by stage: facts, then what they are worth, then which step earned it."""
    tasks, groups = run.draw(run.iteration)
    player = by_policy(run.policy, run.generator(SAMPLE, run.iteration))
    with run.precision():
        trajectories = play(player, run.vector, tasks, groups, horizon=run.family.horizon)
    if all(t.ended.how == "failed" for t in trajectories):  # with nothing to learn from it would go on for ever
        raise EnvironmentFault(
            f"train: all {len(trajectories)} plays of iteration {run.iteration + 1} failed "
            f"({trajectories[0].ended.cause}); an environment that can be played is needed; mend it, "
            "then go on with --resume"
        )
    batch = Batch.of(trajectories)
    batch = observe(batch, run.recipe.reward.observers)
    if "entropy" in run.recipe.needs:
        batch = with_entropy(batch, run.policy, run.config.chunk)
    if run.critic:
        batch = run.critic.observe(batch)
    batch = reward(batch, run.recipe.reward)
    return assign(batch, run.recipe.credit)


def learn(run: Run, batch: Batch) -> dict[str, float]:
    """Changes the weights by a batch with advantages."""
    seed = int(run.rng(SPLIT, run.iteration).integers(1 << 62))
    longest = run.family.horizon * run.config.most
    run.batch = batch
    with run.precision():
        metrics = update(
            run.policy.model, run.optimizer, run.objective, batch, run.config, seed, run.reference, run.workers,
            longest, run.iteration,
        )  # fmt: skip
    if run.critic:
        metrics |= run.critic.fit(batch, run.workers)
    run.policy.forget()
    run.iteration += 1
    if run.config.reset_reference and run.iteration % run.config.reset_reference == 0:
        run.keep_reference()
    sampled = int(batch["sampled"].values.sum()) if "sampled" in batch else 0
    done = run.workers.add({"env_steps": batch.size("step"), "tokens": sampled})
    run.env_steps += int(done["env_steps"])
    run.tokens += int(done["tokens"])
    return metrics
