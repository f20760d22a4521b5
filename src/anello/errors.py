"""What can go wrong that a caller can act on.

::

    AnelloError
    ├── PictureError                a picture is not what is needed
    │   ├── InputError              INPUT_ERROR                  not a whole JPEG or PNG
    │   │   └── InputMainImageEmpty INPUT_MAIN_IMAGE_EMPTY       no hand photo at all
    │   ├── DownloadImage           error_download_image         a picture's address gives none
    │   ├── DownloadMask            error_download_mask          a mask's address gives none
    │   ├── ExceedMaxFilesize       exceed_max_filesize          10 MiB or more
    │   ├── ExceedMaxImageSize      error_exceed_max_image_size  long side over 4096 px
    │   ├── DecodeMask              error_decode_mask            mask unreadable or all black
    │   ├── PhotoDetectionFail      PHOTO_DETECTION_FAIL         no hand found
    │   ├── PhotoCheckInvalid       PHOTO_CHECK_INVALID          a hand, but not posed as needed
    │   └── ObjectDetectionFail     OBJECT_DETECTION_FAIL        no ring found
    ├── RequestError                what is asked for is not possible
    │   ├── InvalidParameter        invalid_parameter            a value of an option
    │   ├── InvalidParameters       InvalidParameters            a field of a request to the service
    │   │   └── BadRequest          BadRequest                   one that nobody knows
    │   ├── InvalidApiKey           InvalidApiKey                unknown, or none
    │   │   ├── InactiveApiKey      InactiveApiKey               disabled
    │   │   ├── ExpiredApiKey       ExpiredApiKey                past its time
    │   │   └── InvalidAccessToken  InvalidAccessToken           the same, as old paths say it
    │   ├── Forbidden               Forbidden                    a signed address forged or expired
    │   ├── NotFound                NotFound                     not there, or not any more
    │   ├── Conflict                Conflict                     not with what was said before
    │   ├── PayloadTooLarge         PayloadTooLarge              more bytes than are taken
    │   ├── CreditInsufficiency     CreditInsufficiency          too few units
    │   ├── InvalidTaskId           InvalidTaskId                no such task of this account
    │   ├── OperationInvalid        OperationInvalid             not in the task's state
    │   ├── OperationNotSupport     OperationNotSupport          not with an id of this kind
    │   └── TooManyRequests         TooManyRequests              too often; says when again
    │       └── QueueFull           TooManyRequests              too many tasks wait already
    └── RuntimeFailure              RUNTIME_ERROR                not the caller's doing
        ├── ModelsUnavailable       RUNTIME_ERROR                the networks are not here
        ├── StoreUnavailable        error_upload                 a file can't be stored or read
        ├── WorkerDied              RUNTIME_ERROR                the drawing process ended
        ├── TaskTimeout             TaskTimeout                  a task took longer than allowed
        └── Cancelled               cancelled                    a task ended by its own client

``code`` is what the API reports, ``message`` what happened, ``remedy`` what would help.
"""

from __future__ import annotations

from typing import ClassVar


class AnelloError(Exception):
    """Base of all errors that anello raises on purpose."""

    code: ClassVar[str] = "RUNTIME_ERROR"
    default_message: ClassVar[str] = "Unexpected error"

    def __init__(self, message: str | None = None, *, remedy: str | None = None) -> None:
        self.message = message or self.default_message
        self.remedy = remedy
        super().__init__(self.message)


class PictureError(AnelloError):
    """A picture is not what is needed."""


class InputError(PictureError):
    """The file can't be read, or is not a whole, still JPEG or PNG."""

    code = "INPUT_ERROR"
    default_message = "Input file format is incorrect"


class InputMainImageEmpty(InputError):
    """The hand photo has no bytes."""

    code = "INPUT_MAIN_IMAGE_EMPTY"
    default_message = "User image is required"


class DownloadImage(PictureError):
    """A picture can't be fetched from the address given."""

    code = "error_download_image"
    default_message = "The image could not be downloaded"


class DownloadMask(PictureError):
    """A mask can't be fetched from the address given."""

    code = "error_download_mask"
    default_message = "The mask could not be downloaded"


class ExceedMaxFilesize(PictureError):
    """The file has 10 MiB or more."""

    code = "exceed_max_filesize"
    default_message = "The file must be smaller than 10 MB"


class ExceedMaxImageSize(PictureError):
    """The picture's long side is over the limit."""

    code = "error_exceed_max_image_size"
    default_message = "The long side of the picture must not exceed 4096 pixels"


