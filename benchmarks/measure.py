"""Time and memory of one try-on, measured in a process of its own; prints JSON.

    python benchmarks/measure.py cold|warm WIDTH HEIGHT [ROUNDS]

``cold``: a fresh process makes one picture. ``warm``: many pictures, in turns with the parts they
are held against, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

from time import perf_counter

STARTED = perf_counter()

import argparse  # noqa: E402 - the clock starts before what a caller, too, would have to import
import json  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
RING_SIDE = 1000
"""Long side of the ring photo, px: a usual shop picture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["files", "cold", "warm"])
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    if asked.kind == "files":
        make_files(asked.folder, (asked.width, asked.height))
        return
    hand = (asked.folder / f"hand-{asked.width}.jpg").read_bytes()
    ring = (asked.folder / "ring.jpg").read_bytes()
    answer = cold(hand, ring) if asked.kind == "cold" else warm(hand, ring, asked.rounds)
    print(json.dumps(answer | {"peak_mb": peak_mb()}))


def make_files(folder: Path, size: tuple[int, int]) -> None:
    """The sample hand at that size, and the sample ring."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    hand = cv2.imread(str(SAMPLES / "hand-light.jpg"))
    large = cv2.resize(hand, size, interpolation=cv2.INTER_CUBIC)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    cv2.imwrite(str(folder / f"hand-{size[0]}.jpg"), large, quality)
    ring = cv2.imread(str(SAMPLES / "ring-solitaire.jpg"))
    scale = RING_SIDE / max(ring.shape)
    ring = cv2.resize(ring, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "ring.jpg"), ring, quality)


def cold(hand: bytes, ring: bytes) -> dict[str, Any]:
    """One picture, from the start of the process to its bytes."""
    import anello

    result = anello.try_on(hand, ring)
    result.encode()
    spent = (perf_counter() - STARTED) * 1000
    return {"whole_ms": spent, "steps_ms": result.report.timings_ms}


def warm(hand: bytes, ring: bytes, rounds: int) -> dict[str, Any]:
    """Medians over rounds in which everything is run once."""
    import cv2

    import anello
    from anello.codec import decode, encode
    from anello.models import load_models
    from anello.models.hand_networks import DETECTION_SIZE

    models = load_models()
    photo = decode(hand)
    scale = min(1.0, DETECTION_SIZE / max(photo.size))
    small = cv2.resize(photo.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    known_hand = anello.analyse_hand(hand, models=models)
    known_ring = anello.analyse_ring(ring)

    def hand_and_ring_known() -> Any:
        decode(hand)  # what a service must do even so
        return anello.try_on(known_hand, known_ring, models=models).encode()

    tasks: dict[str, Callable[[], Any]] = {
        "decode hand": lambda: decode(hand),
        "decode ring": lambda: decode(ring),
        "encode": lambda: encode(photo),
        "hand networks": lambda: models.hand.detect(small),
        "nothing known": lambda: anello.try_on(hand, ring, models=models).encode(),
        "hand known": lambda: anello.try_on(known_hand, ring, models=models).encode(),
        "ring known": lambda: anello.try_on(hand, known_ring, models=models).encode(),
        "hand and ring known": hand_and_ring_known,
    }
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    steps: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = perf_counter()
            task()
            spent[name].append((perf_counter() - started) * 1000)
        for step, value in anello.try_on(hand, ring, models=models).report.timings_ms.items():
            steps.setdefault(step, []).append(value)
    ratios = [
        promised_ratios({name: values[at] for name, values in spent.items()})
        for at in range(rounds)
    ]
    return {
        "ratios": [median(pair) for pair in zip(*ratios, strict=True)],
        "parts_ms": {name: median(values) for name, values in spent.items()},
        "steps_ms": {name: median(values) for name, values in steps.items()},
    }


def promised_ratios(ms: dict[str, float]) -> tuple[float, float]:
    """Within one round: nothing known over decode + encode + networks; all known over the codec."""
    codec = ms["decode hand"] + ms["encode"]
    whole = ms["nothing known"] / (codec + ms["hand networks"])
    return whole, ms["hand and ring known"] / codec


def peak_mb() -> float:
    """The most memory this process ever had in RAM, MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there includes the parent's share of memory
        line = next(ln for ln in status.read_text().splitlines() if ln.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
