"""TRL 1.16's eight loss types: where a formula is also TRL's, the numbers are TRL's; where not, a test says how.

`GRPOTrainer` is driven as `tests/credit/test_agreement_trl.py` drives it, which has "grpo", "bnpo", "dr_grpo" and
"dapo" with their clips, levels of the ratio, regularisers and micro-batches. Here are the other four, and what the
four have in common.
"""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from credit import test_agreement_trl as driver  # noqa: E402
from guerdon import objectives as o  # noqa: E402
from guerdon.objectives import Bounded, BySign, Clipped, Gamma, Reinforce, SequenceRatio, SoftClipped  # noqa: E402
from guerdon.recipes import get  # noqa: E402

tiny, trainer, grpo, sample, rloo = driver.tiny, driver.trainer, driver.grpo, driver.sample, driver.rloo
agree, case, ours, CREDIT, ROWS, HALVES = (
    driver.agree, driver.case, driver.ours, driver.CREDIT, driver.ROWS, driver.HALVES
)  # fmt: skip
VESPO = get("vespo").objective

MATES = {
    "grpo": Clipped(reduce=o.SequenceMean()),
    "bnpo": Clipped(reduce=o.TokenMean()),
    "dr_grpo": Clipped(reduce=o.ConstantLength(driver.LONGEST)),
    "dapo": Clipped(reduce=o.TokenMean()),
    "cispo": Reinforce(Bounded(1.0, 0.0), reduce=o.TokenMean()),
    "sapo": SoftClipped(),
    "luspo": Clipped(reduce=o.ConstantLength(1)),
    "vespo": VESPO,
}
every = pytest.mark.parametrize("loss", MATES)


def options(loss):
    """What TRL wants to be told for this loss type, where its default is another one's."""
    return {"cispo": {"epsilon_high": 1.0}, "luspo": {"importance_sampling_level": "sequence"}}.get(loss, {})


def mate(loss):
    """Its mate here, at the level of the ratio that `options` asks for."""
    return replace(MATES[loss], ratio=SequenceRatio()) if loss == "luspo" else MATES[loss]


def test_these_are_all_its_loss_types():
    from trl import GRPOConfig

    said = GRPOConfig.__dataclass_fields__["loss_type"].metadata["help"]
    assert set(re.findall(r"'(\w+)'", said.split(". ")[1])) == MATES.keys()


@every
def test_every_loss_type(loss, sample, grpo):
    agree(ours(sample, CREDIT, mate(loss)), grpo(sample, loss_type=loss, **options(loss)))


@every
def test_tokens_of_tools_are_in_no_sum_and_no_count(loss, sample, grpo):
    """Nor in the ratio of the whole."""
    sample.own[:, 1::3] = False
    agree(ours(sample, CREDIT, mate(loss)), grpo(sample, loss_type=loss, **options(loss)))


@every
@pytest.mark.parametrize("far", [0.0, 3.0])
def test_fresh_and_stale_data(loss, far, sample, grpo):
    sample = replace(sample, new=sample.old + far * (sample.new - sample.old))
    agree(ours(sample, CREDIT, mate(loss)), grpo(sample, loss_type=loss, **options(loss)))


@pytest.mark.parametrize("loss", ["cispo", "sapo", "luspo", "vespo"])
def test_micro_batches_add_up(loss, sample, grpo):
    agree(ours(sample, CREDIT, mate(loss)), grpo(sample, parts=HALVES, loss_type=loss, **options(loss)))


@pytest.mark.parametrize("bound", [1.2, 2.0, 5.0])
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_cispo(bound, level, sample, grpo):
    """Its epsilon_high is the bound itself."""
    theirs = grpo(sample, loss_type="cispo", epsilon_high=bound, importance_sampling_level=level)
    ratio = o.TokenRatio() if level == "token" else SequenceRatio()
    agree(ours(sample, CREDIT, Reinforce(Bounded(1.0, bound - 1), ratio)), theirs)


def test_the_recipe_cispo_is_trls_with_the_bound_that_its_help_recommends(sample, grpo):
    agree(ours(sample, get("cispo").credit, get("cispo").objective), grpo(sample, loss_type="cispo", epsilon_high=5.0))


@pytest.mark.parametrize(("hot", "cold"), [(1.0, 1.05), (0.4, 3.0)])
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_sapo(hot, cold, level, sample, grpo):
    theirs = grpo(
        sample, loss_type="sapo", sapo_temperature_pos=hot, sapo_temperature_neg=cold, importance_sampling_level=level
    )
    ratio = o.TokenRatio() if level == "token" else SequenceRatio()
    agree(ours(sample, CREDIT, SoftClipped(hot, cold, ratio)), theirs)


def test_the_recipe_sapo_is_trls_defaults(sample, grpo):
    agree(ours(sample, get("sapo").credit, get("sapo").objective), grpo(sample, loss_type="sapo"))


