"""The wire's names and shapes: what bodies hold, and what answers look like."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from anello.codec import MAX_FILE_BYTES
from anello.service.requests import NewFile

MAX_FILES: Final = 20
MAX_RINGS: Final = 5
MAX_TEXT: Final = 8192
MAX_ID: Final = 512
NEVER_MS: Final = 253_402_300_799_000
"""The end of the year 9999, for units that don't expire: clients want a number."""
POLLING_INTERVAL_MS: Final = 1000


class Wire(BaseModel):
    """Types as sent: no text for a number, no number for a truth; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


# --- kinds of values ------------------------------------------------------------------------------


def _matching(pattern: str, wanted: str, max_length: int, **schema: Any) -> Any:
    """A str field's rules; ``wanted`` is what its error says."""
    rule = re.compile(pattern)

    def check(text: str) -> str:
        if not rule.search(text):
            raise PydanticCustomError("text", "{wanted}", {"wanted": wanted})
        return text

    extra = {"pattern": pattern, **schema}
    return Annotated[
        str, Field(max_length=max_length, json_schema_extra=extra), AfterValidator(check)
    ]


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _apart(points: list[list[float]]) -> list[list[float]]:
    if points[0] == points[1]:
        raise PydanticCustomError("points", "the two points must differ")
    return points


Text: TypeAlias = _matching(r"^[^\u0000]*\Z", "must not contain a NUL character", MAX_TEXT)
Id: TypeAlias = _matching(r"^[^\u0000]*\Z", "must not contain a NUL character", MAX_ID)
FileName: TypeAlias = _matching(r"^[^\u0000]+\Z", "must be some text without a NUL character", 1024)
Url: TypeAlias = _matching(
    r"^[Hh][Tt][Tt][Pp][Ss]?://[^\u0000-\u0020/?#\u007F][^\u0000-\u001F\u007F]*\Z",
    "must be an http:// or https:// address",
    MAX_TEXT,
    format="uri",
)
ImageType: TypeAlias = _matching(
    r"^[Ii][Mm][Aa][Gg][Ee]/[!-~][ -~]*\Z", "must be an image type, such as image/jpeg", 255
)
WholeNumber: TypeAlias = Annotated[int, BeforeValidator(_whole)]
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Point: TypeAlias = Annotated[list[float], Field(min_length=2, max_length=2)]
TwoPoints: TypeAlias = Annotated[
    list[Point], Field(min_length=2, max_length=2), AfterValidator(_apart)
]


# --- bodies ---------------------------------------------------------------------------------------


class FileEntry(Wire):
    """A file about to be uploaded."""

    content_type: ImageType
    file_name: FileName
    file_size: Annotated[WholeNumber, Field(gt=0, lt=MAX_FILE_BYTES)]

    def to_new_file(self) -> NewFile:
        return NewFile(self.content_type, self.file_name, self.file_size)


class RegisterFiles(Wire):
    """Files about to be uploaded."""

    files: Annotated[list[FileEntry], Field(min_length=1, max_length=MAX_FILES)]


class RingParameters(Wire):
    """How a ring is worn."""

    ring_need_remove_background: bool | None = Field(
        None, description="Remove the product photo's background. Default: true."
    )
    ring_anchor_point: TwoPoints | None = Field(
        None,
        description="The two points farthest apart on the hoop's inner edge, [x, y] in pixels of "
        "the product photo, in either order. Default: found by the engine.",
    )
    ring_wearing_finger: Annotated[WholeNumber, Field(ge=0, le=4)] | None = Field(
        None,
        description="0 thumb, 1 index, 2 middle, 3 ring, 4 little finger. Default: the ring "
        "finger, or another visible one when that is not.",
    )
    ring_wearing_location: Fraction | None = Field(
        None, description="0 at the finger's base, 1 at the middle joint. Default: 0.3."
    )
    ring_shadow_intensity: Fraction | None = Field(
        None, description="0 no shadow, 1 a strong one. Default: 0.15."
    )
    ring_ambient_light_intensity: Fraction | None = Field(
        None, description="0 ignores the hand's light, 1 matches it. Default: 1."
    )


class SourceInfo(Wire):
    """The hand photo, by its url or file id."""

    name: Text | None = None
    mask_name: Text | None = None


class ObjectInfo(Wire):
    """One ring: one of the reference urls or file ids, and how it is worn."""

    name: Text | None = None
    mask_name: Text | None = None
    parameter: RingParameters | None = None


_Rings: TypeAlias = Field(None, max_length=MAX_RINGS)


class CreateTask(RingParameters):
    """A hand photo and one to five rings, each by url or by file id."""

    src_file_url: Url | None = Field(None, description="The hand photo, by url; or")
    src_file_id: Id | None = Field(None, description="by the id of an uploaded file.")
    srcmsk_file_url: Url | None = Field(
        None, description="A mask of the hand: the ring is painted only where it is white."
    )
    srcmsk_file_id: Id | None = None
    ref_file_urls: Annotated[list[Url | None] | None, _Rings] = Field(
        description="The rings' product photos, by url; or"
    )
    ref_file_ids: Annotated[list[Id | None] | None, _Rings] = Field(
        description="by the ids of uploaded files."
    )
    refmsk_file_urls: Annotated[list[Url | None] | None, _Rings] = Field(
        description="Masks of the rings, in their order: white is ring."
    )
    refmsk_file_ids: Annotated[list[Id | None] | None, _Rings] = None
    ref_file_url: Url | None = Field(None, description="As `ref_file_urls`, for one ring.")
    ref_file_id: Id | None = Field(None, description="As `ref_file_ids`, for one ring.")
    source_info: SourceInfo | None = None
    object_infos: Annotated[list[ObjectInfo | None] | None, _Rings] = None


class DeleteTask(Wire):
    task_id: Annotated[Text, Field(min_length=1)]


class Inspect(Wire):
    """What to look at, and for what."""

    kind: Literal["hand", "ring"]
    file_id: Id | None = None
    file_url: Url | None = None
    finger: Annotated[WholeNumber, Field(ge=0, le=4)] | None = Field(
        None, description="Check that this finger can wear a ring; hands only."
    )
    overlay: bool = Field(False, description="Answer with a picture of what was seen.")


# --- answers --------------------------------------------------------------------------------------


class Problem(BaseModel):
    """What went wrong. `status` is the HTTP status; `remedy`, where there is one, what helps."""

    status: int
    error: str
    error_code: str
    remedy: str | None = Field(exclude_if=lambda remedy: remedy is None)


class Done(BaseModel):
    status: Literal[200] = 200
