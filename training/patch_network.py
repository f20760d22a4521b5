"""The patch network: whether bare ground that was taken for ring is a gap, or metal as white.

The same building blocks as the ring network's, so that ``export.py`` can write it.
"""

from __future__ import annotations

from typing import Final

from network import conv
from torch import Tensor, nn

CHANNELS: Final = 15
"""A window's planes: what is close, what is around it, and what the ring network said."""


class PatchNetwork(nn.Module):
    """(n, 15, s, s) windows in [0, 1] to (n, 1) logits that they show gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            conv(CHANNELS, 32, 3, 2),
            conv(32, 32, 3),
            conv(32, 48, 3, 2),
            conv(48, 48, 3),
            conv(48, 80, 3, 2),
            conv(80, 80, 3),
            conv(80, 128, 3, 2),  # 3 x 3 places: the patch is in the middle one
            conv(128, 128, 3),
            nn.AdaptiveAvgPool2d(1),
        )
        self.told = nn.Sequential(conv(128, 64), nn.Conv2d(64, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.told(self.seen(x)).flatten(1)
