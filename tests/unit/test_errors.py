"""The error tree: codes as on the wire, its branches, and what survives a pickle."""

from __future__ import annotations

import pickle

import pytest

from anello import errors
from anello.errors import (
    AnelloError,
    InputError,
    InputMainImageEmpty,
    InvalidParameter,
    PictureError,
    RequestError,
    RuntimeFailure,
)

CODES = {
    "InputError": "INPUT_ERROR",
    "InputMainImageEmpty": "INPUT_MAIN_IMAGE_EMPTY",
    "ExceedMaxFilesize": "exceed_max_filesize",
    "ExceedMaxImageSize": "error_exceed_max_image_size",
    "DecodeMask": "error_decode_mask",
    "PhotoDetectionFail": "PHOTO_DETECTION_FAIL",
    "PhotoCheckInvalid": "PHOTO_CHECK_INVALID",
    "ObjectDetectionFail": "OBJECT_DETECTION_FAIL",
    "DownloadImage": "error_download_image",
    "DownloadMask": "error_download_mask",
    "InvalidParameter": "invalid_parameter",
    "InvalidParameters": "InvalidParameters",
    "BadRequest": "BadRequest",
    "InvalidApiKey": "InvalidApiKey",
    "InactiveApiKey": "InactiveApiKey",
    "ExpiredApiKey": "ExpiredApiKey",
    "InvalidAccessToken": "InvalidAccessToken",
    "CreditInsufficiency": "CreditInsufficiency",
    "InvalidTaskId": "InvalidTaskId",
    "OperationInvalid": "OperationInvalid",
    "OperationNotSupport": "OperationNotSupport",
    "NotFound": "NotFound",
    "Conflict": "Conflict",
    "Forbidden": "Forbidden",
    "PayloadTooLarge": "PayloadTooLarge",
    "TooManyRequests": "TooManyRequests",
    "QueueFull": "TooManyRequests",
    "RuntimeFailure": "RUNTIME_ERROR",
    "ModelsUnavailable": "RUNTIME_ERROR",
    "StoreUnavailable": "error_upload",
    "WorkerDied": "RUNTIME_ERROR",
    "TaskTimeout": "TaskTimeout",
    "Cancelled": "cancelled",
}
BRANCHES = {AnelloError, PictureError, RequestError}


def subclasses(kind: type[AnelloError]) -> set[type[AnelloError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_codes_are_the_wires() -> None:
    leaves = {
        kind for kind in subclasses(AnelloError) - BRANCHES if kind.__module__ == errors.__name__
    }
    assert {kind.__name__: kind.code for kind in leaves} == CODES


@pytest.mark.parametrize("name", CODES)
def test_every_leaf_is_in_one_branch_and_in_the_drawing(name: str) -> None:
    kind = getattr(errors, name)
    branches = [b for b in (PictureError, RequestError, RuntimeFailure) if issubclass(kind, b)]
    assert len(branches) == 1
    assert any(line.split()[1:3] == [name, kind.code] for line in _drawn()), name


def _drawn() -> list[str]:
    lines = (errors.__doc__ or "").splitlines()
    return [line.replace("│", "").strip() for line in lines if "──" in line]


def test_messages_the_wire_wants() -> None:
    said = {kind.code: kind().message for kind in (InputError, InputMainImageEmpty)}
    assert said == {
        "INPUT_ERROR": "Input file format is incorrect",
        "INPUT_MAIN_IMAGE_EMPTY": "User image is required",
    }
    assert errors.PhotoDetectionFail().message == "No hand detected"
    assert errors.PhotoCheckInvalid().message == "Hand pose should be correct"
    assert errors.ObjectDetectionFail().message == "No ring detected"
    assert RuntimeFailure().message == "Unexpected error"


@pytest.mark.parametrize("name", CODES)
def test_message_and_remedy_survive_a_worker_process(name: str) -> None:
    error = getattr(errors, name)("what happened", remedy="what helps")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), back.message, back.remedy) == ("what happened",) * 2 + ("what helps",)


def test_invalid_parameter_names_its_field() -> None:
    error = pickle.loads(pickle.dumps(InvalidParameter("shadow is 2", field="shadow")))
    assert (error.field, error.message, error.remedy) == ("shadow", "shadow is 2", None)
    assert InvalidParameter().field is None
