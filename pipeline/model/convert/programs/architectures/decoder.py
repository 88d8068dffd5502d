"""A small decoder-only transformer over bytes, with a key/value cache.

Rotary positions (Su and others, arXiv:2104.09864), RMS norms and gated feed-forward layers, as in
current language models. Written for fixtures: its weights are drawn from a seed.
"""

from typing import Any

import torch
from torch import Tensor, nn

# For type checks with and without torch.
_Module: Any = nn.Module
_VOCABULARY = 256
_LAYERS = 2
_HEADS = 2
_HEAD_SIZE = 16
_WIDTH = _HEADS * _HEAD_SIZE
_INNER = 256
_ROTARY_BASE = 10_000.0


class _RmsNorm(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(_WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Return each vector divided by its root mean square, times the weights."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


class _Attention(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Linear(_WIDTH, _WIDTH, bias=False) for _ in range(4)
        )

    def forward(
        self, x: Tensor, past_key: Tensor, past_value: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the result, and the cache with the keys and values of the new tokens behind it.

        ``positions`` are those of the new tokens, which come after the cached ones.
        """
        key = torch.cat((past_key, _rotated(_by_head(self.key(x)), positions)), 2)
        value = torch.cat((past_value, _by_head(self.value(x))), 2)
        query = _rotated(_by_head(self.query(x)), positions)
        scores = query @ key.transpose(2, 3) * _HEAD_SIZE**-0.5
        # A token sees itself and what comes before it.
        hidden = torch.arange(key.shape[2]) > positions.unsqueeze(1)
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        found = (weights @ value).transpose(1, 2).flatten(2)
        return self.out(found), key, value


class _FeedForward(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(_WIDTH, _INNER, bias=False)
        self.up = nn.Linear(_WIDTH, _INNER, bias=False)
        self.down = nn.Linear(_INNER, _WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated feed-forward layer's result (SwiGLU)."""
        return self.down(nn.functional.silu(self.gate(x)) * self.up(x))


class _Layer(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.attention = _RmsNorm(), _Attention()
        self.feed_forward_norm, self.feed_forward = _RmsNorm(), _FeedForward()

    def forward(
        self, x: Tensor, past_key: Tensor, past_value: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the layer's result and its cache."""
        found, key, value = self.attention(self.attention_norm(x), past_key, past_value, positions)
        x = x + found
        return x + self.feed_forward(self.feed_forward_norm(x)), key, value


class _Decoder(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_VOCABULARY, _WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(_LAYERS))
        self.norm = _RmsNorm()
        self.head = nn.Linear(_WIDTH, _VOCABULARY, bias=False)

    def forward(self, tokens: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return the logits, (batch, new, 256), then the cache: key and value of each layer.

        ``tokens`` are the new ones, (batch, new), ``past`` the cache before them: key and value of
        each layer, (batch, heads, cached, head size), where no token may be cached.
        """
        x = self.embedding(tokens)
        cached = past[0].shape[2]
        positions = torch.arange(cached, cached + tokens.shape[1])
        present = []
        for number, layer in enumerate(self.layers):
            x, key, value = layer(x, past[2 * number], past[2 * number + 1], positions)
            present += [key, value]
        return (self.head(self.norm(x)), *present)


def decoder() -> nn.Module:
    """Return the network with random weights."""
    return _Decoder()


def _by_head(x: Tensor) -> Tensor:
    """Return (batch, heads, tokens, head size) for (batch, tokens, width)."""
    return x.unflatten(2, (_HEADS, _HEAD_SIZE)).transpose(1, 2)


def _rotated(x: Tensor, positions: Tensor) -> Tensor:
    """Return each head's vector with its halves rotated by angles that grow with its position."""
    half = _HEAD_SIZE // 2
    rates = _ROTARY_BASE ** (-torch.arange(half) / half)
    angles = positions.unsqueeze(1) * rates
    cosine, sine = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), -1)
