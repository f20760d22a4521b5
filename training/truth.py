"""Where things are in the picture: the camera, the rim, contact points, opening. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from shapes import TAU, Float

N_RIM = 120
"""Places around a rim."""
WINDOW, WINDOW_OF_ENDS = 5, 21
"""Places that a rim is smoothed over, and that its ends are found with, a sixth of its way: braids
and wires swing to and fro, and a ring ends where they do as a whole."""


def unit(v: Any) -> Float:
    v = np.asarray(v, float)
    return v / np.linalg.norm(v)


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole. ``basis``: columns right, up, back; ``focal`` px; ``centre_xy``: principal point.

    Pixel coordinates: integers are pixel centres, y down.
    """

    position: Float
    basis: Float
    focal: float
    centre_xy: Float

    def project(self, points: Float) -> Float:
        """(N, 2) px of (N, 3) points."""
        p = (np.asarray(points) - self.position) @ self.basis
        xy = p[:, :2] / -p[:, 2:]
        return xy * [self.focal, -self.focal] + self.centre_xy

    def points_at(self, depth: Float) -> Float:
        """(H, W, 3) points from an (H, W) picture of planar depths."""
        y, x = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
        d = np.minimum(depth, 1e4)
        right, up = (
            (x - self.centre_xy[0]) / self.focal * d,
            (self.centre_xy[1] - y) / self.focal * d,
        )
        return np.stack([right, up, -d], -1) @ self.basis.T + self.position


def rim(points: Float, thick: float, side: float, window: int = WINDOW) -> tuple[Float, Float]:
    """The inner rim of the band on that side of the axis, ring frame.

    points: (N, 3) of the band. Gives (N_RIM, 3) points of the rim's inner edge and the same a
    little further into the metal's side, which lies on the ring in every view.
    """
    r, s = np.hypot(points[:, 0], points[:, 2]), points[:, 1] * side
    inside = r < 1 + thick
    angle, r, s = np.arctan2(points[inside, 0], points[inside, 2]), r[inside], s[inside]
    index = np.floor((angle + np.pi) / TAU * N_RIM).astype(int) % N_RIM
    far = np.full(N_RIM, -np.inf)
    np.maximum.at(far, index, s)
    near = s > far[index] - 0.12
    least = np.full(N_RIM, np.inf)
    np.minimum.at(least, index[near], r[near])
    t = (np.arange(N_RIM) + 0.5) / N_RIM * TAU - np.pi
    known = np.isfinite(far)
    if not known.all():
        far = np.interp(t, t[known], far[known], period=TAU)
        least = np.interp(t, t[known], least[known], period=TAU)
    far, least = _smoothed(far, window), _smoothed(least, window)

    def at(radius: Float) -> Float:
        return np.stack([radius * np.sin(t), side * far, radius * np.cos(t)], -1)

    return at(least), at(np.minimum(least + 0.3 * thick, 1 + 0.6 * thick))


def _smoothed(around: Float, window: int) -> Float:
    """Values of all places around a rim, each the mean of those near it."""
    kernel, reach = np.hanning(window + 2)[1:-1], window // 2
    wrapped = np.concatenate([around[-reach:], around, around[:reach]])
    return np.convolve(wrapped, kernel / kernel.sum(), "valid")


def farthest_pair(points_xy: Float, near_angle: float) -> Float:
    """(2, 2): the two rim points farthest apart across the view, left one first.

    points_xy: the rim, in the order of `rim`; near_angle: the angle on the hoop that is nearest
    the camera. Seen face-on all pairs are as far; then it is the pair square to that angle.
    """
    t = (np.arange(N_RIM) + 0.5) / N_RIM * TAU - np.pi

    def around(angle: float) -> tuple[Any, Float]:
        off = (t - angle + np.pi) % TAU - np.pi
        index = np.flatnonzero(np.abs(off) < 0.4)
        return index, 0.003 * (off[index] / 0.4) ** 2

    (i, a), (j, b) = around(near_angle + np.pi / 2), around(near_angle - np.pi / 2)
    d = np.linalg.norm(points_xy[i][:, None] - points_xy[j][None], axis=-1)
    p, q = np.unravel_index(np.argmax(d * (1 - a[:, None] - b[None])), d.shape)
    pair = points_xy[[i[p], j[q]]]
    return pair[np.argsort(pair[:, 0])]


def silhouette(camera: Camera, points: Float, triangles: Any, width: int, height: int) -> Float:
    """(H, W) coverage of a closed surface's triangles, at 64 places a pixel, gently filtered."""
    k = 8
    xy = (camera.project(points) + 0.5) * k - 1  # the erosion below moves by half
    a, b, c = (xy[triangles[:, i]] for i in range(3))
    u, w = b - a, c - a
    facing = u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0] < 0  # y is down: half of them are enough
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    seen = (high > 0).all(1) & (low < [width * k, height * k]).all(1)
    corners = np.round(np.stack([a, b, c], 1)[facing & seen] * 16).astype(np.int32)
    big = np.zeros((height * k, width * k), np.uint8)
    for three in corners:
        cv2.fillConvexPoly(big, three, 255, cv2.LINE_8, 4)
    big = cv2.erode(big, np.ones((2, 2), np.uint8))  # filling takes half a place too much
    big = cv2.blur(big, (k // 2 + 1, k // 2 + 1))
    return cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA).astype(float) / 255


def polygon_mask(points_xy: Float, width: int, height: int) -> Float:
    """(H, W) coverage of a polygon, anti-aliased."""
    k = 4
    big = np.zeros((height * k, width * k), np.uint8)
    corners = np.round((points_xy + 0.5) * k - 0.5).astype(np.int32)
    cv2.fillPoly(big, [corners], 255)
    return cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA).astype(float) / 255
