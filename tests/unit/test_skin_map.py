"""Where there is skin that a shadow may fall on."""

from __future__ import annotations

import numpy as np
from cylinders import ROI, lamp, lit_finger, upright_site

from anello.imaging.color import linear_to_srgb
from anello.imaging.frame import finger_frame
from anello.imaging.skin_map import map_skin, skin_matte

SITE = upright_site()
LIGHT = lamp((0.6, -0.3, 0.75))
FRAME = finger_frame(SITE, ROI)


def test_skin_is_the_finger_and_what_has_its_colour():
    picture = lit_finger(SITE, LIGHT)
    neighbour = np.s_[:, 200:235]
    picture[neighbour] = np.array([0.40, 0.23, 0.16], np.float32)
    skin = skin_matte(map_skin(linear_to_srgb(picture), SITE, ROI), SITE, ROI)
    assert (
        skin[np.abs(FRAME.across) < 0.9][FRAME.along[np.abs(FRAME.across) < 0.9] < 90].min() > 0.9
    )
    assert skin[:, 60:75].max() < 0.1  # the ground
    assert skin[:, 208:228].mean() > 0.9


def test_a_hand_mask_overrules_colour_elsewhere():
    picture = lit_finger(SITE, LIGHT)
    picture[:, 200:235] = np.array([0.40, 0.23, 0.16], np.float32)
    hand = (np.abs(FRAME.across) < 1.05).astype(np.float32)
    found = map_skin(linear_to_srgb(picture), SITE, ROI)
    assert skin_matte(found, SITE, ROI, hand)[:, 208:228].max() < 0.1
