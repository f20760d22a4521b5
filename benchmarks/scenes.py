"""Where the quality bench and the photos are: in ``shared`` beside the checkout, if anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHARED = ROOT.parent / "shared"
SCORE = SHARED / "bench" / "score.py"
SYNTH = SHARED / "data" / "synth"
PHOTOS = SHARED / "data" / "photos"
SAMPLES = ROOT / "samples"
OUT = HERE / "out"
"""What the benchmarks draw; not in the repository."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A hand, a ring, and the true picture of the one wearing the other."""

    folder: Path
    truth: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def finger(self) -> int:
        return int(self.truth["finger"])

    @property
    def location(self) -> float:
        """As the bench asks: the place measured on the detector's own landmarks."""
        value = self.truth.get("mediapipe", {}).get("location_param_mp")
        return min(1.0, max(0.0, float(self.truth["location_param"] if value is None else value)))


def scenes(only: list[str] | None = None, folder: Path = SYNTH) -> list[Scene]:
    """The bench's scenes, all or those whose names begin with one of ``only``."""
    found = sorted(path.parent for path in folder.glob("*/truth.json"))
    wanted = [f for f in found if not only or any(f.name.startswith(word) for word in only)]
    return [Scene(f, json.loads((f / "truth.json").read_text())) for f in wanted]
