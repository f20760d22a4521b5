"""What clients ask for, resolved and checked: no wire names, no HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from anello.imaging.hand import Finger
from anello.options import Options


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that a client is about to upload. Name and type are only echoed."""

    content_type: str
    file_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a picture is: at a url, or under the id of an uploaded file."""

    kind: Literal["url", "id"]
    value: str


@dataclass(frozen=True, slots=True)
class RingRequest:
    """One ring, and how it is worn."""

    image: Reference
    mask: Reference | None
    options: Options


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """Rings on a hand; more than one are worn stacked, in this order."""

    hand: Reference
    hand_mask: Reference | None
    rings: tuple[RingRequest, ...]

    def references(self) -> Iterator[Reference]:
        """Every picture the task needs, masks too."""
        yield self.hand
        if self.hand_mask:
            yield self.hand_mask
        for ring in self.rings:
            yield ring.image
            if ring.mask:
                yield ring.mask

    def file_ids(self) -> set[str]:
        """The uploaded files the task needs."""
        return {reference.value for reference in self.references() if reference.kind == "id"}

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON; equal requests give equal values."""
        return {
            "hand": _reference_to_json(self.hand),
            "hand_mask": _reference_to_json(self.hand_mask),
            "rings": [
                {
                    "image": _reference_to_json(ring.image),
                    "mask": _reference_to_json(ring.mask),
                    "options": _options_to_json(ring.options),
                }
                for ring in self.rings
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskRequest:
        """The request that ``to_json`` gave."""
        return cls(
            hand=Reference(**data["hand"]),
            hand_mask=_reference_from_json(data["hand_mask"]),
            rings=tuple(
                RingRequest(
                    image=Reference(**ring["image"]),
                    mask=_reference_from_json(ring["mask"]),
                    options=_options_from_json(ring["options"]),
                )
                for ring in data["rings"]
            ),
        )


def _reference_to_json(reference: Reference | None) -> dict[str, str] | None:
    return {"kind": reference.kind, "value": reference.value} if reference else None


def _reference_from_json(data: dict[str, Any] | None) -> Reference | None:
    return Reference(**data) if data else None


def _options_to_json(options: Options) -> dict[str, Any]:
    return {
        "finger": None if options.finger is None else int(options.finger),
        "location": options.location,
        "shadow": options.shadow,
        "ambient": options.ambient,
        "anchors": options.anchors and [list(point) for point in options.anchors],
        "remove_background": options.remove_background,
    }


def _options_from_json(data: dict[str, Any]) -> Options:
    finger, anchors = data["finger"], data["anchors"]
    return Options(
        finger=None if finger is None else Finger(finger),
        location=data["location"],
        shadow=data["shadow"],
        ambient=data["ambient"],
        anchors=anchors and tuple(tuple(point) for point in anchors),
        remove_background=data["remove_background"],
    )
