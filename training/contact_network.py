"""The contact network: where in a window exactly the end of a ring's near inner rim is.

A U-Net of the ring network's building blocks, so that ``export.py`` can write it.
"""

from __future__ import annotations

from typing import Final

from network import Context, Plain, Up, conv
from torch import Tensor, nn

WINDOW: Final = 96
"""Side of a window, px (``anello.imaging.contacts``)."""
CHANNELS: Final = 6
"""A window's planes: red, green and blue, close and then wide."""
CELL: Final = 4
"""Side of a cell, px."""


class ContactNetwork(nn.Module):
    """(n, 6, s, s) windows in [0, 1] to (n, 1, s/4, s/4) logits that the end lies in each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.level2 = nn.Sequential(conv(CHANNELS, 24, 3, 2), conv(24, 40, 3, 2), Plain(40))
        self.level3 = nn.Sequential(conv(40, 72, 3, 2), Plain(72), Plain(72))
        self.level4 = nn.Sequential(conv(72, 112, 3, 2), Plain(112), Plain(112), Context(112))
        self.up3 = Up(112, 72, 72, Plain(72))
        self.up2 = Up(72, 40, 40, Plain(40))
        self.heat = nn.Conv2d(40, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        level2 = self.level2(x)
        level3 = self.level3(level2)
        return self.heat(self.up2(self.up3(self.level4(level3), level3), level2))
