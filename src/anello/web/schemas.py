"""The wire's names and shapes: what bodies hold, and what answers look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from anello.service.requests import NewFile
from anello.web.values import (
    FileName,
    FileSize,
    FingerNumber,
    Fraction,
    Id,
    ImageType,
    Text,
    TwoPoints,
    Url,
)

MAX_FILES: Final = 20
MAX_RINGS: Final = 5
POLLING_INTERVAL_MS: Final = 1000


class Body(BaseModel):
    """Types as sent: no text for a number, no number for a truth; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


def _describe_absence(schema: dict[str, Any]) -> None:
    """Wherever null is taken, so is an empty text and an empty array."""
    for value in schema["properties"].values():
        if {"type": "null"} in value.get("anyOf", ()):
            value["anyOf"][value["anyOf"].index({"type": "null"})] = {
                "$ref": "#/components/schemas/NotGiven"
            }


class LenientBody(Body):
    """A body in which null, an empty text and an empty array mean: not given."""

    model_config = ConfigDict(json_schema_extra=_describe_absence)


# --- bodies ---------------------------------------------------------------------------------------


class FileEntry(Body):
    """A file about to be uploaded."""

    content_type: ImageType
    file_name: FileName
    file_size: FileSize

    def to_new_file(self) -> NewFile:
        return NewFile(self.content_type, self.file_name, self.file_size)


class RegisterFiles(Body):
    """Files about to be uploaded."""

    files: Annotated[list[FileEntry], Field(min_length=1, max_length=MAX_FILES)]


class RingParameters(LenientBody):
    """How a ring is worn."""

    ring_need_remove_background: bool | None = Field(
        default=None, description="Remove the product photo's background. Default: true."
    )
    ring_anchor_point: TwoPoints | None = Field(
        default=None,
        description="The two points farthest apart on the hoop's inner edge, [x, y] in pixels of "
        "the product photo, in either order. Default: found by the engine.",
    )
    ring_wearing_finger: FingerNumber | None = Field(
        default=None,
        description="0 thumb, 1 index, 2 middle, 3 ring, 4 little finger. Default: the ring "
        "finger, or another visible one when that is not.",
    )
    ring_wearing_location: Fraction | None = Field(
        default=None, description="0 at the finger's base, 1 at the middle joint. Default: 0.3."
    )
    ring_shadow_intensity: Fraction | None = Field(
        default=None, description="0 no shadow, 1 a strong one. Default: 0.15."
    )
    ring_ambient_light_intensity: Fraction | None = Field(
        default=None, description="0 ignores the hand's light, 1 matches it. Default: 1."
    )


class SourceInfo(LenientBody):
    """The hand photo, by its url or file id."""

    name: Text | None = None
    mask_name: Text | None = None


class ObjectInfo(LenientBody):
    """One ring: one of the reference urls or file ids, and how it is worn."""

    name: Text | None = None
    mask_name: Text | None = None
    parameter: RingParameters | None = None


class CreateTask(RingParameters):
    """A hand photo and one to five rings, each by url or by file id.

    The `ring_*` fields here hold for rings whose own `parameter` lacks them.
    """

    src_file_url: Url | None = Field(default=None, description="The hand photo.")
    src_file_id: Id | None = Field(default=None, description="The hand photo, uploaded.")
    srcmsk_file_url: Url | None = Field(
        default=None, description="A mask of the hand: rings are painted only where it is white."
    )
    srcmsk_file_id: Id | None = Field(default=None, description="A mask of the hand, uploaded.")
    ref_file_urls: list[Url | None] | None = Field(
        default=None, max_length=MAX_RINGS, description="The rings' product photos."
    )
    ref_file_ids: list[Id | None] | None = Field(
        default=None, max_length=MAX_RINGS, description="The rings' product photos, uploaded."
    )
    refmsk_file_urls: list[Url | None] | None = Field(
        default=None, max_length=MAX_RINGS, description="The rings' masks, in the rings' order."
    )
    refmsk_file_ids: list[Id | None] | None = Field(
        default=None, max_length=MAX_RINGS, description="The rings' masks, uploaded."
    )
    ref_file_url: Url | None = Field(default=None, description="A single ring's product photo.")
    ref_file_id: Id | None = Field(
        default=None, description="A single ring's product photo, uploaded."
    )
    source_info: SourceInfo | None = None
    object_infos: list[ObjectInfo | None] | None = Field(
        default=None,
        max_length=MAX_RINGS,
        description="One entry a ring; more than one: worn stacked.",
    )


class DeleteTask(Body):
    """The task to delete."""

    task_id: Annotated[Text, Field(min_length=1)]


