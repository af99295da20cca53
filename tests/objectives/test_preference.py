"""Preference and T-REG's term: DPO's gradient, what its kin reduce to, and TRL's loss."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import logsigmoid

from guerdon.objectives import (
    BestAgainstWorst,
    FromTeacher,
    Given,
    Guided,
    Listed,
    Outcome,
    PlayMean,
    PlayTotal,
    Preference,
    SoftLabel,
    Stream,
    TokenRegularised,
    Winner,
)
from guerdon.objectives.plays import mean_of_play, there
from guerdon.objectives.stream import Pairs

BY_OUTCOME = BestAgainstWorst(Outcome())


def gradient(objective, stream):
    loss, _ = objective(stream)
    return torch.autograd.grad(loss, stream.logprob)[0]


def same(one, other, stream):
    """The same loss and the same gradient."""
    assert one(stream)[0].item() == pytest.approx(other(stream)[0].item(), abs=1e-12)
    torch.testing.assert_close(gradient(one, stream), gradient(other, stream))
    assert gradient(one, stream).abs().max() > 1e-4


def weights(s):
    return torch.ones(len(s.logprob)).double() if s.weight is None else s.weight


def pairs_of(stream, by):
    """(best, worst) of each group in plain Python; none where the two tie."""
    worth, kept = mean_of_play(by, stream).tolist(), there(stream).tolist()
    found = []
    for g in range(2):
        mine = [i for i in range(5) if stream.group[i] == g and kept[i]]
        if mine and max(worth[i] for i in mine) > min(worth[i] for i in mine):
            found.append((max(mine, key=worth.__getitem__), min(mine, key=worth.__getitem__)))
    return found


# DPO.


@pytest.mark.parametrize("ratio", [PlayTotal(), PlayMean(), PlayTotal(Given("old_logprob"))])
def test_the_loss_is_the_formula(ratio, stream):
    play = ratio(stream)
    slow = sum(-logsigmoid(0.7 * (play[w] - play[x])) for w, x in pairs_of(stream, stream.clean(stream.advantage)))
    loss, terms = Preference(0.7, ratio)(stream)
    assert loss.item() == pytest.approx(slow.item() / stream.groups)
    margins = [0.7 * (play[w] - play[x]).item() for w, x in pairs_of(stream, stream.clean(stream.advantage))]
    assert terms["preference/margin"].item() == pytest.approx(sum(margins) / stream.groups)
    assert terms["preference/right"].item() == pytest.approx(sum(m > 0 for m in margins) / stream.groups)


def test_the_gradient_in_closed_form(stream):
    """-beta * sigmoid(-m) at the tokens of the preferred play, the opposite at those of the other."""
    beta, play = 0.7, PlayTotal()(stream)
    wanted = torch.zeros_like(stream.logprob)
    for best, worst in pairs_of(stream, stream.clean(stream.advantage)):
        pull = beta * torch.sigmoid(-beta * (play[best] - play[worst])) / stream.groups
        wanted += weights(stream) * pull * ((stream.sequence == worst).double() - (stream.sequence == best).double())
    torch.testing.assert_close(gradient(Preference(beta), stream), wanted.detach())


def test_at_the_reference_every_pair_pulls_by_half_of_beta(stream_of):
    s = stream_of(0)
    s = replace(s, ref_logprob=s.logprob.detach())
    assert set(gradient(Preference(0.4), s).abs().mul(1e6).round().div(1e6).tolist()) <= {0.0, 0.1}  # 0.4 / 2, 2 groups


@pytest.mark.parametrize("far", [0.0, 1.0, 50.0, 500.0])
def test_no_pair_pulls_harder_than_beta(far, stream_of):
    s = stream_of(2, far=far)
    found = gradient(Preference(0.5, choice=Listed()), s).abs()
    assert found.isfinite().all() and found.max() <= 0.5 + 1e-12  # three pairs of weight 1/3 at most meet in a play


def test_a_group_that_agrees_adds_nothing(stream_of):
    s = stream_of(0)
    loss, terms = Preference()(replace(s, advantage=torch.full_like(s.advantage, 0.5)))
    assert loss.item() == terms["preference/right"].item() == 0
    assert (torch.autograd.grad(loss, s.logprob)[0] == 0).all()


def test_it_does_not_matter_which_of_a_pair_is_listed_first(stream):
    p = stream.pairs
    swapped = replace(stream, pairs=Pairs(p.second, p.first, -p.preference, p.total))
    for objective in (Preference(choice=Listed()), Preference(choice=Listed(), label=SoftLabel(2.0))):
        assert objective(stream)[0].item() == pytest.approx(objective(swapped)[0].item())
        torch.testing.assert_close(gradient(objective, stream), gradient(objective, swapped))


def test_a_step_against_the_gradient_tells_the_pair_apart(stream_of):
    s = stream_of(1)
    stepped = replace(s, logprob=s.logprob - 0.1 * gradient(Preference(0.5), s))
    assert Preference(0.5)(stepped)[1]["preference/margin"] > Preference(0.5)(s)[1]["preference/margin"]


# DNO.


def test_soft_labels_are_the_regression_of_dno(stream):
    play, eta = PlayTotal(Given("old_logprob"))(stream), 3.0
    kept, slow = there(stream), 0.0
    for i, j, d in zip(*(x.tolist() for x in (stream.pairs.first, stream.pairs.second, stream.pairs.preference))):
        if kept[i] and kept[j]:
            p, m = torch.sigmoid(torch.tensor(d).double()), eta * (play[i] - play[j])
            slow = slow - (p * logsigmoid(m) + (1 - p) * logsigmoid(-m)) / 3
    ours, _ = Preference(eta, PlayTotal(Given("old_logprob")), Listed(), SoftLabel())(stream)
    assert ours.item() == pytest.approx(slow.item())


def test_soft_labels_become_hard_and_a_tie_pulls_together(stream):
    same(Preference(choice=Listed(), label=SoftLabel(1e6)), Preference(choice=Listed(), label=Winner()), stream)
    tie = replace(stream, pairs=replace(stream.pairs, preference=torch.zeros(3).double()))
    assert Preference(choice=Listed())(tie)[0].item() == 0
    assert Preference(choice=Listed(), label=SoftLabel())(tie)[0].item() > 0


def test_dno_with_two_plays_is_dpo_on_the_ranked_pair(stream_of):
    """With the sampler as reference; the list has the pair, or the group's best and worst are it."""
    s = stream_of(3)
    two = s.take((s.sequence >= 3).nonzero().flatten())
    worth = mean_of_play(two.advantage, two)
    pairs = Pairs(torch.tensor([3]), torch.tensor([4]), (worth[3] - worth[4])[None], total=1)
    two = replace(two, groups=1, pairs=pairs, ref_logprob=two.old_logprob)
    same(Preference(0.3, PlayTotal(Given("old_logprob"))), Preference(0.3), two)
    same(Preference(0.3, PlayTotal(Given("old_logprob")), Listed()), Preference(0.3), two)


