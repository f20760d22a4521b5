"""The contact network on LiteRT: where exactly are the two ends of a ring's near inner rim?

Its weights are ours (``training/``), so they come with the package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64
from anello.imaging.contacts import contact_windows, place_in_window
from anello.models.interpreter import Network

WEIGHTS = Path(__file__).with_name("contact_network.tflite")


class ContactNetwork:
    """The network, loaded once, one thread."""

    def __init__(self, path: str | Path = WEIGHTS) -> None:
        self._network = Network(path)

    def look(self, pixels: Bytes, contacts_xy: Float64) -> Float64:
        """The (2, 2) ends in an (h, w, 3) sRGB photo, px, of which it is known where they are
        roughly."""
        windows, photo_from_windows = contact_windows(pixels, contacts_xy)
        seen = [place_in_window(self._heat(window)) for window in windows]
        places = zip(photo_from_windows, seen, strict=True)
        return np.array([to[:, :2] @ place + to[:, 2] for to, place in places])

    def _heat(self, window: Bytes) -> Float:
        """(c, c) logits of each cell: the mean of the window's and its mirror image's."""
        heat, mirrored = (
            self._network.run(np.ascontiguousarray(view))[0][0, ..., 0]
            for view in (window, window[::-1])
        )
        return np.asarray((heat + mirrored[::-1]) / 2, np.float32)
