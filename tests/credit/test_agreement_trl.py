"""Where a formula is also TRL's, the numbers are TRL's; where it is not, a test says how they differ.

GRPOTrainer is driven by its own two methods: `_generate_and_score_completions`, which makes
advantages of rewards, and then `_compute_loss` on what it returned. The completions come from its
`rollout_func`. One thing is a stand-in, `Given`: a model whose per-token log-probabilities are given.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from guerdon import objectives as o
from guerdon.batch import Batch, Column
from guerdon.credit import Everything, Others, Std, assign, centred
from guerdon.objectives import KL, Clipped, Entropy, SequenceRatio, Stream
from guerdon.recipes import gdpo, get
from guerdon.rewards import fact

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

GROUPS, PLAYS, LONGEST = 3, 4, 6
ROWS = GROUPS * PLAYS
HALVES = (slice(0, ROWS // 2), slice(ROWS // 2, ROWS))
READ, SAY, END = [3, 4], 5, 2  # token ids: any words, and what ends an answer


class Given(torch.nn.Module):
    """The one stand-in: a model whose log-probabilities and entropies are given, a row for each completion."""

    is_gradient_checkpointing = False

    def __init__(self, logprob, entropy=None):
        super().__init__()
        self.logprob = torch.nn.Parameter(logprob.clone())
        self.entropy = torch.zeros_like(logprob) if entropy is None else entropy

    def forward(self, input_ids, attention_mask, labels, fused_lm_head):
        assert fused_lm_head and len(input_ids) == len(self.logprob)
        return SimpleNamespace(log_probs=self.logprob, entropy=self.entropy)


@dataclass(frozen=True)
class Case:
    """Completions of 3 prompts, 4 of each: what they were paid and how likely their tokens are."""

    rewards: np.ndarray  # (rows, reward functions); NaN: this function had nothing to say
    length: np.ndarray
    new: torch.Tensor
    old: torch.Tensor
    ref: torch.Tensor
    entropy: torch.Tensor
    own: np.ndarray  # (rows, longest): False where a token was not the model's but a tool's
    ended: np.ndarray


def case(seed, functions=1):
    """Rewards are multiples of 1/8, as TRL holds them in 32 bits."""
    rng, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)

    def normal():
        return torch.randn(ROWS, LONGEST, generator=chance, dtype=torch.float64)

    length = rng.integers(1, LONGEST + 1, ROWS)
    length[0], length[-1] = LONGEST, 1
    old = -normal().abs()
    return Case(
        rng.integers(-8, 9, (ROWS, functions)) / 8, length, old + 0.5 * normal(), old, old + 0.5 * normal(),
        normal().abs(), np.ones((ROWS, LONGEST), bool), np.ones(ROWS, bool),
    )  # fmt: skip


@pytest.fixture(params=range(3))
def sample(request):
    return case(request.param)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a language model of a few hundred weights, and its tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(["<pad>", "<unk>", "<end>", "a", "b", "c", "d", "e"])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", eos_token="<end>")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=32, pad_token_id=0, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder, tokenizer


@pytest.fixture
def trainer(tiny, tmp_path, monkeypatch):
    """trainer(kind, case, **options): TRL's trainer of these completions, which are paid what the case says."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from transformers import LlamaForCausalLM

    def build(kind, sample, more, **options):
        import trl

        folder, tokenizer = tiny
        args = getattr(trl, f"{kind}Config")(
            output_dir=str(tmp_path), per_device_train_batch_size=ROWS, num_generations=PLAYS, num_iterations=2,
            gradient_checkpointing=False, bf16=False, report_to=[], use_cpu=True, max_completion_length=LONGEST,
            **options,
        )  # fmt: skip

        def function(column):
            paid = [None if np.isnan(r) else float(r) for r in column]
            return lambda completions, **_: paid

        data = Dataset.from_dict({"prompt": ["a b"] * ROWS})
        made = getattr(trl, f"{kind}Trainer")(
            LlamaForCausalLM.from_pretrained(folder), [function(c) for c in sample.rewards.T], args, data,
            processing_class=tokenizer, **more,
        )  # fmt: skip
        made.model = Given(sample.old)  # what it reads old log-probabilities off
        if options.get("beta"):
            made.ref_model = Given(sample.ref)
        return made

    return build


