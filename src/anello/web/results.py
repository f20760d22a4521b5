"""Handing out pictures."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from fastapi import Request
from starlette.responses import FileResponse

from anello.errors import Forbidden, InvalidParameters, NotFound, StoreUnavailable
from anello.web.operations import also_head, public_operation
from anello.web.services import Services

ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png"}


def get_result(
    request: Request,
    task_id: str,
    what: Literal["picture", "mask"],
    expires: str | None = None,
    signature: str | None = None,
) -> FileResponse:
    """The address comes from polling the task. Needs no key; answers HEAD and ranges, too."""
    services: Services = request.app.state.services
    services.links.check(f"/results/{task_id}/{what}", expires, signature)
    result = services.tasks.result(task_id, what)
    try:
        stat_result = os.stat(result.path)
    except FileNotFoundError as error:
        raise NotFound("There is no such result, or it was deleted") from error
    return FileResponse(
        result.path,
        headers={"Cache-Control": "private"},
        media_type=result.media_type,
        filename=f"anello-{what}.{ENDINGS[result.media_type]}",
        stat_result=stat_result,
        content_disposition_type="inline",
    )


PICTURE: Final[dict[str, Any]] = {
    media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in ENDINGS
}
NOTE: Final = {"text/plain": {"schema": {"type": "string"}}}

ROUTES: Final = also_head(
    public_operation(
        "GET",
        "/results/{task_id}/{what}",
        get_result,
        tag="Tasks",
        response_class=FileResponse,
        fails=[InvalidParameters, Forbidden, NotFound, StoreUnavailable],
        responses={
            200: {"description": "The picture", "content": PICTURE},
            206: {"description": "The part of it that was asked for", "content": PICTURE},
            416: {"description": "It has no such part", "content": NOTE},
        },
    )
)