class Inspect(Body):
    """What to look at, and for what."""

    kind: Literal["hand", "ring"]
    file_id: Id | None = None
    file_url: Url | None = None
    finger: FingerNumber | None = Field(
        default=None, description="Check that this finger can wear a ring (hands only)."
    )
    overlay: bool = Field(default=False, description="Answer with a picture of what was seen, too.")


# --- answers: files and tasks ---------------------------------------------------------------------


class Answer(BaseModel):
    """An answer's envelope."""

    status: Literal[200] = 200


class UploadRequest(BaseModel):
    """The request that uploads a file: send it as it stands, without a key."""

    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str]


class RegisteredFile(BaseModel):
    content_type: str
    file_name: str
    file_id: str
    requests: list[UploadRequest]


class RegisteredFiles(BaseModel):
    files: list[RegisteredFile]


class FilesAnswer(Answer):
    data: RegisteredFiles


class CreatedTask(BaseModel):
    task_id: str
    polling_interval: int | None = Field(default=None, exclude_if=lambda value: value is None)


class CreatedAnswer(Answer):
    data: CreatedTask


class ResultUrl(BaseModel):
    """The picture, for two hours; polling again gives a fresh address."""

    url: str


class Running(BaseModel):
    task_status: Literal["running"] = "running"
    results: None = None
    error: None = None
    polling_interval: int | None = Field(default=None, exclude_if=lambda value: value is None)


class Succeeded(BaseModel):
    task_status: Literal["success"] = "success"
    results: ResultUrl
    error: None = None


class Failed(BaseModel):
    """`error` is the code, `error_message` what to show a person."""

    task_status: Literal["error"] = "error"
    results: None = None
    error: str
    error_message: str


class PollAnswer(Answer):
    data: Running | Succeeded | Failed


class DeletedAnswer(Answer):
    """The task, its inputs and its results are gone."""


class DetailedResults(BaseModel):
    url: str
    mask_url: str | None


class TaskReport(BaseModel):
    """Everything known of a task. Times are ISO 8601, UTC."""

    task_id: str
    task_status: Literal["running", "success", "error"]
    step: str
    position: int | None = Field(description="Tasks before it in the queue, until it is begun.")
    units: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings_ms: dict[str, float]
    report: dict[str, Any] | None
    results: DetailedResults | None
    error: str | None
    error_message: str | None
    remedy: str | None


class TaskReportAnswer(Answer):
    data: TaskReport


# --- answers: units and prices --------------------------------------------------------------------


class Credit(BaseModel):
    """Units, and when they expire (ms since the epoch)."""

    id: int
    type: Literal["ApiPaygToken"] = "ApiPaygToken"
    amount: int
    amount_dec: float
    expiry: int


class CreditAnswer(Answer):
    results: list[Credit]


class SpentCredit(BaseModel):
    id: int
    amount: int
    amount_dec: float


class SpentCredits(BaseModel):
    credits: list[SpentCredit]


class HistoryEntry(BaseModel):
    """One change of units; `target_id` is the task's."""

    id: int
    timestamp: int
    action: str
    target_id: str | None
    info: SpentCredits


class History(BaseModel):
    next_token: str | None
    history: list[HistoryEntry]


class HistoryAnswer(Answer):
    result: History


class Sku(BaseModel):
    """What can be bought, and its price in units."""

    description: str
    amount: int
    unit: Literal["result_image"] = "result_image"
    proc_unit: Literal[1] = 1
    run_task_url: str


class Prices(BaseModel):
    next_token: str | None
    skus: list[Sku]


class PricesAnswer(Answer):
    result: Prices


# --- answers: inspections -------------------------------------------------------------------------


class Check(BaseModel):
    """One thing looked at: what was measured, what is wanted."""

    model_config = ConfigDict(extra="allow")

    name: str
    ok: bool
    value: Any
    limit: Any
    code: str | None
    message: str | None
    remedy: str | None


class Inspection(BaseModel):
    """Whether the picture will do; if not, why, and what would help. Measurements follow."""

    model_config = ConfigDict(extra="allow")

    accepted: bool
    code: str | None
    message: str | None
    remedy: str | None
    checks: list[Check] = []
    overlay: str | None = Field(description="A JPEG of what was seen, as a `data:` address.")


class InspectionAnswer(Answer):
    data: Inspection


# --- answers: what went wrong, and health ---------------------------------------------------------


class Problem(BaseModel):
    """What went wrong. `status` is the HTTP status; `remedy`, where there is one, what helps."""

    status: int
    error: str
    error_code: str
    remedy: str | None = Field(default=None, exclude_if=lambda value: value is None)


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """By part, whether it works."""

    status: Literal["ready", "not ready"]
    parts: dict[str, bool]
