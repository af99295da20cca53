"""stride: one token at a time must be what the model itself says, or the model itself is asked."""

import pytest
import torch
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from guerdon.policies.stride import Stride


def llama(**kw):
    torch.manual_seed(kw.pop("seed", 0))
    sizes = {"vocab_size": 23, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = {**sizes, "num_attention_heads": 4, "max_position_embeddings": 64, "initializer_range": 0.3, **kw}
    return LlamaForCausalLM(LlamaConfig(**config)).eval()


def past_of(model, ids):
    with torch.no_grad():
        return model(ids, use_cache=True).past_key_values


@pytest.mark.parametrize(
    "kw", [{}, {"num_key_value_heads": 2}, {"tie_word_embeddings": True}, {"num_key_value_heads": 1}]
)
def test_many_tokens_one_by_one_are_what_the_model_says_at_once(kw):
    model, ids = llama(**kw), torch.randint(0, 23, (5, 12), generator=torch.Generator().manual_seed(1))
    stride, cache = Stride.of(model), past_of(model, ids[:, :3])
    assert stride.fits
    with torch.no_grad():
        want = model(ids).logits
    for at in range(3, 12):
        got = stride.step(ids[:, at], torch.full((5,), at), cache, None)
        assert torch.allclose(got, want[:, at], atol=1e-4)


def test_what_is_padding_is_not_seen():
    model, ids = llama(), torch.randint(0, 23, (2, 6), generator=torch.Generator().manual_seed(2))
    cache = past_of(model, ids[:, :4])
    sees = torch.tensor([[True] * 5, [True, True, False, False, True]])  # the second row has read two tokens
    got = Stride.of(model).step(ids[:, 4], torch.tensor([4, 2]), cache, sees)
    with torch.no_grad():
        first = model(ids[:1, :5]).logits[0, -1]
        second = model(ids[1:, [0, 1, 4]]).logits[0, -1]
    assert torch.allclose(got[0], first, atol=1e-4)
    assert torch.allclose(got[1], second, atol=1e-4)


def test_new_weights_need_a_new_stride():
    model, ids = llama(), torch.tensor([[1, 2, 3]])
    old = Stride.of(model)
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.mul_(3.0)
        want = model(ids).logits[:, -1]
    new = Stride.of(model).step(ids[:, 2], torch.tensor([2]), past_of(model, ids[:, :2]), None)
    stale = old.step(ids[:, 2], torch.tensor([2]), past_of(model, ids[:, :2]), None)
    assert torch.allclose(new, want, atol=1e-4)
    assert not torch.allclose(stale, want, atol=1e-4)


def test_another_model_is_left_to_itself():
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=23, n_embd=32, n_layer=1, n_head=2, n_positions=32))
    assert not Stride.of(gpt2).fits
    assert not Stride.of(llama().to(torch.bfloat16)).fits
    assert not Stride.of(llama(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})).fits


def test_a_llama_with_a_changed_part_is_found_out_and_left_to_itself():
    class Twice(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, *given, **named):
            out, *rest = self.inner(*given, **named)
            return (2 * out, *rest)

    model = llama()
    model.model.layers[0].self_attn = Twice(model.model.layers[0].self_attn)
    assert not Stride.of(model).fits


def test_an_adapter_that_changes_nothing_yet_is_found_out():
    class Adapter(torch.nn.Linear):
        pass

    model = llama()
    old = model.model.layers[1].self_attn.q_proj
    new = Adapter(32, 32, bias=False)
    new.weight = old.weight
    model.model.layers[1].self_attn.q_proj = new
    assert not Stride.of(model).fits


def test_the_cache_is_one_place_longer():
    model = llama()
    cache = past_of(model, torch.tensor([[1, 2]]))
    assert isinstance(cache, DynamicCache)
    Stride.of(model).step(torch.tensor([3]), torch.tensor([2]), cache, None)
    assert cache.get_seq_length() == 3
