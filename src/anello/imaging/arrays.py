"""Array aliases, and the conventions that every module in this package keeps.

* A picture is ``(H, W, 3)``, RGB order, upright (EXIF turn already applied).
* ``Bytes`` pictures are 8-bit sRGB as decoded. ``Float`` pictures are *linear light*, nominally in
  [0, 1]; a float picture that is still encoded carries ``_srgb`` in its name.
* Alpha, masks and matte are separate ``(H, W)`` arrays; premultiplied colour is called so.
* Points are x, y in pixels, ``(N, 2)``, and carry ``_xy``; integer coordinates are pixel centres.
* A transform is named target_from_source.
* A region of interest (``Roi``) is ``x0, y0, x1, y1`` in pixels, half-open.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Float: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Roi: TypeAlias = tuple[int, int, int, int]