# TGDPO and T-REG.


@dataclass(frozen=True)
class Constant:
    """Token weights that are all the same number."""

    weight: float
    needs = frozenset()

    def __call__(self, stream):
        return self.weight, self.weight


def test_tgdpo_with_constant_weights_is_dpo(stream):
    same(Preference(0.2, tokens=Constant(3.0)), Preference(0.6), stream)
    same(Preference(0.2, tokens=Guided(0.0, FromTeacher())), Preference(0.2), stream)
    same(Preference(0.2, tokens=Guided(0.5, FromTeacher())), Preference(0.2), replace(
        stream, teacher_logprob=stream.ref_logprob))  # fmt: skip


def test_tgdpo_is_the_formula(stream):
    beta, strength = 0.7, 0.4
    r = stream.clean(stream.teacher_logprob - stream.ref_logprob)
    each = weights(stream) * stream.clean(stream.logprob - stream.ref_logprob)
    assert ((1 + strength * r) > 0).all() and ((1 - strength * r) > 0).all()
    slow = 0.0
    for best, worst in pairs_of(stream, stream.clean(stream.advantage)):
        won = ((1 + strength * r) * each)[stream.sequence == best].sum()
        lost = ((1 - strength * r) * each)[stream.sequence == worst].sum()
        slow = slow - logsigmoid(beta * (won - lost)) / stream.groups
    ours, _ = Preference(beta, tokens=Guided(strength, FromTeacher()))(stream)
    assert ours.item() == pytest.approx(slow.item())


def test_no_guidance_turns_a_token_around(stream):
    for weight in Guided(50.0, FromTeacher())(stream):
        assert (weight >= 0).all() and (weight == 0).any()


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_t_reg_is_dpo_whose_tokens_weigh_one_plus_alpha_r(alpha, stream):
    """In the preferred play, and one minus alpha r in the other; the weights are outside the sigmoid."""
    beta, play, w = 0.7, PlayTotal()(stream), weights(stream)
    r = stream.clean(stream.advantage)
    wanted = torch.zeros_like(stream.logprob)
    for best, worst in pairs_of(stream, stream.clean(stream.outcome[stream.sequence])):
        pull = beta * torch.sigmoid(-beta * (play[best] - play[worst])).detach() / stream.groups
        wanted -= w * pull * (1 + alpha * r) * (stream.sequence == best)
        wanted += w * pull * (1 - alpha * r) * (stream.sequence == worst)
    both = Preference(beta, choice=BY_OUTCOME) + TokenRegularised(alpha, beta, choice=BY_OUTCOME)
    torch.testing.assert_close(gradient(both, stream), wanted)


