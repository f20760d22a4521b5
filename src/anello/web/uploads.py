"""Taking the bytes of a registered file."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from anello.codec import MAX_FILE_BYTES
from anello.errors import (
    Conflict,
    Forbidden,
    InvalidParameters,
    NotFound,
    PayloadTooLarge,
    StoreUnavailable,
)
from anello.web.bodies import chunks
from anello.web.operations import public_operation
from anello.web.services import Services

MEMORY_BYTES: Final = 1024 * 1024
"""What is larger waits on disk."""


async def upload_file(
    request: Request, file_id: str, expires: str | None = None, signature: str | None = None
) -> Response:
    """The address comes from registering the file. Needs no key; any Content-Type is taken.

    The body must be as long as was declared. Uploading again takes the place of what was there,
    until a task uses the file.
    """
    services: Services = request.app.state.services
    services.links.check(f"/uploads/{file_id}", expires, signature)
    try:
        await _take(request, services, file_id)
    except OSError as error:  # nowhere to put the bytes: a full disk
        raise StoreUnavailable() from error
    return Response()


async def _take(request: Request, services: Services, file_id: str) -> None:
    with SpooledTemporaryFile(MEMORY_BYTES) as spool:
        size_bytes = await _spool(request, UploadFile(cast(BinaryIO, spool)))
        await run_in_threadpool(services.files.accept, file_id, cast(BinaryIO, spool), size_bytes)


async def _spool(request: Request, spool: UploadFile) -> int:
    """Receive the body; how long it is."""
    size_bytes = 0
    async for chunk in chunks(request, MAX_FILE_BYTES):
        await spool.write(chunk)
        size_bytes += len(chunk)
    await spool.seek(0)
    return size_bytes


ROUTES: Final = [
    public_operation(
        "PUT",
        "/uploads/{file_id}",
        upload_file,
        tag="Files",
        response_class=Response,
        response_description="Taken. The body is empty.",
        fails=[
            InvalidParameters,
            Forbidden,
            NotFound,
            Conflict,
            PayloadTooLarge,
            StoreUnavailable,
        ],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
]
