"""Will this picture do, and if not, why: free, and at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query, Request

from anello.codec import MAX_FILE_BYTES
from anello.errors import (
    InvalidParameters,
    NotFound,
    PayloadTooLarge,
    PictureError,
    StoreUnavailable,
)
from anello.options import Finger
from anello.service.requests import Reference
from anello.web.answers import JsonAnswer
from anello.web.auth import Call, Caller
from anello.web.bodies import MAX_JSON_BYTES, check, chunks, json_object
from anello.web.operations import json_body, operation
from anello.web.schemas import Inspect, Inspection, InspectionAnswer


async def read_picture(request: Request, call: Call) -> bytes:
    limit = MAX_FILE_BYTES if _is_image(request) else MAX_JSON_BYTES
    return b"".join([chunk async for chunk in chunks(request, limit)])


def inspect_picture(
    call: Call,
    body: Annotated[bytes, Depends(read_picture)],
    kind: Annotated[
        Literal["hand", "ring"] | None, Query(description="Of a picture sent as it is.")
    ] = None,
    finger: Annotated[int | None, Query(ge=0, le=4)] = None,
    overlay: Annotated[bool, Query()] = False,
) -> JsonAnswer:
    """Look at a hand photo or a ring's product photo, as a task would. Costs nothing.

    Send either JSON that says where the picture is (`file_id` or `file_url`), or the picture
    itself, with its `Content-Type` and the other fields in the query. A picture that would be
    refused is an answer like any other, with `accepted` false, the reason, and what would help.
    """
    if _is_image(call.request):
        wanted = {"kind": kind, "finger": finger, "overlay": overlay}
        return _inspect(call, check(Inspect, wanted), body)
    inspect = check(Inspect, json_object(body))
    return _inspect(call, inspect, _source(inspect))


def _inspect(call: Caller, inspect: Inspect, source: bytes | Reference) -> JsonAnswer:
    try:
        seen = _look(call, inspect, source)
    except PictureError as error:  # a picture that can't even be had
        seen = {
            "accepted": False,
            "code": error.code,
            "message": error.message,
            "remedy": error.remedy,
        }
    return JsonAnswer(InspectionAnswer(data=_inspection(seen)))


def _look(call: Caller, inspect: Inspect, source: bytes | Reference) -> Mapping[str, Any]:
    inspections, account_id = call.services.inspections, call.account.id
    if inspect.kind == "ring":
        return inspections.ring(source, account_id, inspect.overlay)
    finger = None if inspect.finger is None else Finger(inspect.finger)
    return inspections.hand(source, account_id, finger, inspect.overlay)


def _source(inspect: Inspect) -> Reference:
    given = [
        *([Reference("url", inspect.file_url)] if inspect.file_url else []),
        *([Reference("id", inspect.file_id)] if inspect.file_id else []),
    ]
    if len(given) != 1:
        raise InvalidParameters("file_id or file_url: one of them, and only one, is needed")
    return given[0]


def _inspection(seen: Mapping[str, Any]) -> Inspection:
    overlay = seen.get("overlay")
    shown = overlay and "data:image/jpeg;base64," + b64encode(overlay).decode()
    return Inspection.model_validate({**seen, "overlay": shown})


def _is_image(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("image/")


EXAMPLES: Final = {
    "an uploaded hand": {"kind": "hand", "file_id": "f3X…", "finger": 3, "overlay": True},
    "a ring by url": {"kind": "ring", "file_url": "https://example.com/ring.jpg"},
}
BODY: Final = json_body(Inspect, EXAMPLES)
BODY["content"]["image/*"] = {"schema": {"type": "string", "format": "binary"}}

ROUTES: Final = [
    operation(
        "POST",
        "/v1/inspect",
        inspect_picture,
        tag="Beyond",
        answer=InspectionAnswer,
        fails=[NotFound, PayloadTooLarge, StoreUnavailable],
        openapi_extra={"requestBody": BODY},
    )
]