def test_t_reg_without_weight_is_dpo(stream):
    dpo = Preference(0.2, choice=BY_OUTCOME)
    same(dpo + TokenRegularised(0.0, 0.2, choice=BY_OUTCOME), dpo, stream)


def test_t_reg_lets_go_of_a_pair_that_is_told_apart(stream_of):
    s = stream_of(0)
    for far, most in ((0.0, 1.0), (60.0, 1e-20)):
        good = torch.where(s.outcome[s.sequence] > 0.5, far, -far)
        near = replace(s, logprob=(s.ref_logprob + good).requires_grad_())
        found = gradient(TokenRegularised(1.0, 1.0, choice=BY_OUTCOME), near).abs().max()
        assert found <= most * s.advantage.abs().max()
        assert (found > 0.01) == (far == 0)


def test_needs_are_what_it_reads():
    assert Preference().needs == {"ref_logprob", "group"}
    assert Preference(ratio=PlayTotal(Given("old_logprob")), choice=Listed()).needs == {"pairs", "group"}
    assert Preference(tokens=Guided(0.1, FromTeacher())).needs == {"ref_logprob", "teacher_logprob", "group"}
    assert TokenRegularised(0.1, choice=BY_OUTCOME).needs == {"ref_logprob", "outcome", "group"}


# TRL.


class Said(torch.nn.Module):
    """A model whose log-probabilities are given, a row for each completion."""

    is_gradient_checkpointing = False

    def __init__(self, logprob):
        super().__init__()
        self.logprob = torch.nn.Parameter(logprob.clone())

    def forward(self, **_):
        return SimpleNamespace(
            log_probs=self.logprob, entropy=torch.zeros_like(self.logprob),
            mean_logits=torch.zeros_like(self.logprob), is_top1=self.logprob > 0,
        )  # fmt: skip


@pytest.fixture(scope="module")
def dpo_trainer(tmp_path_factory):
    """TRL's DPOTrainer around a model of a few hundred weights, which is then put aside."""
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<unk>", "<end>", "a", "b"])}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", eos_token="<end>")
    small = LlamaConfig(vocab_size=5, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    folder = tmp_path_factory.mktemp("dpo")
    LlamaForCausalLM(small).save_pretrained(folder / "model")
    args = trl.DPOConfig(output_dir=str(folder), bf16=False, report_to=[], use_cpu=True, gradient_checkpointing=False)
    data = Dataset.from_dict({"prompt": ["a"], "chosen": ["b"], "rejected": ["a"]})
    model = LlamaForCausalLM.from_pretrained(folder / "model")
    return trl.DPOTrainer(model, args=args, train_dataset=data, processing_class=tokenizer)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_agreement_with_trls_dpo_loss(seed, beta, dpo_trainer):
    """Four prompts; rows 0 to 3 are the preferred completions and rows 4 to 7 the others."""
    rng = torch.Generator().manual_seed(seed)
    length = torch.randint(1, 7, (8, 1), generator=rng)
    mask = torch.arange(6)[None] < length
    new, ref = (-torch.randn(8, 6, generator=rng, dtype=torch.float64).abs() * mask for _ in range(2))
    policy = Said(new)
    dpo_trainer.beta, dpo_trainer.ref_model = beta, Said(ref)
    seen = torch.cat([torch.zeros(8, 1, dtype=torch.long), mask.long()], dim=1)
    inputs = {"input_ids": seen, "attention_mask": torch.ones_like(seen), "completion_mask": seen}
    theirs = dpo_trainer._compute_loss(policy, inputs, return_outputs=False)
    (their_gradient,) = torch.autograd.grad(theirs, policy.logprob)

    row, column = mask.nonzero(as_tuple=True)
    mine = new.clone().requires_grad_()
    better = torch.where(row < 4, 1.0, -1.0).double()
    stream = Stream.of(
        mine[row, column], mine[row, column].detach(), better, row, row, ref_logprob=ref[row, column],
        group=torch.arange(8) % 4,
    )  # fmt: skip
    ours, _ = Preference(beta)(stream)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    torch.testing.assert_close(torch.autograd.grad(ours, mine)[0], their_gradient * mask, atol=1e-6, rtol=1e-6)
    assert their_gradient.abs().max() > 1e-3
