"""From a create-task body, in any of the forms that clients send, to what is asked for.

The forms, and the rules that tell them apart, are in the API reference ("Which photo is which").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from anello.errors import BadRequest, InvalidParameters
from anello.options import Options
from anello.service.requests import Reference, RingRequest, TaskRequest
from anello.web.bodies import check
from anello.web.schemas import MAX_RINGS, CreateTask, ObjectInfo, RingParameters

OPTION_OF: Final = {
    "ring_need_remove_background": "remove_background",
    "ring_anchor_point": "anchors",
    "ring_wearing_finger": "finger",
    "ring_wearing_location": "location",
    "ring_shadow_intensity": "shadow",
    "ring_ambient_light_intensity": "ambient",
}
ONLY_LENIENT: Final = {"ref_file_url", "ref_file_id", *OPTION_OF}
"""Top-level fields that the hosted API has for other features, or nowhere."""


def resolve(values: Mapping[str, Any], *, strict: bool = False) -> TaskRequest:
    """Raises InvalidParameters naming the field; in strict mode BadRequest for an unknown one."""
    if strict:
        _check_strict(values)
    body = check(CreateTask, _given(values))
    hand, hand_mask = _hand(body), _hand_mask(body)
    return TaskRequest(hand, hand_mask, _rings(body))


# --- what is given --------------------------------------------------------------------------------


def _given(value: Any) -> Any:
    """The value without what means "not given": null, empty texts, empty arrays.

    In arrays they stay, as null: the place in an array tells which mask is whose.
    """
    if isinstance(value, Mapping):
        given = ((key, _given(inner)) for key, inner in value.items())
        return {key: inner for key, inner in given if not _is_empty(inner)}
    if isinstance(value, list):
        items = [None if _is_empty(item) and item != [] else _given(item) for item in value]
        return [] if all(item is None for item in items) else items
    return value


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value == []


def to_reference(name: str) -> Reference:
    """A name that begins like a url is one; any other is a file id."""
    is_url = name.lower().startswith(("http://", "https://"))
    return Reference("url" if is_url else "id", name)


def _references(urls: Iterable[str | None], ids: Iterable[str | None]) -> list[Reference | None]:
    """Urls, then ids, with the gaps they have."""
    return [Reference("url", url) if url else None for url in urls] + [
        Reference("id", file_id) if file_id else None for file_id in ids
    ]


# --- the hand -------------------------------------------------------------------------------------


def _hand(body: CreateTask) -> Reference:
    named = body.source_info.name if body.source_info else None
    hand = _one_of("src_file", body.src_file_url, body.src_file_id, named)
    if hand is None:
        raise InvalidParameters(
            "src_file_url or src_file_id: the hand photo is missing",
            remedy="Give its address in src_file_url, or upload it and give src_file_id.",
        )
    return hand


def _hand_mask(body: CreateTask) -> Reference | None:
    named = body.source_info.mask_name if body.source_info else None
    return _one_of("srcmsk_file", body.srcmsk_file_url, body.srcmsk_file_id, named)


def _one_of(
    field: str, url: str | None, file_id: str | None, named: str | None
) -> Reference | None:
    """The flat field, else what ``source_info`` names; which also decides between two flat ones."""
    flat = [reference for reference in _references([url], [file_id]) if reference]
    if len(flat) == 2:
        flat = [reference for reference in flat if reference.value == named]
        if len(flat) != 1:
            raise InvalidParameters(
                f"{field}_url and {field}_id: only one may be given",
                remedy="Leave one of them out.",
            )
    if flat:
        return flat[0]
    return to_reference(named) if named else None


# --- the rings ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Ring:
    """A ring's photo, the mask in the same place of its array, and whether an entry named it."""

    image: Reference
    mask: Reference | None
    bound: bool = False


def _rings(body: CreateTask) -> tuple[RingRequest, ...]:
    entries = [entry for entry in body.object_infos or () if entry]
    masks = _masks(body)
    rings = _photos(body, entries, masks)
    if not rings:
        raise InvalidParameters(
            "ref_file_urls or ref_file_ids: the ring's product photo is missing",
            remedy="Give its address in ref_file_urls, or upload it and give ref_file_ids.",
        )
    requests = [
        _request(body, entry, ring, masks)
        for entry, ring in zip(entries, _bound(entries, rings), strict=True)
    ]
    requests += [_request(body, None, ring, masks) for ring in rings if not ring.bound]
    if len(requests) > MAX_RINGS:
        raise InvalidParameters(f"object_infos: at most {MAX_RINGS} rings, not {len(requests)}")
    return tuple(requests)