@pytest.fixture
def grpo(trainer):
    """grpo(case, **options) -> (advantages, loss, its gradient), all by GRPOTrainer."""

    def drive(sample, parts=(slice(None),), **options):
        said = [[SAY] * (n - 1) + [END if ended else SAY] for n, ended in zip(sample.length, sample.ended, strict=True)]
        mask = [own[:n].astype(int).tolist() for own, n in zip(sample.own, sample.length, strict=True)]

        def rollouts(prompts, _):
            found = {"prompt_ids": [READ] * len(prompts), "completion_ids": said, "logprobs": None}
            return found if sample.own.all() else found | {"env_mask": mask}

        made = trainer("GRPO", sample, {"rollout_func": rollouts}, **options)
        output = made._generate_and_score_completions([{"prompt": "a b"}] * ROWS)
        # Its own loop cuts what was generated into micro-batches, and says into how many.
        made.current_gradient_accumulation_steps = made.args.steps_per_generation = len(parts)
        losses, gradients = [], []
        for part in parts:
            model = Given(sample.new[part], sample.entropy[part])
            losses.append(made._compute_loss(model, {k: x[part] if x.dim() else x for k, x in output.items()}))
            gradients += torch.autograd.grad(losses[-1], model.logprob)
        return output["advantages"].numpy(), sum(losses).item(), torch.cat(gradients)

    return drive


def batch_of(sample):
    """The same as a batch: each completion is a play of one step. One reward: its outcome. Several: a fact each."""
    rows = np.arange(ROWS)
    batch = Batch.from_steps(group=rows // PLAYS, trajectory=rows, reward=sample.rewards[:, 0])
    facts = {f"r{i}": Column.of("trajectory", column) for i, column in enumerate(sample.rewards.T)}
    return batch.with_columns(outcome=Column.of("trajectory", sample.rewards[:, 0]), **facts)


def ours(sample, credit, objective):
    """(advantages, loss, its gradient) of a credit and an objective of this library."""
    advantage = assign(batch_of(sample), credit)["advantage"]
    row, column = ((np.arange(LONGEST) < sample.length[:, None]) & sample.own).nonzero()
    new = sample.new.clone().requires_grad_()
    ids = torch.from_numpy(row)
    stream = Stream.of(
        new[row, column], sample.old[row, column], torch.from_numpy(advantage.values)[ids], ids, ids,
        ref_logprob=sample.ref[row, column], entropy=sample.entropy[row, column],
        weight=torch.from_numpy((advantage.valid & sample.ended)[row].astype(float)),
    )  # fmt: skip
    loss, _ = objective(stream)
    (gradient,) = torch.autograd.grad(loss, new)
    return advantage.values, loss.item(), gradient


def agree(mine, theirs):
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6, rtol=1e-6)
    assert mine[1] == pytest.approx(theirs[1], abs=1e-6)
    torch.testing.assert_close(mine[2], theirs[2], atol=1e-6, rtol=1e-6)
    assert theirs[2].abs().max() > 1e-3


# Advantages of rewards.

OUTCOME = fact("outcome")
EACH = o.SequenceMean()


SCALES = {"group": Std(1e-4), "none": None}


@pytest.mark.parametrize("scale", SCALES)
def test_advantages_by_scale_rewards(scale, sample, grpo):
    theirs = grpo(sample, scale_rewards=scale, loss_type="grpo")
    agree(ours(sample, centred(OUTCOME, scale=SCALES[scale]), Clipped(reduce=EACH)), theirs)


def test_the_recipe_grpo_is_trls_defaults_with_loss_type_grpo(sample, grpo):
    agree(ours(sample, get("grpo").credit, get("grpo").objective), grpo(sample, loss_type="grpo"))


def test_the_recipe_dr_grpo_is_trls_dr_grpo(sample, grpo):
    theirs = grpo(sample, loss_type="dr_grpo", scale_rewards="none")
    agree(ours(sample, get("dr-grpo").credit, get("dr-grpo").objective), theirs)  # the longest play is the allowed one


def test_the_recipe_dapo_is_trls_default_loss_with_another_upper_bound(sample, grpo):
    agree(ours(sample, get("dapo").credit, get("dapo").objective), grpo(sample, loss_type="dapo", epsilon_high=0.28))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", SCALES)
