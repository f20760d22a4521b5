"""Webhook messages, their signatures and when they are tried again: the wire, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from anello.adapters.http_out import Answer
from anello.errors import InvalidParameter
from anello.service import webhooks
from anello.service.webhooks import DELAYS_S, JITTER, _delay_s, _message, _signing_key

NO_ANSWER = Answer(None, "timed out", None, 15_000.0)


def test_the_message_is_as_the_wire_shows_it() -> None:
    message_id, body = _message("tAb-_9", "success", 1_790_000_000.987)
    assert message_id == "msg_tAb-_9:1790000000"
    assert body == ('{"created_at":1790000000,"data":{"task_id":"tAb-_9","task_status":"success"}}')
    assert '"task_status":"error"' in _message("t", "error", 1.0)[1]


def test_the_vector_of_the_contract() -> None:
    signed = Webhook(_signing_key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1_614_265_330, UTC),
        '{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("size", [1, 23, 24, 25, 29, 32, 64])
def test_secrets_are_read_padded_or_not_with_their_prefix_or_without(size: int) -> None:
    key = bytes(range(100, 100 + size))
    padded = base64.b64encode(key).decode()
    for encoded in {padded, padded.rstrip("=")}:
        assert _signing_key(encoded) == key
        assert _signing_key(f"whsec_{encoded}") == key


def test_the_vendor_s_kind_of_secret() -> None:
    """Unpadded base64 of a text of 29 bytes, ``number:number``."""
    text = b"12345678901234:98765432109876"
    unpadded = base64.b64encode(text).decode().rstrip("=")
    assert len(text) == 29
    assert len(unpadded) % 4
    key = _signing_key(f"whsec_{unpadded}")
    assert key == text
    expected = base64.b64encode(hmac.digest(text, b"m.1000000000.{}", hashlib.sha256)).decode()
    now = datetime.fromtimestamp(1_000_000_000, UTC)
    assert Webhook(key).sign("m", now, "{}") == f"v1,{expected}"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä", "whsec_a", "whsec_a b=", "whsec_***"])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(InvalidParameter, match="secret") as refused:
        _signing_key(secret)
    assert refused.value.field == "secret"


@given(st.text())
def test_any_secret_is_read_or_refused(secret: str) -> None:
    try:
        assert _signing_key(secret)
    except InvalidParameter:
        return


def test_the_ladder_is_the_one_of_the_contract() -> None:
    minute, hour = 60, 3600
    assert (
        *(5, 5 * minute, 30 * minute, 2 * hour, 5 * hour),
        *(10 * hour, 14 * hour, 20 * hour, 24 * hour),
    ) == DELAYS_S


@pytest.mark.parametrize("tries", range(1, len(DELAYS_S) + 1))
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0 - 2**-53])
def test_each_delay_has_its_jitter_and_no_more(
    tries: int, chance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks.random, "random", lambda: chance)
    delay = DELAYS_S[tries - 1]
    assert _delay_s(tries, NO_ANSWER) == pytest.approx(delay * (1 + JITTER * chance))
    assert 0 < JITTER <= 0.25


def test_delays_differ() -> None:
    assert len({_delay_s(3, NO_ANSWER) for _ in range(50)}) > 40


@given(st.integers(1, len(DELAYS_S)), st.floats(0, 86_400))
def test_a_receiver_s_own_wish_is_honoured(tries: int, retry_after_s: float) -> None:
    least = max(DELAYS_S[tries - 1], retry_after_s)
    delay = _delay_s(tries, Answer(503, None, retry_after_s, 1.0))
    assert least <= delay <= least * (1 + JITTER)
