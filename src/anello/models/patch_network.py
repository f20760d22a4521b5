"""The patch networks on LiteRT: is bare ground that was taken for ring a gap, or metal as white?

There are two, of which the second learned from larger pictures of open-work, too; where one errs,
the other is seldom as sure. Their weights are ours (``training/``), so they come with the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anello.imaging.arrays import Float
from anello.imaging.patches import Patches
from anello.models.interpreter import Network

WEIGHTS = tuple(
    Path(__file__).with_name(name) for name in ("patch_network.tflite", "patch_network_fine.tflite")
)
SUREST = 0.999
"""A network's probability of either, at most: neither outweighs the other by any amount."""


class PatchNetworks:
    """The networks, loaded once, one thread."""

    def __init__(self, paths: Sequence[str | Path] = WEIGHTS) -> None:
        self._networks = [Network(path) for path in paths]

    def tell_gaps(self, patches: Patches) -> Float:
        """The (n,) probabilities that the patches are gaps, by the mean of the log odds."""
        told = [
            [float(network.run(window)[0][0, 0]) for window in patches.windows]
            for network in self._networks
        ]
        gap = np.clip(np.array(told, np.float32), 1 - SUREST, SUREST)
        odds = np.exp(np.log(gap / (1 - gap)).mean(0))
        return np.asarray(odds / (1 + odds), np.float32)