def test_several_rewards_with_weights(scale, seed, grpo):
    sample = case(seed, functions=3)
    theirs = grpo(sample, scale_rewards=scale, reward_weights=[1.0, 0.5, -0.25], loss_type="grpo")
    reward = fact("r0") + 0.5 * fact("r1") + -0.25 * fact("r2")
    agree(ours(sample, centred(reward, scale=SCALES[scale]), Clipped(reduce=EACH)), theirs)


@pytest.mark.parametrize("seed", range(3))
def test_several_rewards_each_in_units_of_its_own_spread(seed, grpo):
    """multi_objective_aggregation="normalize_then_sum", which is GDPO."""
    sample = case(seed, functions=3)
    weights = (1.0, 0.5, -0.25)
    theirs = grpo(
        sample, multi_objective_aggregation="normalize_then_sum", reward_weights=list(weights), loss_type="grpo"
    )
    parts = [w * centred(fact(f"r{i}"), scale=Std(1e-4)) for i, w in enumerate(weights)]
    agree(ours(sample, centred(sum(parts), by=Everything(), scale=Std(1e-4)), Clipped(reduce=EACH)), theirs)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lost", [[0], [0, 5, 6], [4, 5, 6], [4, 5, 6, 7]])
def test_what_was_not_scored_does_not_vote_and_gets_nothing(lost, scale, sample, grpo):
    """One of a group, some of several, all but one, all: the advantages are the same."""
    sample.rewards[lost] = np.nan
    mine = ours(sample, centred(OUTCOME, scale=SCALES[scale]), Clipped(reduce=EACH))
    theirs = grpo(sample, scale_rewards=scale, loss_type="grpo")
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6, rtol=1e-6)
    assert (theirs[0][lost] == 0).all()


def test_a_group_that_agrees_says_nothing(sample, grpo):
    sample.rewards[:PLAYS] = 0.5
    mine, theirs = ours(sample, get("grpo").credit, get("grpo").objective), grpo(sample, loss_type="grpo")
    agree(mine, theirs)
    assert (mine[0][:PLAYS] == 0).all() and (theirs[0][:PLAYS] == 0).all()


def test_a_group_of_one_says_nothing(sample, trainer):
    """TRL has such groups in evaluation alone."""
    rollouts = {"prompt_ids": [READ] * ROWS, "completion_ids": [[END]] * ROWS, "logprobs": None}
    made = trainer(
        "GRPO", sample, {"rollout_func": lambda *_: rollouts}, num_generations_eval=1, per_device_eval_batch_size=ROWS
    )
    made.model.eval()
    output = made._generate_and_score_completions([{"prompt": "a b"}] * ROWS)
    assert (output["advantages"] == 0).all()
    alone = Batch.from_steps(group=np.arange(ROWS), trajectory=np.arange(ROWS), reward=sample.rewards[:, 0])
    assert (get("grpo").credit(alone).values == 0).all()


# Losses.

LOSSES = {"grpo": EACH, "bnpo": o.TokenMean(), "dapo": o.TokenMean(), "dr_grpo": o.ConstantLength(LONGEST)}
losses = pytest.mark.parametrize("loss", LOSSES)
CREDIT = get("grpo").credit


@losses
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.2), (0.2, 0.28), (0.1, 0.3)])
def test_loss_types(loss, low, high, sample, grpo):
    theirs = grpo(sample, loss_type=loss, epsilon=low, epsilon_high=high)
    agree(ours(sample, CREDIT, Clipped(low, high, reduce=LOSSES[loss])), theirs)


@losses
def test_the_ratio_of_whole_sequences(loss, sample, grpo):
    theirs = grpo(sample, loss_type=loss, importance_sampling_level="sequence", epsilon=0.05, epsilon_high=0.08)
    agree(ours(sample, CREDIT, Clipped(0.05, 0.08, ratio=SequenceRatio(), reduce=LOSSES[loss])), theirs)


@losses
def test_kl_to_a_reference(loss, sample, grpo):
    objective = Clipped(reduce=LOSSES[loss]) + KL(0.04, reduce=LOSSES[loss])
    agree(ours(sample, CREDIT, objective), grpo(sample, loss_type=loss, beta=0.04, use_bias_correction_kl=False))