class DecodeMask(PictureError):
    """The mask can't be read, or selects nothing."""

    code = "error_decode_mask"
    default_message = "The mask cannot be decoded or is empty"


class PhotoDetectionFail(PictureError):
    """No hand was found in the hand photo."""

    code = "PHOTO_DETECTION_FAIL"
    default_message = "No hand detected"


class PhotoCheckInvalid(PictureError):
    """There is a hand, but its pose or size would spoil the picture."""

    code = "PHOTO_CHECK_INVALID"
    default_message = "Hand pose should be correct"


class ObjectDetectionFail(PictureError):
    """No ring was found in the product photo."""

    code = "OBJECT_DETECTION_FAIL"
    default_message = "No ring detected"


class RequestError(AnelloError):
    """What was asked for is not possible."""


class InvalidParameter(RequestError):
    """A parameter has a wrong type or is out of range; ``field`` names it."""

    code = "invalid_parameter"
    default_message = "A parameter is invalid"

    def __init__(
        self, message: str | None = None, *, field: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.field = field


class InvalidParameters(RequestError):
    """A field of a request to the service has a wrong type or value, or is missing."""

    code = "InvalidParameters"
    default_message = "Invalid parameter value"


class BadRequest(InvalidParameters):
    """A request has a parameter that nobody knows (strict mode only)."""

    code = "BadRequest"
    default_message = "Unexpected parameter"


class InvalidApiKey(RequestError):
    """The API key is missing, malformed or unknown."""

    code = "InvalidApiKey"
    default_message = "This API key is not recognized."


class InactiveApiKey(InvalidApiKey):
    """The API key was disabled."""

    code = "InactiveApiKey"
    default_message = "This API key is disabled."


class ExpiredApiKey(InvalidApiKey):
    """The API key's time is over."""

    code = "ExpiredApiKey"
    default_message = "This API key has expired."


class InvalidAccessToken(InvalidApiKey):
    """The API key is not accepted; as paths of version 1 say it."""

    code = "InvalidAccessToken"
    default_message = "Unauthorized"


class Forbidden(RequestError):
    """The signature of an upload's or a result's address is wrong, or its time is over."""

    code = "Forbidden"
    default_message = "This address is not valid, or not any more"


class NotFound(RequestError):
    """What is asked for is not there, or not any more."""

    code = "NotFound"
    default_message = "Not found"


class Conflict(RequestError):
    """What is asked for contradicts what was asked for before."""

    code = "Conflict"
    default_message = "This contradicts an earlier request"


class PayloadTooLarge(RequestError):
    """The request has more bytes than are taken."""

    code = "PayloadTooLarge"
    default_message = "The request is too large"


class CreditInsufficiency(RequestError):
    """The account has fewer units than the task costs."""

    code = "CreditInsufficiency"
    default_message = "Not enough units for this task"


class InvalidTaskId(RequestError):
    """No task of this account has this id: it is malformed, foreign, deleted or expired."""

    code = "InvalidTaskId"
    default_message = "Invalid task ID"


class OperationInvalid(RequestError):
    """The task is not in a state in which this can be done."""

    code = "OperationInvalid"
    default_message = "The operation is not possible in the task's state"


class OperationNotSupport(RequestError):
    """The id is of another kind than the operation is for."""

    code = "OperationNotSupport"
    default_message = "The operation is not for an id of this kind"


class TooManyRequests(RequestError):
    """Too many requests in too little time; ``retry_after_s`` says when to come again."""

    code = "TooManyRequests"
    default_message = "Too many requests"

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_s: float = 1.0,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class QueueFull(TooManyRequests):
    """Too many tasks are waiting already; nothing was created."""

    default_message = "Too many requests: the queue is full"


class RuntimeFailure(AnelloError):
    """Something failed that is not the caller's doing."""


class ModelsUnavailable(RuntimeFailure):
    """The networks' weights are not in the cache folder and could not be fetched."""

    default_message = "The hand networks are not available"


class StoreUnavailable(RuntimeFailure):
    """A file can't be stored or read at the moment: a full disk, a bucket out of reach."""

    code = "error_upload"
    default_message = "The file could not be stored"


class WorkerDied(RuntimeFailure):
    """The process that drew the picture ended before it was done."""


class TaskTimeout(RuntimeFailure):
    """The task took longer than the server allows."""

    code = "TaskTimeout"
    default_message = "Task execution timed out"


class Cancelled(RuntimeFailure):
    """The task was cancelled by its own client."""

    code = "cancelled"
    default_message = "The task was cancelled"
