"""Contract T1 to T12: what a task is made of, and that it is what was asked for."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from client import RING, Client, Json, merged, new_name, ok, refs, refused, src
from pictures import (
    BAND,
    HAND,
    hand_mask_with_hole,
    hand_png,
    headless_ring_mask,
    no_ring,
    pixels,
    ring_contacts,
    worn,
)
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import PATIENCE_S, Server

import anello
from anello import Finger, Options

DEFAULT = Options()
EXAMPLE: Json = {
    "ring_need_remove_background": True,
    "ring_wearing_finger": 1,
    "ring_wearing_location": 0.5,
    "ring_shadow_intensity": 0.4,
    "ring_ambient_light_intensity": 0.5,
}
"""Every parameter but the anchors, none at its default; and as the library says it."""
EXAMPLE_OPTIONS = Options(finger=Finger.INDEX, location=0.5, shadow=0.4, ambient=0.5)


@pytest.fixture(scope="module")
def hand(client: Client) -> str:
    return client.upload(hand_png(), content_type="image/png")


@pytest.fixture(scope="module")
def ring(client: Client) -> str:
    return client.upload(RING_JPEG)


@pytest.fixture(scope="module")
def band(client: Client) -> str:
    return client.upload(BAND)


def is_drawn(client: Client, body: Json, expected: anello.Result) -> None:
    """The task's picture is the library's, pixel for pixel."""
    np.testing.assert_array_equal(pixels(client.picture(body)), expected.picture.pixels)


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rings_by", ["url", "id"])
@pytest.mark.parametrize("hand_by", ["url", "id"])
def test_t1_the_documented_combinations(
    client: Client, receiver: Receiver, hand_by: str, rings_by: str
) -> None:
    hand = receiver.host(hand_png()) if hand_by == "url" else client.upload(hand_png())
    ring = receiver.host(RING_JPEG) if rings_by == "url" else client.upload(RING_JPEG)
    body = merged(hand, [ring], [EXAMPLE])
    assert {f"src_file_{hand_by}", f"ref_file_{rings_by}s"} < body.keys()
    is_drawn(client, body, worn(hand_png(), RING_JPEG, options=(EXAMPLE_OPTIONS,)))


@pytest.mark.parametrize("by", ["url", "id", "mask_name"])
def test_t2_a_ring_mask_cuts_the_ring_out(
    client: Client, receiver: Receiver, hand: str, ring: str, by: str
) -> None:
    mask = headless_ring_mask()
    expected = anello.try_on(hand_png(), RING_JPEG, ring_mask=mask)
    plain = worn(hand_png(), RING_JPEG)
    # The stone is masked away: a band is left, and less of a ring is seen.
    assert (expected.ring_mask > 128).sum() < 0.95 * (plain.ring_mask > 128).sum()
    body = merged(hand, [ring])
    if by == "url":
        body["refmsk_file_urls"] = [receiver.host(mask)]
    else:
        body["refmsk_file_ids"] = [client.upload(mask)]
    if by == "mask_name":
        body["object_infos"][0]["mask_name"] = body["refmsk_file_ids"][0]
    is_drawn(client, body, expected)


@pytest.mark.parametrize("by", ["url", "id", "mask_name"])
def test_t2_a_hand_mask_keeps_what_is_in_front_in_front(
    client: Client, receiver: Receiver, hand: str, ring: str, by: str
) -> None:
    mask, hole = hand_mask_with_hole()
    body = merged(hand, [ring])
    if by == "url":
        body["srcmsk_file_url"] = receiver.host(mask)
    else:
        body["srcmsk_file_id"] = client.upload(mask)
    if by == "mask_name":
        body["source_info"]["mask_name"] = body["srcmsk_file_id"]
    got = pixels(client.picture(body)).astype(int)
    before, plain = pixels(hand_png()).astype(int), worn(hand_png(), RING_JPEG).picture.pixels
    painted = np.abs(plain.astype(int) - before)[hole].mean()
    assert painted > 10
    assert np.abs(got - before)[hole].mean() < 0.25 * painted
    expected = anello.try_on(hand_png(), RING_JPEG, hand_mask=mask)
    np.testing.assert_array_equal(got, expected.picture.pixels)


def test_t2_ring_masks_pair_by_name_before_position(
    client: Client, hand: str, ring: str, band: str
) -> None:
    """Two rings, one mask: by position the first one's, by name the second one's."""
    mask = client.upload(headless_ring_mask())
    fingers = [{"ring_wearing_finger": 1}, {"ring_wearing_finger": 3}]
    options = [Options(finger=Finger.INDEX), Options(finger=Finger.RING)]
    by_position = merged(hand, [ring, band], fingers, refmsk_file_ids=[mask])
    masks = [headless_ring_mask(), None]
    expected = anello.try_on(hand_png(), [RING_JPEG, BAND], options, ring_mask=masks)
    is_drawn(client, by_position, expected)
    by_name = merged(hand, [band, ring], fingers[::-1], refmsk_file_ids=[mask])
    by_name["object_infos"][1]["mask_name"] = mask
    is_drawn(
        client,
        by_name,
        anello.try_on(hand_png(), [BAND, RING_JPEG], options[::-1], ring_mask=masks[::-1]),
    )


def test_t3_the_playgrounds_body(client: Client, receiver: Receiver) -> None:
    hand, ring = receiver.host(hand_png()), receiver.host(RING_JPEG)
    body = merged(hand, [ring], [EXAMPLE]) | {
        "src_file_id": "",
        "ref_file_ids": [],
        "refmsk_file_urls": [],
        "refmsk_file_ids": [],
    }
    is_drawn(client, body, worn(hand_png(), RING_JPEG, options=(EXAMPLE_OPTIONS,)))


NULLS: Json = {
    "src_file_url": None,
    "srcmsk_file_url": None,
    "srcmsk_file_id": None,
    "ref_file_urls": None,
    "refmsk_file_urls": None,
    "refmsk_file_ids": None,
    "ref_file_url": None,
    "ref_file_id": None,
}
NULL_PARAMETERS: Json = dict.fromkeys([*EXAMPLE, "ring_anchor_point"])


def test_t4_null_is_absent(client: Client, hand: str, ring: str) -> None:
    body = merged(hand, [ring], [NULL_PARAMETERS]) | NULLS | NULL_PARAMETERS
    body["source_info"]["mask_name"] = body["object_infos"][0]["mask_name"] = None
    is_drawn(client, body, worn(hand_png(), RING_JPEG))
    body = merged(hand, [ring]) | NULLS | {"source_info": None, "object_infos": None}
    is_drawn(client, body, worn(hand_png(), RING_JPEG))
    body = merged(hand, [ring])
    body["object_infos"][0]["parameter"] = None
    is_drawn(client, body, worn(hand_png(), RING_JPEG))


@pytest.mark.parametrize("name", list(NULL_PARAMETERS))
def test_t4_strict_refuses_a_null_parameter(strict_client: Client, name: str) -> None:
    hand, ring = strict_client.upload(HAND), strict_client.upload(RING_JPEG)
    refused(strict_client.post(merged(hand, [ring], [{name: None}])), 400, "InvalidParameters")


def flat_only(hand: str, ring: str) -> Json:
    return {**src(hand), **refs([ring])}


def structured_only(hand: str, ring: str) -> Json:
    return {"source_info": {"name": hand}, "object_infos": [{"name": ring}]}


def singular(hand: str, ring: str) -> Json:
    return {**src(hand), "ref_file_id": ring}


def with_top_level_parameters(hand: str, ring: str) -> Json:
    return merged(hand, [ring]) | EXAMPLE


LENIENT = [flat_only, structured_only, singular, with_top_level_parameters]


@pytest.mark.parametrize("make", LENIENT)
def test_t5_bodies_seen_in_the_wild(
    client: Client, hand: str, ring: str, make: Callable[[str, str], Json]
) -> None:
    options = EXAMPLE_OPTIONS if make is with_top_level_parameters else DEFAULT
    is_drawn(client, make(hand, ring), worn(hand_png(), RING_JPEG, options=(options,)))


@pytest.mark.parametrize("make", LENIENT)
def test_t5_strict_refuses_them(strict_client: Client, make: Callable[[str, str], Json]) -> None:
    hand, ring = strict_client.upload(HAND), strict_client.upload(RING_JPEG)
    refused(strict_client.post(make(hand, ring)), 400, "InvalidParameters")
    assert strict_client.run(merged(hand, [ring], [EXAMPLE]))["task_status"] == "success"


def test_t5_strict_refuses_a_key_that_it_does_not_know(strict_client: Client) -> None:
    hand, ring = strict_client.upload(HAND), strict_client.upload(RING_JPEG)
    body = merged(hand, [ring], no_such_key=1)
    assert "no_such_key" in refused(strict_client.post(body), 400, "BadRequest")


def test_t5_singular_by_url(client: Client, receiver: Receiver) -> None:
    body = {
        "src_file_url": receiver.host(hand_png()),
        "ref_file_url": receiver.host(RING_JPEG),
    }
    is_drawn(client, body, worn(hand_png(), RING_JPEG))


def test_t5_structured_only_by_url(client: Client, receiver: Receiver) -> None:
    body = structured_only(receiver.host(hand_png()), receiver.host(RING_JPEG))
    is_drawn(client, body, worn(hand_png(), RING_JPEG))


def test_t5_two_ways_to_the_hand_need_a_word_which(
    client: Client, receiver: Receiver, hand: str, ring: str
) -> None:
    url = receiver.host(no_ring())
    both = {"src_file_url": url, "src_file_id": hand, **refs([ring])}
    refused(client.post(both), 400, "InvalidParameters")
    is_drawn(client, both | {"source_info": {"name": hand}}, worn(hand_png(), RING_JPEG))
    assert client.error_of(both | {"source_info": {"name": url}}) == "PHOTO_DETECTION_FAIL"


def test_t5_objects_are_bound_by_name_in_any_order(
    client: Client, hand: str, ring: str, band: str
) -> None:
    body = {
        **src(hand),
        **refs([ring, band]),
        "object_infos": [
            {"name": band, "parameter": {"ring_wearing_finger": 1}},
            {"name": ring, "parameter": {"ring_wearing_finger": 3}},
        ],
    }
    options = (Options(finger=Finger.RING), Options(finger=Finger.INDEX))
    is_drawn(client, body, worn(hand_png(), RING_JPEG, BAND, options=options))


def test_t5_objects_of_other_names_are_bound_by_position(
    client: Client, hand: str, ring: str, band: str
) -> None:
    body = {
        **src(hand),
        **refs([ring, band]),
        "source_info": {"name": "my hand.jpg"},
        "object_infos": [
            {"name": "ring.jpg", "parameter": {"ring_wearing_finger": 3}},
            {"name": "band.jpg", "parameter": {"ring_wearing_finger": 1}},
        ],
    }
    options = (Options(finger=Finger.RING), Options(finger=Finger.INDEX))
    is_drawn(client, body, worn(hand_png(), RING_JPEG, BAND, options=options))
    body["object_infos"].pop()
    refused(client.post(body), 400, "InvalidParameters")


def test_t5_a_ring_without_its_object_has_defaults(
    client: Client, hand: str, ring: str, band: str
) -> None:
    body = {
        **src(hand),
        **refs([ring, band]),
        "object_infos": [{"name": band, "parameter": {"ring_wearing_finger": 1}}],
    }
    options = (DEFAULT, Options(finger=Finger.INDEX))
    is_drawn(client, body, worn(hand_png(), RING_JPEG, BAND, options=options))


def test_t5_an_objects_own_parameter_goes_over_the_top_level_one(
    client: Client, hand: str, ring: str
) -> None:
    own = {"ring_wearing_finger": 3, "ring_shadow_intensity": None}
    body = merged(hand, [ring], [own]) | {"ring_wearing_finger": 1, "ring_shadow_intensity": 1}
    options = (Options(finger=Finger.RING, shadow=1.0),)
    is_drawn(client, body, worn(hand_png(), RING_JPEG, options=options))


def test_t5_one_picture_worn_twice(client: Client, hand: str, ring: str) -> None:
    before = client.units()
    body = {
        **src(hand),
        **refs([ring]),
        "object_infos": [
            {"name": ring, "parameter": {"ring_wearing_finger": 3}},
            {"name": ring, "parameter": {"ring_wearing_finger": 1}},
        ],
    }
    options = (Options(finger=Finger.RING), Options(finger=Finger.INDEX))
    is_drawn(client, body, worn(hand_png(), RING_JPEG, RING_JPEG, options=options))
    assert before - client.units() == 2


def test_t6_unknown_keys_are_ignored(client: Client, hand: str, ring: str) -> None:
    more = {"version": "1.2", "x": {"y": [1]}, "ring_colour": "gold"}
    body = merged(hand, [ring], [EXAMPLE | {"ring_colour": 5}], **more)
    body["source_info"] |= {"file_id": "x", "ref_file_ids": [1]}
    body["object_infos"][0] |= {"file_id": hand, "extra": {}}
    is_drawn(client, body, worn(hand_png(), RING_JPEG, options=(EXAMPLE_OPTIONS,)))


# --- parameters ----------------------------------------------------------------------------------

FRACTIONS = ("ring_wearing_location", "ring_shadow_intensity", "ring_ambient_light_intensity")
GOOD: list[Json] = [
    *({"ring_wearing_finger": finger} for finger in range(5)),
    *({name: value} for name in FRACTIONS for value in (0, 1, 0.0, 1.0, 0.5, 5e-324)),
    *({"ring_need_remove_background": value} for value in (True, False)),
]
BAD: list[Json] = [
    *({"ring_wearing_finger": value} for value in (5, -1, "3", True, 1.5, [3], {"a": 1}, 10**30)),
    *(
        {name: value}
        for name in FRACTIONS
        for value in (-0.01, 1.01, -1, 2, "0.3", True, [0.3], {"a": 1}, 10**400)
    ),
    *({"ring_need_remove_background": value} for value in ("true", 1, 0, [True])),
    *(
        {"ring_anchor_point": value}
        for value in (
            "44,318,414,289",
            7,
            True,
            {"x": 1, "y": 2},
            [44, 318, 414, 289],
            [[44, 318]],
            [[44, 318], [414, 289], [1, 2]],
            [[44, 318], [414]],
            [[44, 318], [414, 289, 5]],
            [[44, 318], [414, "289"]],
            [[44, 318], [414, True]],
            [[44, 318], [414, None]],
            [[44, 318], None],
            [[44, 318], [44, 318]],
        )
    ),
]


def test_t7_values_within_range_are_taken(client: Client, hand: str, ring: str) -> None:
    points = ring_contacts()
    anchors = [points, points[::-1], [[round(x), round(y)] for x, y in points]]
    good = [*GOOD, *({"ring_anchor_point": one} for one in anchors)]
    tasks = {client.create(merged(hand, [ring], [one])): one for one in good}
    for task_id, one in tasks.items():
        data = client.wait(task_id)
        assert data["task_status"] == "success", (one, data)


@pytest.mark.parametrize("parameter", BAD, ids=lambda one: json.dumps(one)[:60])
def test_t7_values_out_of_range_or_of_a_wrong_type_are_refused(
    client: Client, hand: str, ring: str, parameter: Json
) -> None:
    (name,) = parameter
    body = merged(hand, [ring], [parameter])
    assert name in refused(client.post(body), 400, "InvalidParameters")
    at_the_top = merged(hand, [ring]) | parameter
    assert name in refused(client.post(at_the_top), 400, "InvalidParameters")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", FRACTIONS)
def test_t7_numbers_that_are_none(
    client: Client, hand: str, ring: str, name: str, literal: str
) -> None:
    text = json.dumps(merged(hand, [ring], [{name: "here"}])).replace('"here"', literal)
    headers = {"Content-Type": "application/json"}
    refused(client.call("POST", RING, data=text, headers=headers), 400, "InvalidParameters")


def test_t7_the_wire_defaults_are_the_documented_ones(client: Client, hand: str, ring: str) -> None:
    written_out = {
        "ring_need_remove_background": True,
        "ring_wearing_finger": 3,
        "ring_wearing_location": 0.3,
        "ring_shadow_intensity": 0.15,
        "ring_ambient_light_intensity": 1,
    }
    assert client.picture(merged(hand, [ring], [written_out])) == client.picture(
        merged(hand, [ring])
    )


def test_t7_anchors_are_the_clients(client: Client, hand: str, ring: str) -> None:
    """In either order; other points than our own make another picture."""
    (x1, y1), (x2, y2) = ring_contacts()
    points = [[round(x1) + 20, round(y1)], [round(x2) - 20, round(y2)]]
    first, second = ((float(x), float(y)) for x, y in points)
    expected = worn(hand_png(), RING_JPEG, options=(Options(anchors=(first, second)),))
    assert (expected.picture.pixels != worn(hand_png(), RING_JPEG).picture.pixels).any()
    for order in (points, points[::-1]):
        is_drawn(client, merged(hand, [ring], [{"ring_anchor_point": order}]), expected)


# --- refused bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"5",
        b"{}",
        b"\xff\xfe\x00",
        b'{"src_file_id": "\xff"}',
        b'{"src_file_id": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=lambda text: str(text[:24]),
)
def test_t8_what_is_no_json_object_is_refused(client: Client, text: bytes) -> None:
    for headers in ({"Content-Type": "application/json"}, {}, {"Content-Type": "text/plain"}):
        answer = client.call("POST", RING, data=text, headers=headers)
        refused(answer, 400, "InvalidParameters")


def wrong_bodies(hand: str, ring: str) -> list[tuple[str, Json]]:
    """Each with the word that the error must have in it."""
    good = merged(hand, [ring])
    six = merged(hand, [ring] * 6)
    return [
        ("src_file", refs([ring])),
        ("src_file", refs([ring]) | {"src_file_id": "", "src_file_url": None}),
        ("src_file", refs([ring]) | {"source_info": {}}),
        ("ref_file", src(hand)),
        ("ref_file", src(hand) | {"ref_file_ids": [], "ref_file_urls": []}),
        ("ref_file", src(hand) | {"object_infos": [], "source_info": {"name": hand}}),
        ("src_file_id", good | {"src_file_id": 5}),
        ("src_file_id", good | {"src_file_id": [hand]}),
        ("src_file_url", refs([ring]) | {"src_file_url": True}),
        ("ref_file_ids", good | {"ref_file_ids": 5}),
        ("ref_file_ids", good | {"ref_file_ids": [5]}),
        ("ref_file_ids", good | {"ref_file_ids": {"0": ring}}),
        ("ref_file_urls", src(hand) | {"ref_file_urls": [["http://a.example/b.jpg"]]}),
        ("source_info", good | {"source_info": hand}),
        ("source_info", good | {"source_info": [hand]}),
        ("object_infos", good | {"object_infos": {"name": ring}}),
        ("object_infos", good | {"object_infos": [ring]}),
        ("object_infos", good | {"object_infos": "x"}),
        ("name", good | {"object_infos": [{"name": 5}]}),
        ("parameter", good | {"object_infos": [{"name": ring, "parameter": "x"}]}),
        ("parameter", good | {"object_infos": [{"name": ring, "parameter": 5}]}),
        ("mask_name", good | {"object_infos": [{"name": ring, "mask_name": 5}]}),
        ("srcmsk_file_id", good | {"srcmsk_file_id": 5}),
        ("refmsk_file_ids", good | {"refmsk_file_ids": ring}),
        ("", six),
        ("", good | {"object_infos": [{"name": ring}] * 6}),
        ("", src(hand) | refs([ring] * 6)),
    ]


def test_t8_a_missing_or_wrong_field_is_named_and_nothing_charged(
    client: Client, hand: str, ring: str
) -> None:
    before = client.units()
    for word, body in wrong_bodies(hand, ring):
        response = client.post(body)
        assert response.status_code == 400, (body, response.text)
        assert word in refused(response, 400, "InvalidParameters"), body
    assert client.units() == before


def test_t8_a_body_beyond_reason_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"src_file_id": "' + b"x" * 20_000_000 + b'"}'
    answer = client.call("POST", RING, data=body, headers=headers)
    assert answer.status_code in {400, 413}, answer.text


# --- ids, units, sameness ------------------------------------------------------------------------


def test_t9_task_ids_can_stand_in_a_path(
    client: Client, server: Server, hand: str, ring: str
) -> None:
    task_id = client.create(merged(hand, [ring]))
    assert re.fullmatch(r"[A-Za-z0-9_-]{16,}", task_id)
    expected = client.wait(task_id)["task_status"]
    escaped = "".join(f"%{ord(letter):02X}" for letter in task_id)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:  # http.client leaves the path as it is; others would unescape it
        headers = {"Authorization": f"Bearer {client.key}"}
        connection.request("GET", f"{RING}/{escaped}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["data"]["task_status"] == expected
    finally:
        connection.close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_t10_one_ring_is_one_unit_more_are_two(
    client: Client, hand: str, ring: str, count: int
) -> None:
    fingers = [{"ring_wearing_finger": finger} for finger in (1, 2, 3)][:count]
    before = client.units()
    task_id = client.create(merged(hand, [ring] * count, fingers))
    for _ in range(3):
        assert client.wait(task_id)["task_status"] == "success"
    assert before - client.units() == min(count, 2)


def test_t10_nothing_is_charged_while_it_runs_nor_for_an_error(
    client: Client, receiver: Receiver, hand: str
) -> None:
    before = client.units()
    with receiver.gate(no_ring()) as gate:
        task_id = client.create(merged(hand, [gate.url]))
        gate.wait_until_asked()
        assert client.units() == before
        assert client.poll(task_id)["task_status"] == "running"
    assert client.wait(task_id)["error"] == "OBJECT_DETECTION_FAIL"
    assert client.units() == before


@pytest.fixture(scope="module")
def poor(server: Server) -> Iterator[Client]:
    """An account with one unit."""
    with Client(server.base, server.create_key(new_name("poor"), 1)) as one:
        yield one


def test_t10_a_failed_task_gives_its_unit_back(poor: Client) -> None:
    body = merged(poor.upload(HAND), [poor.upload(no_ring())])
    for _ in range(2):
        assert poor.error_of(body) == "OBJECT_DETECTION_FAIL"
    assert poor.units() == 1


def test_t11_too_few_units_make_no_task(poor: Client, receiver: Receiver) -> None:
    assert poor.units() == 1
    hand, ring = poor.upload(HAND), poor.upload(RING_JPEG)
    refused(poor.post(merged(hand, [ring, ring])), 400, "CreditInsufficiency")
    assert poor.units() == 1
    with receiver.gate(RING_JPEG) as gate:
        task_id = poor.create(merged(hand, [gate.url]))
        gate.wait_until_asked()
        # Its unit is set aside: a second task can't have it too.
        refused(poor.post(merged(hand, [ring])), 400, "CreditInsufficiency")
    assert poor.wait(task_id)["task_status"] == "success"
    assert poor.units() == 0
    refused(poor.post(merged(hand, [ring])), 400, "CreditInsufficiency")
    refused(poor.post({}), 400, "InvalidParameters")


def test_t12_the_same_body_twice_is_two_tasks_and_one_picture(client: Client, ring: str) -> None:
    for hand in (client.upload(HAND), client.upload(hand_png())):
        body = merged(hand, [ring], [EXAMPLE])
        first, second = client.create(body), client.create(body)
        assert first != second
        one, other = (client.download(client.wait(task_id)) for task_id in (first, second))
        assert one == other


def test_t12_the_picture_does_not_depend_on_what_is_known_already(client: Client) -> None:
    """Analyses are kept by content: a picture of known parts is the one of unknown parts."""
    fresh = f"{time.time_ns()}"
    ring = client.upload(RING_JPEG)
    new_hand = client.upload(_png_with_text(hand_png(), fresh), again=False)
    old_hand = client.upload(hand_png())
    assert client.picture(merged(new_hand, [ring])) == client.picture(merged(old_hand, [ring]))


def _png_with_text(data: bytes, text: str) -> bytes:
    """Another file of the same picture: a text chunk after the header."""
    import zlib

    chunk = b"tEXt" + b"Comment\0" + text.encode()
    size, check = (len(chunk) - 4).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big")
    return data[:33] + size + chunk + check + data[33:]


def test_bodies_are_json_whatever_their_content_type_says(
    client: Client, hand: str, ring: str
) -> None:
    text = json.dumps(merged(hand, [ring]))
    for kind in ("application/json; charset=utf-8", "text/plain", "application/octet-stream"):
        created = ok(client.call("POST", RING, data=text, headers={"Content-Type": kind}))
        client.wait(created["data"]["task_id"])
    client.wait(ok(client.call("POST", RING, data=text))["data"]["task_id"])


def test_a_poll_may_carry_a_content_type_and_no_accept(
    client: Client, hand: str, ring: str
) -> None:
    task_id = client.create(merged(hand, [ring]))
    headers: dict[str, Any] = {"Content-Type": "application/json", "Accept": None}
    ok(client.call("GET", f"{RING}/{task_id}", headers=headers))
    client.wait(task_id)