@pytest.mark.parametrize(("right", "wrong"), [((2.0, 3.0), (3.0, 2.0)), ((1.0, 0.5), (0.5, 4.0))])
def test_vespo(right, wrong, sample, grpo):
    theirs = grpo(
        sample, loss_type="vespo", vespo_k_pos=right[0], vespo_lambda_pos=right[1], vespo_k_neg=wrong[0],
        vespo_lambda_neg=wrong[1],
    )  # fmt: skip
    weight = BySign(Gamma(*right), Gamma(*wrong))
    agree(ours(sample, CREDIT, Reinforce(weight, o.SequenceProduct(), o.TokenMean())), theirs)


def test_the_recipe_vespo_is_trls_defaults(sample, grpo):
    agree(ours(sample, get("vespo").credit, get("vespo").objective), grpo(sample, loss_type="vespo"))


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.08), (0.2, 0.28)])
def test_luspo(low, high, sample, grpo):
    theirs = grpo(sample, loss_type="luspo", importance_sampling_level="sequence", epsilon=low, epsilon_high=high)
    agree(ours(sample, CREDIT, Clipped(low, high, SequenceRatio(), o.ConstantLength(1))), theirs)


def test_the_recipe_gspo_is_trls_grpo_at_the_level_of_sequences(sample, grpo):
    """With log-ratios as small as its bounds; else every play is outside of them."""
    sample = replace(sample, new=sample.old + 1e-3 * (sample.new - sample.old))
    level = {"importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4}
    mine = ours(sample, get("gspo").credit, get("gspo").objective)
    agree(mine, grpo(sample, loss_type="grpo", **level))
    cut = (mine[2].abs().sum(1) == 0) & torch.from_numpy(mine[0] != 0)
    assert 0 < int(cut.sum()) < ROWS


def test_the_ratio_of_whole_sequences_in_rloo_is_the_product(sample, rloo):
    """RLOOTrainer sums the log-ratios of a play, clips their product, and sums no more than one loss a play."""
    sample = driver.full(replace(sample, new=sample.old + 0.1 * (sample.new - sample.old)))
    theirs = rloo(sample, beta=0.0, epsilon=0.1)
    objective = Clipped(0.1, 0.1, o.SequenceProduct(), o.SequenceMean())
    agree(ours(sample, get("rloo").credit, objective), theirs)


def test_the_unbiased_kl_is_k3_weighed_by_the_ratio(sample, grpo):
    """use_bias_correction_kl, its default: in the loss the ratio has its gradient too."""
    theirs = grpo(sample, loss_type="dapo", beta=0.04)
    mine = ours(sample, CREDIT, Clipped())
    row, column = ((np.arange(driver.LONGEST) < sample.length[:, None]) & sample.own).nonzero()
    new = sample.new.clone().requires_grad_()
    gap = (sample.ref - new)[row, column]
    term = 0.04 * ((gap.expm1() - gap) * (new - sample.old)[row, column].exp()).mean()
    (gradient,) = torch.autograd.grad(term, new)
    agree((mine[0], mine[1] + term.item(), mine[2] + gradient), theirs)


# What differs, by design.


def test_differs_cispos_bound_is_an_epsilon_where_none_is_given(sample, grpo):
    """TRL: 0.2, an upper bound of the weight below 1, for fresh tokens too. Here a weight is at most 1 + high."""
    theirs = grpo(sample, loss_type="cispo")
    shares = ours(sample, CREDIT, Reinforce(Bounded(1.0, 0.0)))
    fresh = replace(sample, new=sample.old)
    on_policy = grpo(fresh, loss_type="cispo"), ours(fresh, CREDIT, Reinforce(Bounded(1.0, 4.0)))
    torch.testing.assert_close(on_policy[0][2], 0.2 * on_policy[1][2], atol=1e-7, rtol=1e-6)
    assert (theirs[2].abs() <= 0.2 * ours(fresh, CREDIT, Reinforce())[2].abs() + 1e-7).all()
    assert (shares[2].abs() > theirs[2].abs() + 1e-4).any()


def test_differs_trl_bounds_a_log_ratio_of_a_token_before_it_adds_them_up_in_vespo(sample, grpo):
    """Two tokens of a play, one 26 up and one 24 down: the sum is 0 in TRL, as of 20 and -20, and 2 here."""
    sample = driver.full(sample)
    move = torch.zeros_like(sample.old)
    move[:, 0], move[:, 1] = 26.0, -24.0
    sample = replace(sample, new=sample.old + move)
    theirs, mine = grpo(sample, loss_type="vespo"), ours(sample, CREDIT, VESPO)
    good = torch.from_numpy(mine[0] > 0)
    share = math.exp(2 * 2 - 3 * (math.exp(2) - 1))
    torch.testing.assert_close(mine[2][good], share * theirs[2][good], atol=1e-9, rtol=1e-6)
    assert share < 1e-6 < theirs[2][good].abs().max()


@pytest.mark.parametrize("loss", ["sapo", "luspo"])
def test_differs_a_play_that_is_not_trained_on_is_counted_by_trl(loss, sample, grpo):
    """Its tokens are gone in both; TRL's mean over plays still has it."""
    sample.ended[[1, 6]] = False
    mine = ours(sample, CREDIT, mate(loss))
    theirs = grpo(sample, loss_type=loss, mask_truncated_completions=True, **options(loss))
    assert theirs[1] == pytest.approx(mine[1] * (ROWS - 2) / ROWS, abs=1e-6)
