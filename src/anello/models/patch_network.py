"""The patch network on LiteRT: is bare ground that was taken for ring a gap, or metal as white?

Its weights are ours (``training/``), so they come with the package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anello.imaging.arrays import Float
from anello.imaging.patches import Patches
from anello.models.interpreter import Network

WEIGHTS = Path(__file__).with_name("patch_network.tflite")


class PatchNetwork:
    """The network, loaded once, one thread."""

    def __init__(self, path: str | Path = WEIGHTS) -> None:
        self._network = Network(path)

    def tell_gaps(self, patches: Patches) -> Float:
        """The (n,) probabilities that the patches are gaps."""
        gaps = [float(self._network.run(window)[0][0, 0]) for window in patches.windows]
        return np.array(gaps, np.float32)
