"""anello puts a ring on a hand.

From a photo of the back of a hand and a shop's photo of a ring it makes the photo that would have
been taken had the ring been worn::

    import anello

    result = anello.try_on("hand.jpg", "ring.jpg", anello.Options(finger=anello.Finger.RING))
    result.save("worn.jpg")

Names load when they are first used, so that ``import anello`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anello.codec import Photo as Photo
    from anello.errors import AnelloError as AnelloError
    from anello.errors import DecodeMask as DecodeMask
    from anello.errors import ExceedMaxFilesize as ExceedMaxFilesize
    from anello.errors import ExceedMaxImageSize as ExceedMaxImageSize
    from anello.errors import InputError as InputError
    from anello.errors import InputMainImageEmpty as InputMainImageEmpty
    from anello.errors import InvalidParameter as InvalidParameter
    from anello.errors import ModelsUnavailable as ModelsUnavailable
    from anello.errors import ObjectDetectionFail as ObjectDetectionFail
    from anello.errors import PhotoCheckInvalid as PhotoCheckInvalid
    from anello.errors import PhotoDetectionFail as PhotoDetectionFail
    from anello.errors import RuntimeFailure as RuntimeFailure
    from anello.imaging.hand import Finger as Finger
    from anello.imaging.matting import Cutout as Cutout
    from anello.library import HandReport as HandReport
    from anello.library import Result as Result
    from anello.library import analyse_hand as analyse_hand
    from anello.library import analyse_ring as analyse_ring
    from anello.library import cut_out as cut_out
    from anello.library import inspect_hand as inspect_hand
    from anello.library import try_on as try_on
    from anello.options import Options as Options
    from anello.pipeline import HandAnalysis as HandAnalysis
    from anello.pipeline import RingAnalysis as RingAnalysis

__version__ = "0.1.0"

_HOME = {
    "Photo": "codec",
    "AnelloError": "errors",
    "DecodeMask": "errors",
    "ExceedMaxFilesize": "errors",
    "ExceedMaxImageSize": "errors",
    "InputError": "errors",
    "InputMainImageEmpty": "errors",
    "InvalidParameter": "errors",
    "ModelsUnavailable": "errors",
    "ObjectDetectionFail": "errors",
    "PhotoCheckInvalid": "errors",
    "PhotoDetectionFail": "errors",
    "RuntimeFailure": "errors",
    "Finger": "imaging.hand",
    "Cutout": "imaging.matting",
    "HandReport": "library",
    "Result": "library",
    "analyse_hand": "library",
    "analyse_ring": "library",
    "cut_out": "library",
    "inspect_hand": "library",
    "try_on": "library",
    "Options": "options",
    "HandAnalysis": "pipeline",
    "RingAnalysis": "pipeline",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'anello' has no attribute {name!r}")
    return getattr(import_module(f"anello.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
