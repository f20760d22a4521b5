"""A camera on a ring, as the geometry of the turn needs it."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from anello.imaging.arrays import Float

if TYPE_CHECKING:
    from anello.imaging.finger import FingerSite
    from anello.imaging.ring import RingShape

MIN_PITCH_DEG = 3.0
"""Below this the near face and the wall are seen edge-on and their inverse has no answer."""

READABLE_DEG = 68.0
"""How far round the hoop a product photo is still worth reading: nearer to the outline the smallest
misfit reads past the metal."""


@dataclass(frozen=True, slots=True)
class View:
    """An orthographic camera on the ring, radians.

    elevation : of the camera out of the hoop's plane, 0 straight at the top, pi/2 through the hole.
    azimuth : of the head about the hoop's axis, from the visible top, positive to the right.
    lift : how much farther from the axis everything is than the shop's camera saw it, product px.
    """

    elevation: float
    azimuth: float
    lift: float = 0.0

    @classmethod
    def of_product(cls, shape: RingShape) -> View:
        """The shop's camera."""
        return cls(radians(shape.elevation_deg), radians(shape.head_deg))

    @classmethod
    def of_hand(cls, site: FingerSite, has_top: bool, lift: float) -> View:
        """The hand's camera. A plain band has no top to turn, so it keeps facing the viewer."""
        elevation = max(site.pitch_deg, MIN_PITCH_DEG)
        return cls(radians(elevation), radians(site.roll_deg) if has_top else 0.0, lift)

    def project(self, t: Float, g: Float, a: Float) -> tuple[Float, Float]:
        """x right, y up, from the projection of the hoop's centre, of a point of the ring."""
        return t, g * sin(self.elevation) - a * cos(self.elevation)

    def from_head(self, q: Float, height: Float) -> tuple[Float, Float]:
        """t, g of a point at tangential ``q`` and radial ``height`` in the head's frame."""
        return self.turned(q, height + np.float32(self.lift))

    def turned(self, q: Float, height: Float) -> tuple[Float, Float]:
        """t, g of a direction with these parts in the head's frame."""
        c, s = cos(self.azimuth), sin(self.azimuth)
        return q * c + height * s, height * c - q * s
