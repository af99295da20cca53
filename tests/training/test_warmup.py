"""warm_up: the policy imitates scripted plays, the same for every recipe."""

import torch

from guerdon.training.warmup import demonstrations, warm_up


def warmed(run):
    """What the watcher was told, and the weights."""
    said = []
    run.open(False)
    warm_up(run, lambda run, metrics: said.append(dict(metrics)))
    return said, {k: v.clone() for k, v in run.policy.model.state_dict().items()}


def test_the_loss_falls(make):
    said, _ = warmed(make(warm_up_epochs=6))
    losses = [m["loss"] for m in said if "loss" in m]
    assert len(losses) == 6 and losses[-1] < 0.8 * losses[0]


def test_it_is_the_same_for_every_recipe_and_differs_by_seed(make):
    a, b, c = (warmed(make(r, f"{r}{seed}", seed=seed))[1] for r, seed in (("rloo", 0), ("milestones", 0), ("rloo", 1)))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


def test_the_plays_are_of_training_tasks_and_without_noise_all_are_solved(make):
    run = make(warm_up_noise=0.0, warm_up_plays=2)
    batch = demonstrations(run)
    assert batch.size("trajectory") == 8 and batch["outcome"].values.all()
    assert set(batch["task_id"].tolist()) == {t.extra["id"] for t in run.train}
    assert (batch["closer"].values == 1).all(), "the expert always comes nearer"
    noisy = demonstrations(make(folder="noisy", warm_up_noise=1.0, warm_up_plays=2))
    assert not noisy["outcome"].values.all()


def test_what_it_took_is_in_the_summary(make):
    run = make(warm_up_plays=3)
    warmed(run)
    w = run.warm_up
    assert w["plays"] == 12 and w["env_steps"] > 0 and w["loss"] > 0 and w["train"]["n"] == 4
    assert run.env_steps == 0, "steps of the warm-up are reported apart"


def test_without_plays_or_passes_nothing_is_learnt(make):
    before = make().policy.model.state_dict()
    for name, changes in (("plays", {"warm_up_plays": 0}), ("epochs", {"warm_up_epochs": 0})):
        _, after = warmed(make(folder=name, **changes))
        assert all(torch.equal(after[k], before[k]) for k in before)


def test_the_reference_is_the_policy_after_it(make):
    run = make(kl=0.1)
    _, after = warmed(run)
    assert all(torch.equal(v, after[k]) for k, v in run.reference.state_dict().items())
    assert not any(p.requires_grad for p in run.reference.parameters())
    plain = make(folder="plain")
    warmed(plain)
    assert plain.reference is None