@losses
def test_a_bonus_for_entropy(loss, sample, grpo):
    """A mean over tokens on both sides, whatever the loss divides by."""
    objective = Clipped(reduce=LOSSES[loss]) + Entropy(0.01)
    agree(ours(sample, CREDIT, objective), grpo(sample, loss_type=loss, entropy_coef=0.01))


@losses
def test_delta_is_the_dual_clip(loss, sample, grpo):
    """A bound on the ratio itself, where the credit is negative."""
    theirs = grpo(sample, loss_type=loss, delta=1.5)
    agree(ours(sample, CREDIT, Clipped(reduce=LOSSES[loss], dual=1.5)), theirs)


@losses
def test_tokens_of_tools_are_in_no_sum_and_no_count(loss, sample, grpo):
    sample.own[:, 1::3] = False
    agree(ours(sample, CREDIT, Clipped(reduce=LOSSES[loss])), grpo(sample, loss_type=loss))


@pytest.mark.parametrize("loss", ["grpo", "dapo", "dr_grpo"])
def test_micro_batches_add_up(loss, sample, grpo):
    agree(ours(sample, CREDIT, Clipped(reduce=LOSSES[loss])), grpo(sample, parts=HALVES, loss_type=loss))


# What differs, by design.


def test_differs_trls_kl_term_is_by_default_times_the_ratio(sample, grpo):
    """So it is worth as much as K3 on fresh samples and pulls as K2 does: each of ours does one or the other."""
    fresh = replace(sample, new=sample.old)
    theirs = grpo(fresh, loss_type="dapo", beta=1.0)
    k2, k3 = (ours(fresh, CREDIT, Clipped() + KL(1.0, estimator)) for estimator in (o.K2(), o.K3()))
    torch.testing.assert_close(k2[2], theirs[2], atol=1e-6, rtol=1e-6)
    assert k3[1] == pytest.approx(theirs[1], abs=1e-6)
    assert (k3[2] - theirs[2]).abs().max() > 1e-3 and abs(k2[1] - theirs[1]) > 1e-4


def test_differs_bnpo_depends_on_how_a_step_is_cut_into_micro_batches(sample, grpo):
    """TRL's "bnpo" averages the means of its micro-batches; ours is one mean over the tokens of the whole step."""
    mine = ours(sample, CREDIT, Clipped())
    agree(mine, grpo(sample, loss_type="bnpo"))
    theirs = grpo(sample, parts=HALVES, loss_type="bnpo")
    tokens = [sample.length[half].sum() for half in HALVES]
    for half, count in zip(HALVES, tokens, strict=True):
        torch.testing.assert_close(theirs[2][half] * count * 2, mine[2][half] * sum(tokens), atol=1e-5, rtol=1e-5)
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("loss", ["grpo", "bnpo", "dr_grpo"])
def test_differs_an_unscored_play_is_in_no_count_here_and_dilutes_the_others_in_trl(loss, sample, grpo):
    """Its advantage is zero in both; TRL's divisor still counts it, as a play or by its tokens."""
    sample.rewards[[0, 5, 6]] = np.nan
    mine = ours(sample, CREDIT, Clipped(reduce=LOSSES[loss]))
    theirs = grpo(sample, loss_type=loss)
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6, rtol=1e-6)
    scored = np.delete(np.arange(ROWS), [0, 5, 6])
    share = sample.length[scored].sum() / sample.length.sum() if loss == "bnpo" else len(scored) / ROWS
    assert theirs[1] == pytest.approx(mine[1] * share, abs=1e-6) and share < 1


def test_differs_the_batch_scale_is_of_the_credit_here_and_of_the_raw_rewards_in_trl(sample, grpo):
    """The same direction; TRL's is the shorter, by as much as prompts differ in what they pay."""
    by_batch = centred(centred(OUTCOME), by=Everything(), scale=Std(1e-4))
    theirs = grpo(sample, scale_rewards="batch", loss_type="grpo")
    mine = ours(sample, by_batch, Clipped(reduce=EACH))
    within = get("dr-grpo").credit(batch_of(sample)).values
    factor = (within.std(ddof=1) + 1e-4) / (sample.rewards.std(ddof=1) + 1e-4)
    agree((factor * mine[0], factor * mine[1], factor * mine[2]), theirs)
    assert factor < 1


