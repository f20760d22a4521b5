"""Contract R1 and R2: the picture, and its address."""

from __future__ import annotations

import numpy as np
import pytest
from client import RING, Client, merged, src
from pictures import (
    BAND,
    HAND,
    SIZE,
    disc,
    hand_png,
    lying_hand,
    odd_hand,
    pixels,
    png,
    ring_site,
    size_of,
    worn,
)
from pictures import RING as RING_JPEG
from server import until
from test_service_files import forgeries

import anello

FAR_WIDTHS = 2.5
"""Farther from the ring than this, in finger widths, nothing may change."""


@pytest.fixture(scope="module")
def ring(client: Client) -> str:
    return client.upload(RING_JPEG)


@pytest.fixture(scope="module")
def url(client: Client, ring: str) -> str:
    """A result's address; the hand is a JPEG."""
    data = client.run(merged(client.upload(HAND), [ring]))
    return str(data["results"]["url"])


def test_r1_png_far_from_the_ring_is_the_photo_exactly(client: Client, ring: str) -> None:
    data = client.picture(merged(client.upload(hand_png()), [ring]))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    before, after = pixels(hand_png()), pixels(data)
    assert after.shape == before.shape
    x, y, width = ring_site()
    changed = (before != after).any(axis=2)
    near = disc(x, y, FAR_WIDTHS * width)
    assert not changed[~near].any()
    assert changed[disc(x, y, 0.3 * width)].mean() > 0.5


def test_r1_jpeg_far_from_the_ring_looks_the_same(client: Client, ring: str) -> None:
    data = client.picture(merged(client.upload(HAND), [ring]))
    assert data.startswith(b"\xff\xd8\xff")
    assert size_of(data) == SIZE
    x, y, width = ring_site()
    difference = np.abs(pixels(HAND).astype(int) - pixels(data))[~disc(x, y, FAR_WIDTHS * width)]
    assert difference.mean() < 1.5


def test_r1_odd_sizes_are_kept(client: Client, ring: str) -> None:
    data = client.picture(merged(client.upload(odd_hand()), [ring]))
    assert size_of(data) == (959, 1199)


def test_r1_a_photo_turned_by_exif_comes_back_upright(client: Client, ring: str) -> None:
    assert size_of(lying_hand()) == SIZE[::-1]
    data = client.picture(merged(client.upload(lying_hand()), [ring]))
    assert size_of(data) == SIZE
    upright = pixels(client.picture(merged(client.upload(HAND), [ring])))
    assert np.abs(upright.astype(int) - pixels(data)).mean() < 3


def test_r1_a_lying_hand_without_exif_stays_lying(client: Client, ring: str) -> None:
    lying = png(np.ascontiguousarray(np.rot90(pixels(HAND))))
    data = client.picture(merged(client.upload(lying), [ring]))
    assert size_of(data) == SIZE[::-1]


def test_r1_nothing_of_the_photos_metadata_is_passed_on(client: Client, ring: str) -> None:
    place = b"GPS 52.5200 N 13.4050 E"
    tagged = HAND[:2] + b"\xff\xfe" + (len(place) + 2).to_bytes(2, "big") + place + HAND[2:]
    data = client.picture(merged(client.upload(tagged), [ring]))
    assert place not in data


def test_r1_two_rings_are_both_worn(client: Client, ring: str) -> None:
    body = {**src(client.upload(hand_png())), "ref_file_ids": [ring, client.upload(BAND)]}
    body["object_infos"] = [
        {"name": name, "parameter": {"ring_wearing_finger": finger}}
        for name, finger in zip(body["ref_file_ids"], (3, 1), strict=True)
    ]
    after, before = pixels(client.picture(body)), pixels(hand_png())
    changed = (before != after).any(axis=2)
    for finger in (3, 1):
        options = (anello.Options(finger=anello.Finger(finger)),)
        site = worn(HAND, RING_JPEG, options=options).rings[0].site
        where = disc(*map(float, site.centre_xy), 0.3 * float(site.width_px))
        assert changed[where].mean() > 0.5


# --- the address ---------------------------------------------------------------------------------


def test_r2_anyone_who_has_the_address_has_the_picture(client: Client, url: str) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = client.plain("GET", url, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert size_of(answer.content) == SIZE


def test_r2_the_type_is_the_pictures(client: Client, ring: str) -> None:
    data = client.run(merged(client.upload(hand_png(), content_type="image/jpg"), [ring]))
    answer = client.plain("GET", data["results"]["url"])
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_r2_head(client: Client, url: str) -> None:
    whole, head = client.plain("GET", url), client.plain("HEAD", url)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == whole.headers[name]


def test_r2_ranges(client: Client, url: str) -> None:
    whole = client.plain("GET", url).content
    size = len(whole)
    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-199", 100, 200),
        (f"bytes={size - 10}-", size - 10, size),
        ("bytes=-10", size - 10, size),
        (f"bytes=5-{size * 2}", 5, size),
    ):
        answer = client.plain("GET", url, headers={"Range": asked})
        assert answer.status_code == 206, asked
        assert answer.content == whole[start:end], asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert int(answer.headers["Content-Length"]) == end - start
        assert answer.headers["Content-Type"] == "image/jpeg"
    answer = client.plain("GET", url, headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    for nonsense in ("bytes=", "bytes=a-b", "bytes=9-1", "lines=1-2", "bytes=0-1,99999999999-"):
        answer = client.plain("GET", url, headers={"Range": nonsense})
        assert answer.status_code in {200, 206, 400, 416}, nonsense


def test_r2_a_forged_address_is_403(client: Client, url: str, ring: str) -> None:
    other = client.run(merged(client.upload(hand_png()), [ring]))["results"]["url"]
    for forged in forgeries(url, other):
        answer = client.plain("GET", forged)
        assert answer.status_code == 403, (forged, answer.status_code)
        assert b"\xff\xd8\xff" not in answer.content
    assert client.plain("GET", url).status_code == 200


@pytest.mark.parametrize(
    "path", ["../../anello.db", "..%2f..%2fanello.db", "%2e%2e/%2e%2e/etc/passwd", "%00", "~root"]
)
def test_r2_no_way_out_of_the_folder(client: Client, url: str, path: str) -> None:
    address, _, query = url.partition("?")
    for forged in (f"{address}/{path}?{query}", f"{address.rpartition('/')[0]}/{path}?{query}"):
        assert client.plain("GET", forged).status_code in {400, 403, 404}


def test_r2_an_address_dies_and_a_poll_gives_a_new_one(strict_client: Client) -> None:
    hand, ring = strict_client.upload(HAND), strict_client.upload(RING_JPEG)
    task_id = strict_client.create(merged(hand, [ring]))
    first = strict_client.wait(task_id)["results"]["url"]
    picture = strict_client.plain("GET", first)
    assert picture.status_code == 200
    until(lambda: strict_client.plain("GET", first).status_code == 403, "the address to expire", 15)
    assert strict_client.plain("HEAD", first).status_code == 403
    again = strict_client.poll(task_id)["results"]["url"]
    assert again != first
    assert strict_client.plain("GET", again).content == picture.content


def test_r2_every_poll_gives_an_address_that_works(client: Client, ring: str) -> None:
    task_id = client.create(merged(client.upload(HAND), [ring]))
    client.wait(task_id)
    addresses = [client.poll(task_id)["results"]["url"] for _ in range(3)]
    pictures = {client.plain("GET", address).content for address in addresses}
    assert len(pictures) == 1
    assert client.call("GET", f"{RING}/{task_id}").headers["Cache-Control"] == "no-store"
