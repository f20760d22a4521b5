"""Product photos drawn from the closed form: metal hoops whose outline and pose are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SUPERSAMPLING = 4

GOLD = (214, 164, 72)
SILVER = (196, 198, 201)


@dataclass(frozen=True, slots=True)
class DrawnHoop:
    """A hoop's pose, px and degrees, as `RingShape` states it."""

    centre: tuple[float, float] = (250.0, 260.0)
    rotation_deg: float = -20.0
    inner: float = 140.0
    outer: float = 160.0
    width: float = 52.0
    elevation_deg: float = 42.0

    def points(
        self, radius: float, azimuth_rad: NDArray[np.float64], axial: float
    ) -> NDArray[np.float64]:
        """(n, 2) picture points."""
        tilt, turn = np.deg2rad(self.elevation_deg), np.deg2rad(self.rotation_deg)
        x = radius * np.sin(azimuth_rad)
        y = radius * np.cos(azimuth_rad) * np.sin(tilt) - axial * np.cos(tilt)
        right, up = (np.cos(turn), np.sin(turn)), (np.sin(turn), -np.cos(turn))
        return np.asarray(self.centre) + np.outer(x, right) + np.outer(y, up)

    @property
    def contact_xy(self) -> NDArray[np.float64]:
        return self.points(self.inner, np.deg2rad([-90.0, 90.0]), self.width / 2)


def metal(azimuth_rad: float, colour: tuple[int, int, int], wall: float) -> tuple[float, ...]:
    """Bands of light and dark round the hoop, as polished metal mirrors a studio."""
    light = 0.25 + 0.75 * abs(np.cos(1.5 * azimuth_rad + 0.6)) ** 0.7
    return tuple(float(np.clip(channel * light * wall, 0, 255)) for channel in colour)


def draw_hoop(
    picture: NDArray[np.uint8], hoop: DrawnHoop, colour: tuple[int, int, int] = GOLD
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture with the hoop on it, anti-aliased, and the hoop's alpha."""
    height, width = picture.shape[:2]
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    large = np.zeros((size[1], size[0], 3), np.uint8)
    alpha = np.zeros((size[1], size[0]), np.uint8)
    half = hoop.width / 2
    steps = np.linspace(-np.pi, np.pi, 361)

    def quad(radii: tuple[float, float], axial: tuple[float, float], k: int, wall: float) -> None:
        ends = steps[k : k + 2]
        first = hoop.points(radii[0], ends, axial[0])
        second = hoop.points(radii[1], ends, axial[1])
        shape = (np.vstack([first, second[::-1]]) + 0.5) * SUPERSAMPLING - 0.5
        polygon = np.round(shape * 16).astype(np.int32)
        paint = metal(float(ends.mean()), colour, wall)
        cv2.fillPoly(large, [polygon], paint, cv2.LINE_8, 4)
        cv2.fillPoly(alpha, [polygon], 255, cv2.LINE_8, 4)

    away = [k for k in range(360) if abs(steps[k] + steps[k + 1]) / 2 > np.pi / 2]
    for k in away:
        quad((hoop.inner, hoop.inner), (-half, half), k, 0.6)
    for k in sorted(set(range(360)) - set(away)):
        quad((hoop.outer, hoop.outer), (-half, half), k, 1.0)
    for k in range(360):
        quad((hoop.inner, hoop.outer), (half, half), k, 0.85)

    # The far half of the inner wall shows through the hole only.
    small_alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    paint = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    share = small_alpha[..., None].astype(np.float32) / 255
    mixed = paint + (1 - share) * picture
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8), small_alpha


def plain_ground(
    level: tuple[int, int, int] = (255, 255, 255), size: tuple[int, int] = (520, 500)
) -> NDArray[np.uint8]:
    return np.full((*size, 3), level, np.uint8)


def gradient_ground(size: tuple[int, int] = (520, 500)) -> NDArray[np.uint8]:
    rows, cols = np.indices(size) / np.array(size)[:, None, None]
    level = 225 - 60 * rows + 25 * cols
    return np.dstack([level, level * 0.97, level * 0.93]).astype(np.uint8)


def shadowed(picture: NDArray[np.uint8], centre: tuple[float, float]) -> NDArray[np.uint8]:
    """A soft shadow lying on the ground, to be drawn before the ring."""
    shade = np.zeros(picture.shape[:2], np.float32)
    middle = (round(centre[0] + 25), round(centre[1] + 70))
    cv2.ellipse(shade, middle, (190, 70), 0, 0, 360, 0.45, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 25)
    linear = (picture / 255.0) ** 2.2 * (1 - shade[..., None])
    return np.round(255 * linear ** (1 / 2.2)).astype(np.uint8)