def test_differs_a_group_that_agrees_is_in_no_count_of_the_recipe_dapo_and_in_trls(sample, grpo):
    """Its tokens say nothing in both; TRL's mean over tokens is the smaller for them."""
    sample.rewards[:PLAYS] = 0.5
    mine = ours(sample, get("dapo").credit, get("dapo").objective)
    theirs = grpo(sample, loss_type="dapo", epsilon_high=0.28)
    share = sample.length[PLAYS:].sum() / sample.length.sum()
    agree((mine[0], share * mine[1], share * mine[2]), theirs)


@pytest.mark.parametrize("seed", range(3))
def test_differs_the_recipe_gdpo_has_verls_epsilons(seed, grpo):
    """1e-6 beside a spread and 1e-8 beside a variance; TRL's "normalize_then_sum" has 1e-4 beside both spreads."""
    sample = case(seed, functions=2)
    theirs, *_ = grpo(sample, multi_objective_aggregation="normalize_then_sum", loss_type="grpo")
    rewards = (fact("r0"), fact("r1"))
    mine = gdpo.credit(rewards)(batch_of(sample)).values
    np.testing.assert_allclose(mine, theirs, atol=2e-3)
    assert np.abs(mine - theirs).max() > 1e-5


def test_differs_a_reward_with_a_part_missing_is_missing_here_and_zero_in_trl(grpo):
    sample = case(0, functions=2)
    sample.rewards[:PLAYS] = [[1, 1], [1, np.nan], [0, 1], [0, 0]]
    (theirs, *_), both = grpo(sample, loss_type="grpo", scale_rewards="none"), fact("r0") + fact("r1")
    assert theirs[:PLAYS].tolist() == [1.0, 0.0, 0.0, -1.0]  # the second: 1 + 0 against a mean of 1
    mine = centred(both)(batch_of(sample))
    assert mine.values[:PLAYS].tolist() == [1.0, 0.0, 0.0, -1.0] and not mine.valid[1]
    sample.rewards[1, 0] = 0.0  # now 0 + nothing: worst of all in TRL, and it drags the mean down
    (theirs, *_), mine = grpo(sample, loss_type="grpo", scale_rewards="none"), centred(both)(batch_of(sample))
    assert theirs[:PLAYS].tolist() == [1.25, -0.75, 0.25, -0.75]
    assert mine.values[:PLAYS].tolist() == [1.0, 0.0, 0.0, -1.0]


def test_differs_a_group_that_agrees_is_zero_to_the_last_bit_here_and_may_be_noise_in_trl(grpo):
    """In 32 bits the mean of three times 0.9 is not 0.9, and the remainder is divided by 1e-4."""
    sample = case(0)
    sample.rewards[:PLAYS, 0] = [0.9, 0.9, 0.9, np.nan]
    mine, theirs = ours(sample, CREDIT, Clipped(reduce=EACH))[0], grpo(sample, loss_type="grpo")[0]
    assert (mine[:PLAYS] == 0).all()
    assert 1e-4 < np.abs(theirs[:3]).min() < 1e-3


def test_differs_a_truncated_play_that_is_not_trained_on_is_counted_by_trls_grpo(sample, grpo):
    """mask_truncated_completions takes its tokens away; the mean over plays still has it. It votes in both."""
    sample.ended[[1, 6]] = False
    mine = ours(sample, CREDIT, Clipped(reduce=EACH))
    theirs = grpo(sample, loss_type="grpo", mask_truncated_completions=True)
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6, rtol=1e-6)
    assert theirs[1] == pytest.approx(mine[1] * (ROWS - 2) / ROWS, abs=1e-6)
    mine = ours(sample, CREDIT, Clipped(reduce=o.TokenMean()))  # by tokens there is nothing to differ in
    agree(mine, grpo(sample, loss_type="dapo", mask_truncated_completions=True))


# RLOOTrainer.


