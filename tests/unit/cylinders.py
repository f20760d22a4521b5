"""Fingers whose light is known: matte cylinders under a sky dome and one lamp."""

from __future__ import annotations

import numpy as np

from anello.imaging.arrays import Float, Float64, Roi
from anello.imaging.finger import FingerSite
from anello.imaging.frame import finger_frame
from anello.imaging.hand import Finger
from anello.imaging.lighting import Light
from anello.imaging.surround import Surround
from anello.imaging.turn import SAMPLE_RADIUS_MM

SKIN = np.array([0.45, 0.27, 0.19], np.float32)
GROUND = np.array([0.30, 0.31, 0.33], np.float32)
SIZE = 240
ROI: Roi = (0, 0, SIZE, SIZE)


def upright_site(
    width: float = 80.0, pitch_deg: float = 15.0, angle_deg: float = 0.0
) -> FingerSite:
    """A finger through the middle of the region, tip up, turned clockwise by ``angle_deg``."""
    turn = np.radians(angle_deg)
    axis = np.array([np.sin(turn), -np.cos(turn)])
    across = np.array([-axis[1], axis[0]])
    centre = np.array([SIZE / 2, SIZE / 2])
    left, right = centre - across * width / 2, centre + across * width / 2
    along = np.linspace(-1.2, 1.2, 25)[:, None] * width * axis
    return FingerSite(
        finger=Finger.RING,
        location=0.3,
        centre_xy=centre,
        axis_xy=axis,
        across_xy=across,
        left_xy=left,
        right_xy=right,
        width_px=width,
        px_per_mm=width / (2 * SAMPLE_RADIUS_MM),
        pitch_deg=pitch_deg,
        roll_deg=0.0,
        confidence=1.0,
        left_edge_xy=left + along,
        right_edge_xy=right + along,
        edge_sigma_px=0.8,
    )


def plain_surround(color: Float) -> Surround:
    """One colour all around."""
    return Surround(color[None, None], np.zeros(2), px=np.ones(2), reach_px=0.0)


def lamp(direction: tuple[float, float, float], ambient: float = 0.3) -> Light:
    vector = np.array(direction, np.float32)
    return Light(
        direction_xyz=vector / np.linalg.norm(vector),
        colour=np.ones(3, np.float32),
        shade=np.ones(3, np.float32),
        level=1.0,
        ambient=ambient,
        skin=SKIN,
        surround=plain_surround(SKIN),
        confidence=1.0,
    )


def lit_finger(site: FingerSite, light: Light, skin: Float = SKIN) -> Float:
    """(SIZE, SIZE, 3) linear: the finger under the light, on a plain ground."""
    frame = finger_frame(site, ROI)
    dome = light.ambient * (1 + frame.normal[..., 2]) / 2
    direct = (1 - light.ambient) * np.maximum(frame.normal @ light.direction_xyz, 0)
    picture = (dome + direct)[..., None] * skin
    on_finger = (np.abs(frame.across) <= 1)[..., None]
    return np.where(on_finger, picture, GROUND).astype(np.float32)


def band_layer(
    site: FingerSite, half_px: float = 8.0, height_px: float = 7.0
) -> tuple[Float, Float]:
    """alpha, height (SIZE, SIZE) of a straight band across the finger."""
    frame = finger_frame(site, ROI)
    alpha = ((np.abs(frame.along) <= half_px) & (np.abs(frame.across) <= 1.1)).astype(np.float32)
    return alpha, alpha * np.float32(height_px)


def angle_deg(a: Float, b: Float | Float64) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(b), -1, 1))))
