"""One token at a time through a Llama, in few calls.

A small model spends most of a token's time between the operations and not in them. What is
done here is what the model's own modules do, with the weights of queries, keys and values,
and those of the gate, side by side, and the angles of all places looked up in a table. A model
that is not a plain Llama on a CPU in 32 bits, or that answers differently when tried, is left
to its own modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional
from transformers import DynamicCache, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm

_agrees: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Layer:
    """The weights of one layer, transposed, those that are used together in one."""

    before: torch.Tensor
    read: torch.Tensor
    write: torch.Tensor
    after: torch.Tensor
    gate: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True, slots=True)
class Stride:
    """A copy of the weights as they are now, laid out for single tokens.

    Attributes:
        fits: False where the model has to be called itself; then there is nothing else.
    """

    fits: bool
    model: Any = None
    layers: tuple[_Layer, ...] = ()
    cos: torch.Tensor | None = None
    sin: torch.Tensor | None = None

    @classmethod
    @torch.no_grad()
    def of(cls, model: Any) -> Stride:
        """The weights of a model; to be made again when they have changed."""
        if not _plain(model) or not _agrees.get(model, True):
            return cls(False)
        out = cls._of(model)
        if model not in _agrees:
            _agrees[model] = _tried(model, out)
        return out if _agrees[model] else cls(False)

    @classmethod
    def _of(cls, model: Any) -> Stride:
        layers = []
        for layer in model.model.layers:
            own, mlp = layer.self_attn, layer.mlp
            read = torch.cat((own.q_proj.weight, own.k_proj.weight, own.v_proj.weight)).t().contiguous()
            gate = torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)).t().contiguous()
            norms = layer.input_layernorm.weight.detach(), layer.post_attention_layernorm.weight.detach()
            layers.append(_Layer(norms[0], read, own.o_proj.weight.t(), norms[1], gate, mlp.down_proj.weight.t()))
        places = torch.arange(model.config.max_position_embeddings)[None]
        cos, sin = model.model.rotary_emb(model.model.embed_tokens.weight, position_ids=places)
        half = sin.shape[-1] // 2
        sign = torch.cat((-torch.ones(half), torch.ones(half)))
        return cls(True, model, tuple(layers), cos[0], sin[0] * sign)

    @torch.no_grad()
    def step(
        self, token: torch.Tensor, place: torch.Tensor, cache: DynamicCache, sees: torch.Tensor | None
    ) -> torch.Tensor:
        """Feeds one token to each row; returns (rows, vocabulary) logits, and the cache is one place longer.

        Args:
            place: the position of each row's token.
            sees: (rows, places) false where there is padding; None: there is none.
        """
        model, config = self.model, self.model.config
        heads, kept, width = config.num_attention_heads, config.num_key_value_heads, self.cos.shape[-1]
        cos, sin = self.cos[place][:, None], self.sin[place][:, None]
        hidden = None if sees is None else torch.where(sees, 0.0, -torch.inf)[:, None, None]
        x = functional.embedding(token, model.model.embed_tokens.weight)
        eps, size = config.rms_norm_eps, (x.shape[1],)
        for at, layer in enumerate(self.layers):
            flat = functional.rms_norm(x, size, layer.before, eps) @ layer.read
            turned, values = flat.view(len(x), -1, width).split((heads + kept, kept), 1)
            turned = torch.addcmul(turned * cos, turned.roll(width // 2, -1), sin)
            queries, keys = turned.split((heads, kept), 1)
            keys, values = cache.layers[at].update(keys[:, :, None], values[:, :, None])
            x = torch.addmm(x, _attend(queries, keys, values, hidden), layer.write)
            gate, up = (functional.rms_norm(x, size, layer.after, eps) @ layer.gate).chunk(2, -1)
            x = torch.addmm(x, functional.silu(gate).mul_(up), layer.down)
        return functional.linear(functional.rms_norm(x, size, model.model.norm.weight, eps), model.lm_head.weight)


def _attend(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, hidden: torch.Tensor | None
) -> torch.Tensor:
    """Attention of one query per row and head, all at once; (rows, heads * width)."""
    rows, kept, places, width = keys.shape
    # Queries that share keys stand together: (rows * kept heads, queries, width).
    queries = (queries * width**-0.5).reshape(rows * kept, -1, width)
    weight = torch.bmm(queries, keys.view(rows * kept, places, width).transpose(1, 2))
    if hidden is not None:
        weight = (weight.view(rows, kept, -1, places) + hidden).view(rows * kept, -1, places)
    return torch.bmm(weight.softmax(-1), values.view(rows * kept, places, width)).view(rows, -1)


def _plain(model: Any) -> bool:
    """True for a Llama whose parts are those that `Stride` knows."""
    if type(model) is not LlamaForCausalLM or model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    c = model.config
    kind = (c.rope_parameters or {}).get("rope_type", "default")
    if kind != "default" or c.hidden_act != "silu" or c.attention_bias or c.mlp_bias:
        return False
    # An adapter begins by changing nothing, so trying it out would not find it: the parts are looked at too.
    parts = [type(part) for layer in model.model.layers for part in (layer.self_attn, layer.mlp)]
    inner = [type(part) for layer in model.model.layers for part in layer.modules() if not [*part.children()]]
    return {*parts} <= {LlamaAttention, LlamaMLP} and {*inner} <= {
        torch.nn.Linear,
        LlamaRMSNorm,
        type(model.model.layers[0].mlp.act_fn),
    }


def _tried(model: Any, stride: Stride) -> bool:
    """Reads four tokens by the model and the last of them again by the stride."""
    ids = torch.arange(8).reshape(2, 4) % model.config.vocab_size
    try:
        past = model(ids[:, :3], use_cache=True).past_key_values
        want = model(ids, use_cache=False).logits[:, -1]
        got = stride.step(ids[:, 3], torch.full((2,), 3), past, None)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError):  # a part was replaced by another
        return False
    return torch.allclose(got, want, rtol=1e-3, atol=1e-4)