@pytest.fixture
def rloo(trainer):
    """rloo(case, **options) -> (advantages, loss, its gradient); a tiny model says six tokens, whatever they are."""

    def drive(sample, **options):
        made = trainer("RLOO", sample, {}, generation_kwargs={"min_new_tokens": LONGEST}, **options)
        output = made._generate_and_score_completions([{"prompt": "a b"}] * ROWS)
        model = Given(sample.new)
        loss = made._compute_loss(model, output)
        (gradient,) = torch.autograd.grad(loss, model.logprob)
        return output["advantages"].numpy(), loss.item(), gradient

    return drive


def full(sample):
    """Every completion is as long as allowed."""
    return replace(sample, length=np.full(ROWS, LONGEST))


@pytest.mark.parametrize("lost", [[], [0, 5, 6], [4, 5, 6]])
def test_rloo_advantages(lost, sample, rloo):
    """All scored, some not, and one play of a group alone."""
    sample = full(sample)
    sample.rewards[lost] = np.nan
    theirs, *_ = rloo(sample, beta=0.0)
    np.testing.assert_allclose(get("rloo").credit(batch_of(sample)).values, theirs, atol=1e-6)


NORMALISED = centred(get("rloo").credit, by=Everything(), scale=Std(1e-4))


@pytest.mark.parametrize("lost", [[], [0, 5, 6]])
def test_rloo_advantages_normalised(lost, sample, rloo):
    sample = full(sample)
    sample.rewards[lost] = np.nan
    theirs, *_ = rloo(sample, beta=0.0, normalize_advantages=True)
    np.testing.assert_allclose(NORMALISED(batch_of(sample)).values, theirs, atol=1e-6, rtol=2e-6)


def test_differs_a_play_left_alone_votes_as_zero_when_rloo_is_normalised(sample, rloo):
    """It was scored, so its zero is one of the credits that are whitened; TRL leaves it out. Nine against eight."""
    sample = full(sample)
    sample.rewards[[4, 5, 6]] = np.nan
    theirs, *_ = rloo(sample, beta=0.0, normalize_advantages=True)
    mine = NORMALISED(batch_of(sample)).values
    others = np.r_[:PLAYS, 2 * PLAYS : ROWS]
    raw = get("rloo").credit(batch_of(sample)).values
    for x, count in ((theirs, 8), (mine, 9)):
        spread = np.sqrt((raw[others] ** 2).sum() / (count - 1))  # each group's mean is zero
        np.testing.assert_allclose(x[others], raw[others] / (spread + 1e-4), atol=1e-6, rtol=2e-6)
    assert theirs[7] == 0 and mine[7] == pytest.approx(0, abs=1e-12)


def test_rloo_with_kl_in_the_reward(sample, rloo):
    sample = full(sample)
    theirs, *_ = rloo(sample, beta=0.05)
    distance = Column.of("trajectory", (sample.old - sample.ref).sum(1).numpy())
    batch = batch_of(sample).with_columns(kl=distance)
    mine = centred(OUTCOME + -0.05 * fact("kl"), baseline=Others())(batch)
    np.testing.assert_allclose(mine.values, theirs, atol=1e-6)


def test_differs_rloo_has_one_ratio_a_sequence_in_trl_and_one_a_token_here(sample, rloo):
    """TRL's is the product over tokens, e^(6 x), `SequenceRatio` the geometric mean, e^x. Where nothing has moved
    yet all are 1, and the gradient is that of REINFORCE: TRL's is a sum over the tokens of a play, ours a mean."""
    sample = replace(full(sample), new=full(sample).old + 0.1)
    theirs = rloo(sample, beta=0.0, epsilon=1.0)
    best = int(np.argmin(theirs[0]))
    assert theirs[0][best] < 0
    assert theirs[2][best].numpy() == pytest.approx(-np.exp(0.6) * theirs[0][best] / ROWS)
    mine = ours(sample, get("rloo").credit, Clipped(low=1.0, high=1.0, ratio=SequenceRatio()))
    assert mine[2][best].numpy() == pytest.approx(-np.exp(0.1) * theirs[0][best] / ROWS / LONGEST)
    still = replace(sample, new=sample.old)
    theirs, mine = rloo(still, beta=0.0), ours(still, get("rloo").credit, get("rloo").objective)
    torch.testing.assert_close(LONGEST * mine[2], theirs[2], atol=1e-6, rtol=1e-6)
