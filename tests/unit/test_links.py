"""Addresses that prove themselves: only the very path that was signed, and only for its time."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.errors import Forbidden
from anello.service import links
from anello.service.links import Links

PATH = "/results/t123.jpg"
LINKS = Links("secret of the tests")


def signed(path: str = PATH, ttl_s: float = 60.0, by: Links = LINKS) -> tuple[str, str]:
    """``expires`` and ``signature``, as a client gives them back."""
    query = parse_qs(by.sign(path, ttl_s), strict_parsing=True)
    assert query.keys() == {"expires", "signature"}
    return query["expires"][0], query["signature"][0]


class Clock:
    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(links, "time", made)
    return made


def test_what_was_signed_is_let_in() -> None:
    LINKS.check(PATH, *signed())


def test_another_server_with_the_same_secret_lets_it_in() -> None:
    Links("secret of the tests").check(PATH, *signed())


def test_the_query_needs_no_quoting() -> None:
    assert re.fullmatch(r"expires=\d+\.\d{3}&signature=[A-Za-z0-9_-]{43}", LINKS.sign(PATH, 9.5))


def test_it_is_good_for_its_time_and_no_longer(clock: Clock) -> None:
    expires, signature = signed(ttl_s=7200)
    assert float(expires) == clock.now + 7200
    clock.now += 7199.9
    LINKS.check(PATH, expires, signature)
    clock.now += 0.1
    with pytest.raises(Forbidden, match="expired") as refused:
        LINKS.check(PATH, expires, signature)
    assert refused.value.remedy


def test_its_time_cannot_be_drawn_out(clock: Clock) -> None:
    expires, signature = signed(ttl_s=1)
    clock.now += 2
    for later in (f"{clock.now + 60:.3f}", expires.replace(".", "9."), f"{expires}0", "inf", "nan"):
        with pytest.raises(Forbidden, match="not signed"):
            LINKS.check(PATH, later, signature)


@pytest.mark.parametrize(
    "path", ["/results/t124.jpg", "/results/t123", "/results/t123.jpg/", "/uploads/t123.jpg", ""]
)
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(Forbidden, match="not signed"):
        LINKS.check(path, *signed())


def test_another_secret_is_refused() -> None:
    with pytest.raises(Forbidden, match="not signed"):
        LINKS.check(PATH, *signed(by=Links("secret of somebody else")))


def test_parts_cannot_be_moved_between_path_and_time() -> None:
    expires, signature = signed("/a/b")
    with pytest.raises(Forbidden):
        LINKS.check("/b", f"{expires}\n/a", signature)
    with pytest.raises(Forbidden):
        LINKS.check(f"{expires}\n/a/b", "", signature)


def test_no_character_of_the_signature_can_be_changed() -> None:
    expires, signature = signed()
    for at, character in enumerate(signature):
        other = "A" if character != "A" else "B"
        forged = signature[:at] + other + signature[at + 1 :]
        if at == len(signature) - 1:  # its lowest bits carry nothing
            other = "A" if character not in "ABCD" else "Z"
            forged = signature[:at] + other
        with pytest.raises(Forbidden, match="not signed"):
            LINKS.check(PATH, expires, forged)
    for forged in (signature[:-1], signature + "A", signature.upper(), signature.lower()):
        with pytest.raises(Forbidden, match="not signed"):
            LINKS.check(PATH, expires, forged)


@pytest.mark.parametrize("expires", [None, "", "0"])
@pytest.mark.parametrize("signature", [None, "", "None"])
def test_nothing_is_refused(expires: str | None, signature: str | None) -> None:
    with pytest.raises(Forbidden):
        LINKS.check(PATH, expires, signature)


@given(st.none() | st.text(), st.none() | st.text(), st.text())
def test_whatever_else_is_given_is_refused(
    expires: str | None, signature: str | None, path: str
) -> None:
    with pytest.raises(Forbidden):
        LINKS.check(path, expires, signature)


def test_half_a_character_is_refused() -> None:
    lone = "\udc80"  # how a byte that is no UTF-8 arrives
    expires, signature = signed()
    for parts in ((lone, expires, signature), (PATH, lone, signature), (PATH, expires, lone)):
        with pytest.raises(Forbidden):
            LINKS.check(*parts)
