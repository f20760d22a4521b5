"""Every form of a create-task body that is seen in the wild ends in the same request."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.errors import BadRequest, InvalidParameters
from anello.options import Finger, Options
from anello.service.requests import Reference, RingRequest, TaskRequest
from anello.web.bodies import json_object
from anello.web.resolution import resolve

HAND, RING, MASK = "https://e.com/hand.jpg", "https://e.com/ring.png", "https://e.com/mask.png"
PARAMETER = {"ring_wearing_finger": 2, "ring_wearing_location": 0.5}
WORN = Options(finger=Finger.MIDDLE, location=0.5)


def url(value: str) -> Reference:
    return Reference("url", value)


def by_id(value: str) -> Reference:
    return Reference("id", value)


def ring(image: Reference, mask: Reference | None = None, **options: Any) -> RingRequest:
    return RingRequest(image, mask, Options(**options))


def merged(**changes: Any) -> dict[str, Any]:
    """The form that works everywhere; None drops a field."""
    body = {
        "src_file_id": "h",
        "ref_file_ids": ["r"],
        "source_info": {"name": "h"},
        "object_infos": [{"name": "r", "parameter": PARAMETER}],
    } | changes
    return {field: value for field, value in body.items() if value is not None}


def refused(values: Any, field: str, **mode: bool) -> None:
    with pytest.raises(InvalidParameters) as error:
        resolve(values, **mode)
    assert error.value.message.startswith(field), error.value.message


# --- the documented combinations ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("src", "hand"),
    [({"src_file_url": HAND}, url(HAND)), ({"src_file_id": "h"}, by_id("h"))],
)
@pytest.mark.parametrize(
    ("refs", "image"),
    [({"ref_file_urls": [RING]}, url(RING)), ({"ref_file_ids": ["r"]}, by_id("r"))],
)
@pytest.mark.parametrize("strict", [False, True])
def test_urls_and_ids_in_each_combination(
    src: dict[str, Any], hand: Reference, refs: dict[str, Any], image: Reference, strict: bool
) -> None:
    body = {
        **src,
        **refs,
        "source_info": {"name": hand.value},
        "object_infos": [{"name": image.value, "parameter": PARAMETER}],
    }
    assert resolve(body, strict=strict) == TaskRequest(
        hand, None, (RingRequest(image, None, WORN),)
    )


def test_masks_are_given_beside_their_pictures() -> None:
    body = merged(
        srcmsk_file_url=MASK,
        refmsk_file_ids=["m"],
        object_infos=[{"name": "r", "mask_name": "m"}],
    )
    assert resolve(body) == TaskRequest(by_id("h"), url(MASK), (ring(by_id("r"), by_id("m")),))


# --- forms seen in the wild -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(merged(), id="merged"),
        pytest.param(
            merged(
                src_file_url="",
                srcmsk_file_url=None,
                ref_file_urls=[],
                refmsk_file_urls=[],
                refmsk_file_ids=[],
            ),
            id="empty siblings",
        ),
        pytest.param(
            {"src_file_id": "h", "ref_file_ids": ["r"], **PARAMETER}, id="flat, parameters on top"
        ),
        pytest.param(
            {"source_info": {"name": "h"}, "object_infos": [{"name": "r", "parameter": PARAMETER}]},
            id="structured only",
        ),
        pytest.param({"src_file_id": "h", "ref_file_id": "r", **PARAMETER}, id="singular"),
        pytest.param(
            {"src_file_id": "h", "ref_file_id": "r", "ref_file_ids": ["r"], **PARAMETER},
            id="singular and plural",
        ),
        pytest.param(
            merged(
                source_info={"name": "hand.jpg", "file_id": "h"},
                object_infos=[
                    {"name": "ring.jpg", "ref_file_ids": ["r"], "parameter": PARAMETER, "x": 1}
                ],
                version=2,
                webhook={"url": "x"},
            ),
            id="file names for names, and extra keys",
        ),
        pytest.param(merged(source_info=None), id="no source_info"),
        pytest.param(
            merged(object_infos=[{"parameter": PARAMETER}], source_info={}), id="no names"
        ),
        pytest.param(
            {
                **merged(),
                "srcmsk_file_id": None,
                "ref_file_urls": None,
                "source_info": {"name": "h", "mask_name": None},
                "object_infos": [
                    {
                        "name": "r",
                        "mask_name": "",
                        "parameter": {
                            **PARAMETER,
                            "ring_anchor_point": None,
                            "ring_shadow_intensity": None,
                            "ring_need_remove_background": None,
                        },
                    }
                ],
            },
            id="nulls",
        ),
        pytest.param(
            merged(object_infos=[{"name": "r"}], **PARAMETER), id="parameters beside entries"
        ),
    ],
)
def test_each_form_means_the_same(body: dict[str, Any]) -> None:
    assert resolve(body) == TaskRequest(by_id("h"), None, (RingRequest(by_id("r"), None, WORN),))


def test_names_that_begin_like_urls_are_urls() -> None:
    body = {
        "source_info": {"name": HAND, "mask_name": "m"},
        "object_infos": [{"name": "HTTP://e.com/r", "mask_name": MASK}, {"name": "r"}],
    }
    assert resolve(body) == TaskRequest(
        url(HAND), by_id("m"), (ring(url("HTTP://e.com/r"), url(MASK)), ring(by_id("r")))
    )


def test_source_info_decides_between_url_and_id() -> None:
    both = {"src_file_url": HAND, "src_file_id": "h"}
    assert resolve(merged(**both)).hand == by_id("h")
    assert resolve(merged(**both, source_info={"name": HAND})).hand == url(HAND)
    refused(merged(**both, source_info={"name": "hand.jpg"}), "src_file_url and src_file_id")
    refused(merged(**both, source_info=None), "src_file_url and src_file_id")
    masks = {"srcmsk_file_url": MASK, "srcmsk_file_id": "m"}
    refused(merged(**masks), "srcmsk_file_url and srcmsk_file_id")
    named = merged(**masks, source_info={"name": "h", "mask_name": "m"})
    assert resolve(named).hand_mask == by_id("m")


def test_entries_find_their_rings_by_name_then_by_place() -> None:
    swapped = merged(
        ref_file_urls=[RING],
        object_infos=[{"name": "r", "parameter": PARAMETER}, {"name": RING}],
    )
    assert resolve(swapped).rings == (RingRequest(by_id("r"), None, WORN), ring(url(RING)))
    half = merged(
        ref_file_ids=["a", "b"],
        object_infos=[{"name": "b.jpg", "parameter": PARAMETER}, {"name": "b"}],
    )
    assert resolve(half).rings == (RingRequest(by_id("a"), None, WORN), ring(by_id("b")))
    refused(merged(ref_file_ids=["a", "b"], object_infos=[{"name": "c"}]), "object_infos[0].name")
    refused(
        merged(ref_file_ids=["a", "b"], object_infos=[{"name": "b"}, {"name": "c"}]),
        "object_infos[1].name",
    )


def test_one_photo_worn_twice() -> None:
    twice = [{"name": "r", "parameter": {"ring_wearing_finger": n}} for n in (1, 3)]
    expected = (ring(by_id("r"), finger=Finger.INDEX), ring(by_id("r"), finger=Finger.RING))
    assert resolve(merged(object_infos=twice)).rings == expected
    assert resolve(merged(object_infos=twice, ref_file_ids=["r", "r"])).rings == expected
    assert resolve(merged(object_infos=twice, ref_file_ids=None)).rings == expected


def test_rings_without_entries_have_the_defaults() -> None:
    rings = resolve(merged(ref_file_ids=["a", "r"])).rings
    assert rings == (RingRequest(by_id("r"), None, WORN), ring(by_id("a")))
    assert resolve(merged(ref_file_ids=["a", "b"], object_infos=None)).rings == (
        ring(by_id("a")),
        ring(by_id("b")),
    )


def test_own_parameters_go_over_those_on_top() -> None:
    body = merged(ref_file_ids=["r", "s"], ring_wearing_finger=4, ring_shadow_intensity=0)
    assert resolve(body).rings == (
        ring(by_id("r"), finger=Finger.MIDDLE, location=0.5, shadow=0.0),
        ring(by_id("s"), finger=Finger.LITTLE, shadow=0.0),
    )


def test_masks_pair_by_name_then_by_place() -> None:
    two = {"ref_file_ids": ["a", "b"]}
    in_place = merged(**two, refmsk_file_ids=["m", "n"], object_infos=[{"name": "b"}])
    assert resolve(in_place).rings == (ring(by_id("b"), by_id("n")), ring(by_id("a"), by_id("m")))
    named = merged(
        **two,
        refmsk_file_ids=["n"],
        object_infos=[{"name": "a"}, {"name": "b", "mask_name": "n"}],
    )
    assert resolve(named).rings == (ring(by_id("a")), ring(by_id("b"), by_id("n")))
    for gap in (None, ""):
        holey = merged(**two, refmsk_file_ids=[gap, "n"], object_infos=None)
        assert resolve(holey).rings == (ring(by_id("a")), ring(by_id("b"), by_id("n")))
    file_name = merged(refmsk_file_ids=["m"], object_infos=[{"name": "r", "mask_name": "m.png"}])
    assert resolve(file_name).rings == (ring(by_id("r"), by_id("m")),)
    elsewhere = merged(refmsk_file_ids=["m"], object_infos=[{"name": "r", "mask_name": MASK}])
    assert resolve(elsewhere).rings == (ring(by_id("r"), url(MASK)),)
    refused(merged(refmsk_file_ids=["m", "n"]), "refmsk_file_urls or refmsk_file_ids")


def test_up_to_five_rings() -> None:
    five = [{"name": f"r{n}"} for n in range(5)]
    assert len(resolve({"src_file_id": "h", "object_infos": five}).rings) == 5
    refused({"src_file_id": "h", "object_infos": five * 2}, "object_infos")
    six = merged(ref_file_ids=["a", "b", "c"], ref_file_urls=[RING] * 3, object_infos=None)
    refused(six, "object_infos: at most 5 rings, not 6")


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "values", "option"),
    [
        ("ring_wearing_finger", [0, 4, 3.0], "finger"),
        ("ring_wearing_location", [0, 1, 0.3, 0.0, 1.0], "location"),
        ("ring_shadow_intensity", [0, 1, 0.15], "shadow"),
        ("ring_ambient_light_intensity", [0, 1, 0.999], "ambient"),
        ("ring_need_remove_background", [True, False], "remove_background"),
    ],
)
def test_good_values(field: str, values: list[Any], option: str) -> None:
    for value in values:
        body = merged(object_infos=[{"name": "r", "parameter": {field: value}}])
        assert getattr(resolve(body).rings[0].options, option) == value


def test_anchors() -> None:
    for anchors in ([[1, 2], [3, 4]], [[1.5, 2], [3, 4.25]]):
        body = merged(object_infos=[{"name": "r", "parameter": {"ring_anchor_point": anchors}}])
        expected = tuple(tuple(map(float, point)) for point in anchors)
        assert resolve(body).rings[0].options.anchors == expected


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("ring_wearing_finger", [-1, 5, 2.5, "3", True, [3], {}, 10**400]),
        ("ring_wearing_location", [-0.001, 1.001, "0.3", True, [], 1e400, -(10**400)]),
        ("ring_shadow_intensity", [-1, 2, "1", False, {"a": 1}]),
        ("ring_ambient_light_intensity", [-1, 2, "1", False]),
        ("ring_need_remove_background", [0, 1, "true", "false", [True]]),
        (
            "ring_anchor_point",
            [
                1,
                "x",
                [1, 2],
                [[1, 2]],
                [[1, 2], [3]],
                [[1, 2], [3, 4], [5, 6]],
                [[1, 2], [3, "4"]],
                [[1, 2], [3, True]],
                [[1, 2], [1.0, 2.0]],
                [[], []],
                [[1, 2], None],
                [[1, 2], [3, 1e999]],
            ],
        ),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_bad_values_name_their_field(field: str, values: list[Any], strict: bool) -> None:
    for value in values:
        if value == []:  # not given
            continue
        body = merged(object_infos=[{"name": "r", "parameter": {field: value}}])
        refused(body, f"object_infos[0].parameter.{field}", strict=strict)
        if not strict:
            refused(merged(**{field: value}), field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "src_file_url or src_file_id"),
        ({"ref_file_ids": ["r"]}, "src_file_url or src_file_id"),
        ({"src_file_id": "h"}, "ref_file_urls or ref_file_ids"),
        (merged(ref_file_ids=[None, ""], object_infos=None), "ref_file_urls or ref_file_ids"),
        (merged(src_file_id=7), "src_file_id"),
        (merged(src_file_id="a\0b"), "src_file_id"),
        (merged(src_file_id="x" * 513), "src_file_id"),
        (merged(src_file_url="ftp://e.com/hand.jpg", src_file_id=None), "src_file_url"),
        (merged(src_file_url="http://", src_file_id=None), "src_file_url"),
        (merged(src_file_url="/hand.jpg", src_file_id=None), "src_file_url"),
        (merged(src_file_url="https://e.com/" + "x" * 8192, src_file_id=None), "src_file_url"),
        (merged(srcmsk_file_url="javascript:alert(1)"), "srcmsk_file_url"),
        (merged(ref_file_urls=[RING, "file:///etc/passwd"]), "ref_file_urls[1]"),
        (merged(refmsk_file_urls=["data:,"]), "refmsk_file_urls[0]"),
        (merged(ref_file_url="r"), "ref_file_url"),
        (merged(ref_file_ids="r"), "ref_file_ids"),
        (merged(ref_file_ids={"0": "r"}), "ref_file_ids"),
        (merged(ref_file_ids=[["r"]]), "ref_file_ids[0]"),
        (merged(source_info="h"), "source_info"),
        (merged(source_info=[1]), "source_info"),
        (merged(object_infos={"name": "r"}), "object_infos"),
        (merged(object_infos=["r"]), "object_infos[0]"),
        (merged(object_infos=[{"name": 1}]), "object_infos[0].name"),
        (merged(object_infos=[{"name": "r", "parameter": [1]}]), "object_infos[0].parameter"),
    ],
)
def test_bad_bodies_name_their_field(body: dict[str, Any], field: str) -> None:
    refused(body, field)


def test_urls_may_be_of_any_language() -> None:
    odd = "HTTPS://bücher.example/Ring Größe 5.png?a=[1]#x"
    assert resolve(merged(ref_file_urls=[odd], ref_file_ids=None, object_infos=None)).rings == (
        ring(url(odd)),
    )


# --- strict mode ----------------------------------------------------------------------------------


def test_strict_takes_the_merged_form_with_empty_arrays_and_extra_keys_within() -> None:
    body = merged(ref_file_urls=[], refmsk_file_ids=[], source_info={"name": "h", "x": 1})
    assert resolve(body, strict=True) == resolve(merged())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (merged(source_info=None), "source_info"),
        (merged(object_infos=None), "object_infos"),
        (merged(src_file_id=None), "src_file_url or src_file_id"),
        (merged(ref_file_ids=None), "ref_file_urls or ref_file_ids"),
        (merged(ref_file_ids=None, ref_file_id="r"), "ref_file_id"),
        (merged(ring_wearing_finger=3), "ring_wearing_finger"),
        ({**merged(), "srcmsk_file_id": None}, "srcmsk_file_id"),
        (merged(src_file_url=""), "src_file_url"),
        (
            merged(object_infos=[{"name": "r", "parameter": {"ring_anchor_point": None}}]),
            "object_infos[0].parameter.ring_anchor_point",
        ),
        (merged(object_infos=[{"name": "r", "parameter": None}]), "object_infos[0].parameter"),
    ],
)
def test_strict_refuses_what_the_hosted_api_refuses(body: dict[str, Any], field: str) -> None:
    refused(body, field, strict=True)
    resolve(body)  # the default takes it


def test_strict_refuses_unknown_keys_in_another_way() -> None:
    with pytest.raises(BadRequest, match="'colour'"):
        resolve(merged(colour="gold"), strict=True)


# --- whatever is sent -----------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        "src_file_url",
        "src_file_id",
        "srcmsk_file_id",
        "ref_file_urls",
        "ref_file_ids",
        "refmsk_file_ids",
        "ref_file_id",
        "source_info",
        "object_infos",
        "ring_wearing_finger",
        "ring_anchor_point",
    ]
)
few = st.sampled_from(["a", "b", "c", None, "", HAND])
likely = st.fixed_dictionaries(
    {},
    optional={
        "src_file_id": few,
        "src_file_url": st.sampled_from([HAND, None]),
        "ref_file_ids": st.lists(few, max_size=3),
        "ref_file_urls": st.lists(st.sampled_from([RING, None]), max_size=2),
        "refmsk_file_ids": st.lists(few, max_size=3),
        "ref_file_id": few,
        "source_info": st.fixed_dictionaries({}, optional={"name": few, "mask_name": few}),
        "object_infos": st.lists(
            st.none() | st.fixed_dictionaries({}, optional={"name": few, "mask_name": few}),
            max_size=3,
        ),
    },
)


@given(st.dictionaries(fields | st.text(max_size=4), json_values) | likely, st.booleans())
def test_anything_is_either_a_request_or_refused(values: dict[str, Any], strict: bool) -> None:
    try:
        request = resolve(values, strict=strict)
    except InvalidParameters:
        return
    assert 1 <= len(request.rings) <= 5
    assert TaskRequest.from_json(request.to_json()) == request


@given(likely)
def test_every_named_mask_is_used_and_every_ring_is_worn(values: dict[str, Any]) -> None:
    try:
        request = resolve(values)
    except InvalidParameters:
        return
    photos = {*(values.get("ref_file_ids") or ()), *(values.get("ref_file_urls") or ())}
    assert {photo for photo in photos if photo} <= {one.image.value for one in request.rings}
    for entry in filter(None, values.get("object_infos") or ()):
        if entry.get("mask_name") and not values.get("refmsk_file_ids"):
            assert entry["mask_name"] in {one.mask.value for one in request.rings if one.mask}


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidParameters):
        assert isinstance(json_object(body), dict)
