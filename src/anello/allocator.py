"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Final

KEPT_BYTES: Final = 256 << 20
"""More than the arrays that come and go with a picture of 12 megapixels; a quarter of it is enough
for one of two."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Of malloc.h."""


@cache
def keep_freed_memory() -> None:
    """Keep freed memory in the process for the next array instead of handing it back; once.

    By default glibc returns arrays of a few MB to the system and soon asks for as much again; the
    system then clears every page anew, which takes up to a sixth of the time of a picture. See
    mallopt(3). Who has set ``MALLOC_…`` or ``GLIBC_TUNABLES`` in the environment has chosen; other
    C libraries are left as they are.
    """
    if "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            mallopt(parameter, KEPT_BYTES)
