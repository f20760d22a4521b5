"""Will this picture do: as JSON or as the picture itself."""

from __future__ import annotations

from typing import Any

import pytest
from web_double import Service, calling

from anello.codec import MAX_FILE_BYTES
from anello.errors import DownloadImage, NotFound, TooManyRequests
from anello.options import Finger
from anello.service.requests import Reference

INSPECT = "/v1/inspect"
JPEG = {"Content-Type": "image/jpeg"}


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (
            {"kind": "hand", "file_id": "f", "finger": 3, "overlay": True},
            ("hand", Reference("id", "f"), "a1", Finger.RING, True),
        ),
        (
            {"kind": "hand", "file_url": "https://e.com/h", "file_id": None, "finger": None},
            ("hand", Reference("url", "https://e.com/h"), "a1", None, False),
        ),
        (
            {"kind": "ring", "file_id": "f", "extra": 1},
            ("ring", Reference("id", "f"), "a1", False),
        ),
    ],
)
def test_by_reference(body: dict[str, Any], asked: tuple[Any, ...]) -> None:
    with calling() as caller:
        answer = caller.post(INSPECT, json=body)
        assert answer.status_code == 200
        assert caller.service.inspections.asked == [asked]
    assert answer.json() == {
        "status": 200,
        "data": {
            "accepted": True,
            "code": None,
            "message": None,
            "remedy": None,
            "checks": [],
            "overlay": None,
        },
    }


def test_the_picture_itself() -> None:
    with calling() as caller:
        for query in ("kind=hand&finger=0&overlay=true", "kind=ring&overlay=0"):
            assert caller.post(f"{INSPECT}?{query}", content=b"x", headers=JPEG).is_success
        assert caller.service.inspections.asked == [
            ("hand", b"x", "a1", Finger.THUMB, True),
            ("ring", b"x", "a1", False),
        ]


def test_a_refused_picture_is_an_answer_with_its_measurements_and_its_overlay() -> None:
    check = {
        "name": "palm",
        "ok": False,
        "value": 0.5,
        "limit": 0.1,
        "code": "PHOTO_CHECK_INVALID",
        "message": "m",
        "remedy": "r",
    }
    service = Service()
    service.inspections.findings = {
        "accepted": False,
        "code": "PHOTO_CHECK_INVALID",
        "message": "m",
        "remedy": "r",
        "checks": [check],
        "side": "left",
        "overlay": b"\xff\xd8",
    }
    with calling(service) as caller:
        data = caller.post(INSPECT, json={"kind": "hand", "file_id": "f"}).json()["data"]
    assert data.pop("overlay") == "data:image/jpeg;base64,/9g="
    assert data["checks"] == [check]
    assert (data["accepted"], data["side"]) == (False, "left")


def test_a_picture_that_cannot_be_had_is_refused_too() -> None:
    service = Service()
    service.inspections.error = DownloadImage(remedy="Try another.")
    with calling(service) as caller:
        answer = caller.post(INSPECT, json={"kind": "ring", "file_url": "https://e.com"})
        assert answer.status_code == 200
        assert answer.json()["data"] == {
            "accepted": False,
            "code": "error_download_image",
            "message": "The image could not be downloaded",
            "remedy": "Try another.",
            "checks": [],
            "overlay": None,
        }
        for error, status in {NotFound(): 404, TooManyRequests(): 429}.items():
            service.inspections.error = error
            answer = caller.post(INSPECT, json={"kind": "ring", "file_id": "f"})
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"file_id": "f"}, "kind"),
        ({"kind": "foot", "file_id": "f"}, "kind"),
        ({"kind": "hand"}, "file_id or file_url"),
        ({"kind": "hand", "file_id": "f", "file_url": "http://e.com"}, "file_id or file_url"),
        ({"kind": "hand", "file_url": "file:///etc/passwd"}, "file_url"),
        ({"kind": "hand", "file_id": "f", "finger": 5}, "finger"),
        ({"kind": "hand", "file_id": "f", "finger": "3"}, "finger"),
        ({"kind": "hand", "file_id": "f", "overlay": "yes"}, "overlay"),
    ],
)
def test_bad_bodies(body: dict[str, Any], field: str) -> None:
    with calling() as caller:
        answer = caller.post(INSPECT, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(field)


@pytest.mark.parametrize("query", ["", "kind=foot", "kind=hand&finger=5", "kind=hand&overlay=x"])
def test_bad_queries(query: str) -> None:
    with calling() as caller:
        answer = caller.post(f"{INSPECT}?{query}", content=b"x", headers=JPEG)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "InvalidParameters")


def test_pictures_may_be_larger_than_json() -> None:
    with calling() as caller:
        picture, too_large = b"x" * MAX_FILE_BYTES, b"x" * (MAX_FILE_BYTES + 1)
        url = f"{INSPECT}?kind=ring"
        assert caller.post(url, content=picture, headers=JPEG).status_code == 200
        assert caller.post(url, content=too_large, headers=JPEG).status_code == 413
        assert caller.post(url, content=picture).status_code == 413
