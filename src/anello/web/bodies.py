"""The bytes of a request, read under limits, and the values in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final, TypeVar

import anyio
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from anello.errors import InvalidParameters, PayloadTooLarge
from anello.web.auth import Call
from anello.web.problems import invalid_parameters

MAX_JSON_BYTES: Final = 1024 * 1024
DRAIN_BYTES: Final = 32 * 1024 * 1024
"""So much of a body that is too large is still read, for the client to hear why."""
CHUNK_TIMEOUT_S: Final = 30.0
UTF8_MARK: Final = b"\xef\xbb\xbf"

Model = TypeVar("Model", bound=BaseModel)


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises PayloadTooLarge, most of the rest read and thrown away.

    A body that is larger still, or waits for a go-ahead, is not read: the connection is closed.
    """
    declared = declared_length(request)
    too_large = declared > limit
    if declared > limit + DRAIN_BYTES or (too_large and "expect" in request.headers):
        raise _too_large(request, limit, close=True)
    received, more = 0, True
    while more:
        chunk, more = await _receive(request)
        received += len(chunk)
        too_large |= received > limit
        if received > limit + DRAIN_BYTES:
            raise _too_large(request, limit, close=True)
        if not too_large:
            yield chunk
    if too_large:
        raise _too_large(request, limit, close=False)


def declared_length(request: Request) -> int:
    """0 where none is declared."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


async def read_json(request: Request, call: Call) -> bytes:
    """The body of a call, once its key is known to be good."""
    return b"".join([chunk async for chunk in chunks(request, MAX_JSON_BYTES)])


JsonBody = Annotated[bytes, Depends(read_json)]
"""Bytes that should be JSON, whatever their Content-Type says."""


def json_object(body: bytes) -> dict[str, Any]:
    """Raises InvalidParameters for anything but one JSON object."""
    try:
        value = from_json(body.removeprefix(UTF8_MARK), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidParameters(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidParameters("The body must be a JSON object")
    return value


def check(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Raises InvalidParameters naming the first field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_parameters(error.errors(include_url=False, include_input=False)) from None


async def _receive(request: Request) -> tuple[bytes, bool]:
    try:
        with anyio.fail_after(CHUNK_TIMEOUT_S):
            message = await request.receive()
    except TimeoutError:
        request.state.close = True
        raise HTTPException(408) from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect()
    return message.get("body", b""), message.get("more_body", False)


def _too_large(request: Request, limit: int, *, close: bool) -> PayloadTooLarge:
    request.state.close = close
    return PayloadTooLarge(f"The request is too large: at most {limit} bytes are taken")
