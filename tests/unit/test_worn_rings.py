from __future__ import annotations

import cv2
import numpy as np
import pytest
from rings import finger_site

from anello.imaging.worn_rings import find_worn

UNIT_PX = 90.0
SKIN = np.array([205, 160, 135], np.float32)


def _finger(seed: int = 3) -> np.ndarray:
    """A finger 100 px wide that points up, shaded like a cylinder, with some texture."""
    rng = np.random.default_rng(seed)
    column = np.arange(300)[None, :]
    shade = np.sqrt(np.clip(1 - ((column - 150) / 55) ** 2, 0.05, 1))
    texture = cv2.GaussianBlur(rng.normal(size=(400, 300)).astype(np.float32), (0, 0), 2) * 8
    picture = SKIN * (0.55 + 0.45 * shade[..., None]) + texture[..., None]
    picture[:, :98] = picture[:, 202:] = 235
    return np.clip(picture, 0, 255).astype(np.uint8)


def _site(location: float):
    """Location 0 lies at row 250, one unit higher up is location 1."""
    centre = (150.0, 250.0 - UNIT_PX * location)
    return finger_site(centre_xy=centre, pitch_deg=0.0, location=location)


def _banded(picture: np.ndarray, low: float, high: float, tone: tuple[int, int, int]) -> np.ndarray:
    rows = slice(round(250 - UNIT_PX * high), round(250 - UNIT_PX * low))
    picture[rows, 94:206] = tone
    return picture


@pytest.mark.parametrize("tone", [(235, 235, 238), (60, 56, 54)])
@pytest.mark.parametrize("span", [(0.1, 0.3), (0.4, 0.65)])
def test_a_band_is_found_where_it_is(span: tuple[float, float], tone) -> None:
    picture = _banded(_finger(), *span, tone)
    for location in (0.2, 0.6):
        (found,) = find_worn(picture, _site(location), UNIT_PX)
        assert found == pytest.approx(span, abs=0.05)


def test_bare_skin_wears_none() -> None:
    assert find_worn(_finger(), _site(0.3), UNIT_PX) == ()


def test_a_crease_is_none() -> None:
    picture = _finger().astype(np.float32)
    row = np.arange(400)[:, None, None]
    dark = 1 - 0.45 * np.exp(-(((row - 220) / 3.0) ** 2))
    assert find_worn(np.round(picture * dark).astype(np.uint8), _site(0.3), UNIT_PX) == ()


def test_a_shadow_across_the_finger_is_none() -> None:
    picture = _finger().astype(np.float32)
    edge = np.clip((np.arange(400) - 210) / 14, 0, 1)[:, None, None]
    assert find_worn(np.round(picture * (1 - 0.5 * edge)).astype(np.uint8), _site(0.3), 90.0) == ()


def test_a_finger_at_the_photos_border_is_no_trouble() -> None:
    site = finger_site(centre_xy=(8.0, 10.0), pitch_deg=0.0)
    assert isinstance(find_worn(_finger(), site, UNIT_PX), tuple)
