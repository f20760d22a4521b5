"""Downloading: R2 and D1 of the contract, ranges and HEAD."""

from __future__ import annotations

from pathlib import Path

import pytest
from web_double import Caller, calling, picture, signed

DATA = bytes(range(256)) * 1000


def stored(caller: Caller, folder: Path) -> str:
    results = caller.service.tasks.results
    results["t1", "picture"] = picture(folder, "p", DATA, "image/jpeg")
    results["t1", "mask"] = picture(folder, "m", DATA[:500], "image/png")
    return signed(caller, "/results/t1/picture")


def test_picture_and_mask(tmp_path: Path) -> None:
    with calling() as caller:
        answer = caller.get(stored(caller, tmp_path), key=None)
        assert (answer.status_code, answer.content) == (200, DATA)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-length"] == str(len(DATA))
        assert answer.headers["content-disposition"] == 'inline; filename="anello-picture.jpg"'
        assert answer.headers["cache-control"] == "private"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["access-control-allow-origin"] == "*"
        mask = caller.get(signed(caller, "/results/t1/mask"), key=None)
        assert (mask.content, mask.headers["content-type"]) == (DATA[:500], "image/png")
        assert caller.service.accounts.asked == 0


def test_head(tmp_path: Path) -> None:
    with calling() as caller:
        answer = caller.request("HEAD", stored(caller, tmp_path))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=255990-", 206, DATA[-10:]),
        ("bytes=-10", 206, DATA[-10:]),
        ("bytes=0-999999", 206, DATA),
        ("bytes=999999-", 416, b""),
    ],
)
def test_ranges(tmp_path: Path, wanted: str, status: int, content: bytes) -> None:
    with calling() as caller:
        answer = caller.get(stored(caller, tmp_path), headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, content)
    assert str(len(DATA)) in answer.headers["content-range"]


@pytest.mark.parametrize("odd", ["bytes", "pages=1-2", "bytes=a-b", "bytes=9-1", "bytes=²-", "="])
def test_odd_ranges_are_no_failure_of_ours(tmp_path: Path, odd: str) -> None:
    with calling() as caller:
        answer = caller.get(stored(caller, tmp_path), headers={"Range": odd.encode()})
    assert answer.status_code in (200, 400, 416)


def test_a_signature_is_for_one_picture(tmp_path: Path) -> None:
    with calling() as caller:
        url = stored(caller, tmp_path)
        path, _, query = url.partition("?")
        expired = signed(caller, path, ttl_s=-1)
        for address in (path, url[:-1], "/results/t1/mask?" + query, expired):
            answer = caller.get(address)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "Forbidden")
        assert caller.get("/results/t1/else").status_code == 400


def test_what_is_gone_is_not_found(tmp_path: Path) -> None:
    with calling() as caller:
        url = stored(caller, tmp_path)
        (tmp_path / "p").unlink()
        assert caller.get(url).status_code == 404
        caller.service.tasks.results.clear()
        answer = caller.get(url)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "NotFound")


def test_other_methods(tmp_path: Path) -> None:
    with calling() as caller:
        answer = caller.post(stored(caller, tmp_path))
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
