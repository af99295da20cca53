"""Recipes whose idea is the loss: what each comes down to, and the signed weights of NSR and its kin."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given

from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred
from guerdon.objectives import Clipped, SequenceMean, Stream, TokenMean
from guerdon.recipes import cispo, dispo, get, gmpo, gpg, gspo, nsr, sapo, vespo
from guerdon.rewards import fact
from strategies import ragged_batches

METHODS = (cispo, dispo, gmpo, gpg, gspo, sapo, vespo, nsr)
GRID = np.linspace(-6, 6, 2001)


def stream(seed=0, far=0.3, tokens=(1, 4, 2, 5), flat=True):
    """Four plays of several tokens; one credit for each play, or for each token."""
    rng = torch.Generator().manual_seed(seed)
    ids = torch.repeat_interleave(torch.arange(len(tokens)), torch.tensor(tokens))
    x = torch.randn(3, len(ids), generator=rng, dtype=torch.float64)
    credit = x[2, : len(tokens)][ids] if flat else x[2]
    old = -x[0].abs() - 0.1
    return Stream.of((old + far * x[1]).requires_grad_(), old, credit, ids, ids)


def pull(objective, s):
    return torch.autograd.grad(objective(s)[0], s.logprob)[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("module", METHODS)
def test_on_policy_each_is_the_policy_gradient_of_its_reduction(module, seed):
    s = stream(seed)
    s = replace(s, old_logprob=s.logprob.detach())
    objective = module.RECIPE.objective
    plain = -objective.reduce(s.advantage * s.logprob, s)
    torch.testing.assert_close(pull(objective, s), torch.autograd.grad(plain, s.logprob)[0])


@pytest.mark.parametrize("seed", range(4))
def test_gspo_with_one_token_a_play_is_the_token_level(seed):
    s = stream(seed, far=1e-3, tokens=(1,) * 9)
    level = Clipped(gspo.LOW, gspo.HIGH, reduce=SequenceMean())
    for objective in (gspo.objective(), gspo.token_level()):
        torch.testing.assert_close(pull(objective, s), pull(level, s))


@pytest.mark.parametrize("seed", range(4))
def test_gspo_and_its_token_form_part_where_tokens_have_credit_of_their_own(seed):
    s = stream(seed, far=1e-4)
    torch.testing.assert_close(pull(gspo.objective(), s), pull(gspo.token_level(), s))
    s = stream(seed, far=1e-4, flat=False)
    assert (pull(gspo.objective(), s) - pull(gspo.token_level(), s)).abs().max() > 1e-3


def test_dispo_with_equal_bounds_is_cispo():
    s = stream()
    torch.testing.assert_close(
        pull(dispo.objective(0.2, 4.0, 0.2, 4.0), s), pull(cispo.objective(0.2, 4.0), s), atol=0, rtol=0
    )


def test_gmpo_without_its_clip_is_gspo_without_its_clip():
    s = stream(far=1.0)
    free = replace(gspo.objective(), low=1.0, high=math.inf)
    torch.testing.assert_close(pull(gmpo.objective(math.inf, math.inf), s), pull(free, s))


def shares(objective, advantage):
    """How much of the policy gradient a token keeps at each ratio of GRID."""
    ids = torch.arange(len(GRID))
    x = torch.from_numpy(GRID).requires_grad_()
    s = Stream.of(x, torch.zeros(len(GRID)).double(), torch.full((len(GRID),), advantage).double(), ids, ids)
    return (pull(replace(objective, reduce=TokenMean()), s) * len(GRID) / -advantage).numpy()


@pytest.mark.parametrize(
    ("module", "advantage", "bound"),
    [
        (sapo, 1.0, 1.58), (sapo, -1.0, 1.56), (cispo, 1.0, 5.0), (cispo, -1.0, 5.0), (dispo, 1.0, 11.0),
        (dispo, -1.0, 101.0), (vespo, 1.0, 1.21), (vespo, -1.0, 1.25), (gmpo, 1.0, 1.5), (gpg, -1.0, 1.0),
    ],
)  # fmt: skip
def test_the_bounds_that_the_papers_promise(module, advantage, bound):
    got = shares(module.RECIPE.objective, advantage)
    assert got.max() <= bound and got.max() >= 0.9 * bound and got.min() >= 0


@pytest.mark.parametrize("module", [sapo, vespo])
def test_the_soft_ones_let_go_of_what_is_far_on_both_sides(module):
    for advantage in (1.0, -1.0):
        got = shares(module.RECIPE.objective, advantage)
        assert got[0] < 0.05 and got[-1] < 1e-6


def test_the_figures_in_sapos_text():
    ratio = np.exp(GRID)
    got = shares(sapo.RECIPE.objective, 1.0)
    assert np.interp([2, 10], ratio, got) == pytest.approx([1.57, 0.0049], rel=0.02)


# Signed weights.


@given(batch=ragged_batches())
def test_psr_and_nsr_add_up_to_reinforce(batch):
    both = (nsr.PSR + nsr.NSR)(batch)
    assert both.values.tolist() == nsr.REINFORCE(batch).values.tolist()
    outcome = batch.lift(batch["outcome"], "step")
    assert both.values[outcome.valid] == pytest.approx(2 * outcome.values[outcome.valid] - 1)


@given(batch=ragged_batches())
def test_each_against_its_table(batch):
    outcome = batch.lift(batch["outcome"], "step")
    table = {"PSR": (1.0, 0.0), "NSR": (0.0, -1.0), "W_REINFORCE": (0.1, -1.0)}
    for name, (right, wrong) in table.items():
        column = getattr(nsr, name)(batch)
        expected = np.where(outcome.valid, np.where(outcome.values == 1, right, wrong), 0.0)
        assert column.values.tolist() == expected.tolist()
        assert column.valid.tolist() == outcome.valid.tolist()


def test_on_policy_their_exact_gradients_are_parallel():
    """Of a softmax over six answers, two of them right: W-REINFORCE is 1 + LAMBDA times PSR, and so is NSR once."""
    p = torch.tensor([0.3, 0.1, 0.25, 0.15, 0.15, 0.05]).double()
    right = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).double()
    batch = Batch.from_steps(group=[0] * 6, trajectory=list(range(6)), reward=right.numpy())
    batch = batch.with_columns(outcome=Column.of("trajectory", right.numpy()))

    def gradient(credit):
        a = torch.from_numpy(credit(batch).values)
        return p * (a - (p * a).sum())  # d/dz of sum p A

    psr = gradient(nsr.PSR)
    assert psr.abs().max() > 0.05
    torch.testing.assert_close(gradient(nsr.NSR), psr)
    torch.testing.assert_close(gradient(nsr.W_REINFORCE), (1 + nsr.LAMBDA) * psr)
    torch.testing.assert_close(gradient(nsr.REINFORCE), 2 * psr)


def test_one_wrong_answer_hands_its_mass_to_the_others_by_what_they_had():
    """One sample each: NSR moves the logits by p_v off the answer, PSR by the opposite."""
    z = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    ids = torch.zeros(1, dtype=torch.long)

    def step(credit):
        lp = z.log_softmax(0)[:1]
        s = Stream.of(lp, lp.detach(), torch.tensor([credit]).double(), ids, ids)
        (g,) = torch.autograd.grad(nsr.RECIPE.objective(s)[0], z)
        return -g

    p = z.detach().softmax(0)
    torch.testing.assert_close(step(-1.0), torch.stack([p[0] - 1, p[1], p[2]]))
    torch.testing.assert_close(step(1.0), -step(-1.0))


@pytest.mark.parametrize("name", ["cispo", "gmpo", "gspo", "sapo", "vespo"])
@given(batch=ragged_batches())
def test_only_the_loss_differs_from_grpo(name, batch):
    recipe = get(name)
    assert recipe.credit(batch).values.tolist() == get("grpo").credit(batch).values.tolist()
    assert recipe.objective != get("grpo").objective
    assert recipe.credit(batch).values == pytest.approx(centred(fact("outcome"), scale=Std(1e-4))(batch).values)