def _masks(body: CreateTask) -> list[Reference | None]:
    return _references(body.refmsk_file_urls or (), body.refmsk_file_ids or ())


def _photos(
    body: CreateTask, entries: Sequence[ObjectInfo], masks: Sequence[Reference | None]
) -> list[_Ring]:
    """The product photos: of the arrays, of the singular fields, else those that entries name."""
    photos = _references(body.ref_file_urls or (), body.ref_file_ids or ())
    photos += [
        reference
        for reference in _references([body.ref_file_url], [body.ref_file_id])
        if reference and reference not in photos
    ]
    if not any(photos):
        photos = [to_reference(entry.name) for entry in entries if entry.name]
    by_name = {entry.mask_name for entry in entries}
    rings = []
    for photo, mask in zip_longest(photos, masks):
        free_mask = mask if mask and mask.value not in by_name else None
        if photo:
            rings.append(_Ring(photo, free_mask))
        elif free_mask:
            raise InvalidParameters("refmsk_file_urls or refmsk_file_ids: a mask without a ring")
    return rings


def _bound(entries: Sequence[ObjectInfo], rings: Sequence[_Ring]) -> list[_Ring]:
    """Each entry's ring: the one it names, else the one in its place."""
    bound: list[_Ring | None] = []
    for entry in entries:
        same = [ring for ring in rings if ring.image.value == entry.name]
        ring = next((ring for ring in same if not ring.bound), same[0] if same else None)
        if ring:
            ring.bound = True
        bound.append(ring)
    return [ring or _in_place(index, entries, rings) for index, ring in enumerate(bound)]


def _in_place(index: int, entries: Sequence[ObjectInfo], rings: Sequence[_Ring]) -> _Ring:
    if len(entries) != len(rings) or rings[index].bound:
        raise InvalidParameters(
            f"object_infos[{index}].name: is none of the urls or ids of the rings' photos",
            remedy="Name one of ref_file_urls or ref_file_ids.",
        )
    rings[index].bound = True
    return rings[index]


def _request(
    body: CreateTask,
    entry: ObjectInfo | None,
    ring: _Ring,
    masks: Sequence[Reference | None],
) -> RingRequest:
    mask = ring.mask
    if entry and entry.mask_name:
        mask = _named_mask(entry.mask_name, ring, masks)
    return RingRequest(ring.image, mask, _options(entry.parameter if entry else None, body))


def _named_mask(name: str, ring: _Ring, masks: Sequence[Reference | None]) -> Reference:
    """The mask so named; a name that is no url may be a mere file name, of the mask in place."""
    given = next((mask for mask in masks if mask and mask.value == name), None)
    named = to_reference(name)
    return given or (ring.mask if ring.mask and named.kind == "id" else named)


def _options(own: RingParameters | None, fallback: RingParameters) -> Options:
    """Each parameter of the ring's own, else of the body's top level, else its default."""
    given: dict[str, Any] = {}
    for parameters in filter(None, (fallback, own)):
        for field, option in OPTION_OF.items():
            value = getattr(parameters, field)
            if value is not None:
                given[option] = value
    return Options(**given)


# --- strict mode ----------------------------------------------------------------------------------


def _check_strict(values: Mapping[str, Any]) -> None:
    """What the hosted API refuses and we otherwise don't."""
    for field in values:
        if field in ONLY_LENIENT:
            raise InvalidParameters(f"{field}: not at the top level of the body")
        if field not in CreateTask.model_fields:
            raise BadRequest(f"{field[:64]!r}: unexpected parameter")
    for path, value in _leaves(values):
        if value is None or value == "":
            raise InvalidParameters(f"{path}: must not be {'null' if value is None else 'empty'}")
    for field, kind in {"source_info": dict, "object_infos": list}.items():
        if not values.get(field) or not isinstance(values[field], kind):
            raise InvalidParameters(f"{field}: is missing")
    for fields in (("src_file_url", "src_file_id"), ("ref_file_urls", "ref_file_ids")):
        if not any(values.get(field) for field in fields):
            raise InvalidParameters(f"{' or '.join(fields)}: is missing")


def _leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key[:64]}".removeprefix("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value
