"""Registering files: F1 to F5 and F9 of the contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from web_double import calling

from anello.codec import MAX_FILE_BYTES

PATHS = ["/s2s/v2.0/file", "/s2s/v2.0/file/2d-vto/ring"]


def entry(**changes: Any) -> dict[str, Any]:
    values = {"content_type": "image/jpg", "file_name": "hand.jpg", "file_size": 50000} | changes
    return {name: value for name, value in values.items() if value is not ...}


@pytest.mark.parametrize("path", PATHS)
def test_the_answer_is_as_the_contract_has_it(path: str) -> None:
    with calling() as caller:
        answer = caller.post(path, json={"files": [entry()], "extra": 1})
    assert answer.status_code == 200
    said = answer.json()
    url = said["data"]["files"][0]["requests"][0].pop("url")
    assert said == {
        "status": 200,
        "data": {
            "files": [
                {
                    "content_type": "image/jpg",
                    "file_name": "hand.jpg",
                    "file_id": "f0",
                    "requests": [
                        {
                            "method": "PUT",
                            "headers": {"Content-Type": "image/jpg", "Content-Length": "50000"},
                        }
                    ],
                }
            ]
        },
    }
    assert url.startswith("https://rings.example/uploads/f0?expires=")


def test_as_many_as_are_sent_in_their_order() -> None:
    entries = [entry(file_name=f"{n}.png", file_size=n + 1) for n in range(20)]
    with calling() as caller:
        files = caller.post(PATHS[0], json={"files": entries}).json()["data"]["files"]
        assert [one["file_name"] for one in files] == [one["file_name"] for one in entries]
        assert len({one["file_id"] for one in files}) == 20
        assert len({one["requests"][0]["url"] for one in files}) == 20
        answer = caller.post(PATHS[0], json={"files": [entry()] * 21})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "content_type",
    ["image/jpg", "image/jpeg", "image/png", "IMAGE/JPEG", "Image/Png", "image/webp", "image/heic"],
)
def test_image_types_are_echoed(content_type: str) -> None:
    with calling() as caller:
        body = {"files": [entry(content_type=content_type)]}
        file = caller.post(PATHS[0], json=body).json()["data"]["files"][0]
    assert file["content_type"] == content_type
    assert file["requests"][0]["headers"]["Content-Type"] == content_type


@pytest.mark.parametrize("name", ["手.jpg", "no ending", "../../etc/passwd", " ", "a\nb", "🤚"])
def test_names_are_only_echoed(name: str) -> None:
    with calling() as caller:
        answer = caller.post(PATHS[0], json={"files": [entry(file_name=name)]})
    assert answer.json()["data"]["files"][0]["file_name"] == name


def test_sizes() -> None:
    with calling() as caller:
        for size in (1, 1.0, MAX_FILE_BYTES - 1):
            answer = caller.post(PATHS[0], json={"files": [entry(file_size=size)]})
            headers = answer.json()["data"]["files"][0]["requests"][0]["headers"]
            assert headers["Content-Length"] == str(int(size))


@pytest.mark.parametrize(
    ("files", "field"),
    [
        (None, "files"),
        ([], "files"),
        ({}, "files"),
        ("x", "files"),
        ([None], "files[0]"),
        (["x"], "files[0]"),
        ([entry(), entry(file_size=0)], "files[1].file_size"),
        *(
            ([entry(file_size=size)], "files[0].file_size")
            for size in (..., None, 0, -1, MAX_FILE_BYTES, 1.5, "5", True, 1e30, 10**400, [])
        ),
        *(
            ([entry(content_type=value)], "files[0].content_type")
            for value in (
                *(..., None, "", "text/plain", "image", "image/", "video/mp4", 1, " image/png"),
                *("image/png\r\nX: y", "image/pñg", "image/" + "x" * 300),
            )
        ),
        *(
            ([entry(file_name=value)], "files[0].file_name")
            for value in (..., None, "", 1, [], "a\0b", "x" * 1025)
        ),
    ],
)
def test_bad_entries_name_their_field(files: Any, field: str) -> None:
    with calling() as caller:
        answer = caller.post(PATHS[0], content=json.dumps({"files": files}))
        assert answer.status_code == 400
        said = answer.json()
        assert said["error_code"] == "InvalidParameters"
        assert said["error"].startswith(field + ":"), said
        assert caller.service.files.wanted == []
        assert caller.post(PATHS[0], json={}).json()["error"].startswith("files:")
