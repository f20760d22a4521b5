"""The ring network: a small U-Net of inverted residuals that knows rings and nothing else.

Only operations that LiteRT runs on XNNPACK: convolutions, depthwise convolutions, ReLU, additions,
concatenations, bilinear doubling, one mean and one depth-to-space. Strided convolutions pad as
TensorFlow's SAME does, so that ``export.py`` can write the same graph.
"""

from __future__ import annotations

from typing import Final

from data import VIEWS
from torch import Tensor, nn
from torch.nn import functional as F

SIZE: Final = 320
"""Side of the square picture the network looks at, px."""
PLANES: Final = ("alpha", "opening", "front", "rear", "head")
"""Logits for each pixel: coverage, ground seen through the hoop, and the ring's three parts."""
HEAT_PLANES: Final = ("contact", "head")
"""Logits for each cell of 4 px: the two ends of the opening (both in one plane), the head."""
GLOBALS: Final = ("present", "opening seen", "elevation", *VIEWS)
"""The picture as a whole: logits, and the elevation in right angles."""


class SameConv(nn.Conv2d):
    """A convolution padded like TensorFlow's SAME: to the right and below where it is uneven."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 2:
            total = self.kernel_size[0] - 2  # for even sides
            x = F.pad(x, (total // 2, total - total // 2) * 2)
        return super().forward(x)


def conv(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution, batch norm and perhaps ReLU: one operation once exported."""
    layers = [SameConv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """Widen, filter each channel in space, narrow; added to its input where the shapes agree.

    M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.
    """

    def __init__(
        self, inputs: int, outputs: int, widen: int, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        inner = inputs * widen
        self.steps = nn.Sequential(
            conv(inputs, inner),
            conv(inner, inner, kernel, stride, groups=inner),
            conv(inner, outputs, relu=False),
        )
        self.adds = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.steps(x) if self.adds else self.steps(x)


class Plain(nn.Module):
    """One dense 3 x 3 convolution, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step = conv(channels, channels, 3, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.step(x))


class Context(nn.Module):
    """Adds to every place what the picture is as a whole."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.summary = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.summary(x.mean((2, 3), keepdim=True))


class Up(nn.Module):
    """Doubles a coarse level and joins it with the finer one of the encoder."""

    def __init__(self, coarse: int, fine: int, outputs: int, after: nn.Module) -> None:
        super().__init__()
        self.coarse = conv(coarse, outputs, relu=False)
        self.fine = conv(fine, outputs, relu=False)
        self.after = after

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        doubled = F.interpolate(
            self.coarse(coarse), scale_factor=2, mode="bilinear", align_corners=False
        )
        return self.after(F.relu(doubled + self.fine(fine)))


class RingNetwork(nn.Module):
    """(n, 3, s, s) sRGB in [0, 1] to (n, 5, s, s) planes, (n, 2, s/4, s/4) heat, (n, 9) globals.

    Dense convolutions where the picture is large and channels are few, inverted residuals where it
    is small: so it trains on a CPU as well as it runs there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.level1 = conv(3, 16, 3, 2)
        self.level2 = nn.Sequential(conv(16, 32, 3, 2), Plain(32))
        self.level3 = nn.Sequential(conv(32, 56, 3, 2), Plain(56), Plain(56))
        self.level4 = nn.Sequential(
            conv(56, 96, 3, 2), *(Residual(96, 96, 3, kernel=5) for _ in range(4))
        )
        self.level5 = nn.Sequential(
            Residual(96, 160, 3, kernel=5, stride=2),
            *(Residual(160, 160, 3, kernel=5) for _ in range(3)),
            Context(160),
        )
        self.up4 = Up(160, 96, 96, Residual(96, 96, 3, kernel=5))
        self.up3 = Up(96, 56, 56, Residual(56, 56, 2, kernel=5))
        self.up2 = Up(56, 32, 32, Plain(32))
        self.up1 = Up(32, 16, 16, conv(16, 16, 3))
        self.planes = nn.Conv2d(16, 4 * len(PLANES), 1)
        self.heat = nn.Conv2d(32, len(HEAT_PLANES), 1)
        self.whole = nn.Sequential(
            conv(160, 160), nn.AdaptiveAvgPool2d(1), nn.Conv2d(160, len(GLOBALS), 1)
        )
        # Most places are no ring's ends: starting there spares the first hundred steps.
        nn.init.constant_(self.heat.bias, -4.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        level1 = self.level1(x)
        level2 = self.level2(level1)
        level3 = self.level3(level2)
        level4 = self.level4(level3)
        level5 = self.level5(level4)
        up2 = self.up2(self.up3(self.up4(level5, level4), level3), level2)
        planes = F.pixel_shuffle(self.planes(self.up1(up2, level1)), 2)
        return planes, self.heat(up2), self.whole(level5).flatten(1)


def n_parameters(network: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(value.numel() for value in network.parameters())
