from __future__ import annotations

import numpy as np
import pytest

from anello.imaging.color import srgb_to_linear
from anello.imaging.matting import Cutout
from anello.imaging.texture import FULL, make_texture


def _cutout(size: int = 256) -> Cutout:
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (size, size, 3), np.uint8)
    alpha = rng.integers(0, 256, (size, size), np.uint8)
    return Cutout(rgb, alpha, None, "drawn", (), 1.0)


def test_the_first_level_is_premultiplied_linear_light() -> None:
    cutout = _cutout()
    level, factor = make_texture(cutout).at_scale(1.0)
    expected = srgb_to_linear(cutout.rgb) * (cutout.alpha[..., None] / 255)
    np.testing.assert_allclose(level[..., :3] / FULL, expected, atol=1e-5)
    np.testing.assert_allclose(level[..., 3] / FULL, cutout.alpha / 255, atol=1e-5)
    np.testing.assert_array_equal(factor, [1, 1])


@pytest.mark.parametrize(("scale", "factor"), [(2.0, 1), (0.6, 1), (0.5, 0.5), (0.3, 0.5)])
def test_the_level_is_the_smallest_that_is_fine_enough(scale: float, factor: float) -> None:
    _, found = make_texture(_cutout()).at_scale(scale)
    np.testing.assert_allclose(found, factor)


def test_light_is_kept_from_level_to_level() -> None:
    texture = make_texture(_cutout())
    means = [level.mean((0, 1)) for level in texture.levels]
    assert len(means) >= 3
    for mean in means[1:]:
        np.testing.assert_allclose(mean, means[0], rtol=1e-3)
