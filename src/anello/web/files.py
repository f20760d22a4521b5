"""Registering files to upload."""

from __future__ import annotations

from typing import Final

from anello.service.files import Upload
from anello.web.answers import JsonAnswer
from anello.web.auth import Call, Caller
from anello.web.bodies import JsonBody, check, json_object
from anello.web.operations import operation
from anello.web.schemas import (
    FilesAnswer,
    RegisteredFile,
    RegisteredFiles,
    RegisterFiles,
    UploadRequest,
)


def register_files(call: Call, body: JsonBody) -> JsonAnswer:
    """Say which files you are about to upload; the answer has, for each, its `file_id` and the
    request that uploads it: send that as it stands, with the file's bytes.

    A `file_id` is good for hand photos, rings and masks alike.
    """
    wanted = check(RegisterFiles, json_object(body)).files
    uploads = call.services.files.register(
        call.account.id, [entry.to_new_file() for entry in wanted]
    )
    return JsonAnswer(files_answer(call, uploads))


def register_ring_files(call: Call, body: JsonBody) -> JsonAnswer:
    """The same as `/s2s/v2.0/file`, under the name that some clients know."""
    return register_files(call, body)


def files_answer(call: Caller, uploads: list[Upload]) -> FilesAnswer:
    return FilesAnswer(data=RegisteredFiles(files=[_registered(call, one) for one in uploads]))


def _registered(call: Caller, upload: Upload) -> RegisteredFile:
    # Clients look these names up as they are spelled, and refuse a number for a header's value.
    headers = {
        "Content-Type": upload.content_type,
        "Content-Length": str(upload.size_bytes),
    }
    url = call.signed_url(f"/uploads/{upload.file_id}", call.services.settings_web.upload_url_ttl_s)
    return RegisteredFile(
        content_type=upload.content_type,
        file_name=upload.file_name,
        file_id=upload.file_id,
        requests=[UploadRequest(url=url, headers=headers)],
    )


EXAMPLES: Final = {
    "hand and ring": {
        "files": [
            {"content_type": "image/jpg", "file_name": "hand.jpg", "file_size": 512034},
            {"content_type": "image/png", "file_name": "ring.png", "file_size": 87210},
        ]
    }
}

ROUTES: Final = [
    operation(
        "POST",
        path,
        endpoint,
        tag="Files",
        body=RegisterFiles,
        answer=FilesAnswer,
        examples=EXAMPLES,
    )
    for path, endpoint in {
        "/s2s/v2.0/file": register_files,
        "/s2s/v2.0/file/2d-vto/ring": register_ring_files,
    }.items()
]
