"""MobileNetV2 for 1,000 classes (Sandler and others, arXiv:1801.04381, table 2)."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

# For type checks with and without torch.
_Module: Any = nn.Module
# Expansion, channels, repeats, stride of the first block.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class _InvertedResidual(_Module):  # type: ignore[misc] # see above
    """Inverted residual: expand, depthwise convolution, project; plus the input if shapes match."""

    def __init__(self, given: int, made: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = given * expansion
        expand = [_block(given, inner, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            _block(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, made, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.adds = stride == 1 and given == made

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, made, height / stride, width / stride) for (batch, given, …)."""
        return x + self.conv(x) if self.adds else self.conv(x)


class _MobileNetV2(_Module):  # type: ignore[misc] # see above
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_block(3, 32, 3, 2), *_stages(32), _block(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (batch, 1000), of images, (batch, 3, height, width)."""
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2() -> nn.Module:
    """Return the network with random weights."""
    return _MobileNetV2()


def _stages(channels: int) -> Iterator[nn.Module]:
    for expansion, made, repeats, first in _STAGES:
        for number in range(repeats):
            yield _InvertedResidual(channels, made, first if number == 0 else 1, expansion)
            channels = made


def _block(given: int, made: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(given, made, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(made),
        nn.ReLU6(),
    )
