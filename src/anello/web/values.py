"""Kinds of values in bodies: each checked, each with an error that says what is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic import GetJsonSchemaHandler as JsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from anello.codec import MAX_FILE_BYTES

MAX_TEXT: Final = 8192
MAX_ID: Final = 512
MAX_NAME: Final = 1024


@dataclass(frozen=True, slots=True)
class Matching:
    """A rule for the whole of a text.

    pattern : in what JSON Schema and Python have in common, without anchors.
    """

    pattern: str
    wanted: str

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        rule = re.compile(self.pattern)

        def check(text: str) -> str:
            if not rule.fullmatch(text):
                raise PydanticCustomError("text", "{wanted}", {"wanted": self.wanted})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: JsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"pattern": f"^{self.pattern}$"}


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _apart(points: list[list[float]]) -> list[list[float]]:
    if points[0] == points[1]:
        raise PydanticCustomError("points", "the two points must differ")
    return points


_NO_NUL: Final = Matching(r"[^\u0000]*", "must not contain a NUL character")

Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT), _NO_NUL]
Id: TypeAlias = Annotated[str, Field(max_length=MAX_ID), _NO_NUL]
FileName: TypeAlias = Annotated[
    str,
    Field(max_length=MAX_NAME),
    Matching(r"[^\u0000]+", "must be some text without a NUL character"),
]
Url: TypeAlias = Annotated[
    str,
    Field(max_length=MAX_TEXT),
    Matching(
        r"[Hh][Tt][Tt][Pp][Ss]?://[^\u0000-\u0020/?#\u007F][^\u0000-\u001F\u007F]*",
        "must be an http:// or https:// address",
    ),
]
ImageType: TypeAlias = Annotated[
    str,
    Field(max_length=255),
    Matching(r"[Ii][Mm][Aa][Gg][Ee]/[!-~][ -~]*", "must be an image type, such as image/jpeg"),
]
FileSize: TypeAlias = Annotated[int, Field(gt=0, lt=MAX_FILE_BYTES), BeforeValidator(_whole)]
FingerNumber: TypeAlias = Annotated[int, Field(ge=0, le=4), BeforeValidator(_whole)]
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Point: TypeAlias = Annotated[list[float], Field(min_length=2, max_length=2)]
TwoPoints: TypeAlias = Annotated[
    list[Point], Field(min_length=2, max_length=2), AfterValidator(_apart)
]
