"""What can go wrong that a caller can act on.

::

    AnelloError
    ├── PictureError                a picture is not what is needed
    │   ├── InputError              INPUT_ERROR                  not a whole JPEG or PNG
    │   │   └── InputMainImageEmpty INPUT_MAIN_IMAGE_EMPTY       no hand photo at all
    │   ├── ExceedMaxFilesize       exceed_max_filesize          10 MiB or more
    │   ├── ExceedMaxImageSize      error_exceed_max_image_size  long side over 4096 px
    │   ├── DecodeMask              error_decode_mask            mask unreadable or all black
    │   ├── PhotoDetectionFail      PHOTO_DETECTION_FAIL         no hand found
    │   ├── PhotoCheckInvalid       PHOTO_CHECK_INVALID          a hand, but not posed as needed
    │   └── ObjectDetectionFail     OBJECT_DETECTION_FAIL        no ring found
    ├── RequestError                a parameter is not what is needed
    │   └── InvalidParameter        invalid_parameter
    └── RuntimeFailure              RUNTIME_ERROR                not the caller's doing
        └── ModelsUnavailable       RUNTIME_ERROR                the networks are not here

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


class RuntimeFailure(AnelloError):
    """Something failed that is not the caller's doing."""


class ModelsUnavailable(RuntimeFailure):
    """The networks' weights are not in the cache folder and could not be fetched."""

    default_message = "The hand networks are not available"
