"""Time, memory and quality: ``make bench``.

Prints Markdown tables and writes them to benchmarks/results.md. Times are of this machine and of
what else it is doing; the ratios below them are what is promised.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from typing import Any

from scenes import HERE, OUT, SCORE, SYNTH

SIZES = ((1280, 1600), (3072, 4096))
FILES = OUT / "timing"

WHOLE_LIMIT, KNOWN_LIMIT, MEMORY_LIMIT_MB = 6.0, 2.5, 500.0
"""Promises: whole call over decode + encode + hand networks at the first size; the same with hand
and ring known over decode + encode; peak memory at the second size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-quality", action="store_true", help="times and memory only")
    asked = parser.parse_args()
    parts = ["# Benchmarks", machine(), *timing(asked.rounds)]
    if SCORE.exists() and SYNTH.exists() and not asked.no_quality:
        parts += quality()
    text = "\n\n".join(parts) + "\n"
    print(text)
    if not asked.no_quality:
        (HERE / "results.md").write_text(text)


def machine() -> str:
    python = platform.python_version()
    return (
        f"Python {python}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs. "
        "Written by `make bench`."
    )


def measure(kind: str, size: tuple[int, int], rounds: int) -> dict[str, Any]:
    """measure.py in a process of its own."""
    command = [sys.executable, str(HERE / "measure.py"), kind, *map(str, size), str(FILES)]
    print(f"  {kind} {size[0]} x {size[1]}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [*command, "--rounds", str(rounds)], check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout)) if kind != "files" else {}


def timing(rounds: int) -> list[str]:
    for size in SIZES:
        measure("files", size, rounds)
    cold = [measure("cold", size, rounds) for size in SIZES]
    warm = [measure("warm", size, rounds if at == 0 else 5) for at, size in enumerate(SIZES)]
    heads = "".join(f" {width} × {height} |" for width, height in SIZES)
    return [
        "## Time, ms",
        "Medians in one warm process; a ring photo of 1,000 px.",
        table(f"| whole call |{heads}", [m["parts_ms"] for m in warm])
        + row("cold, from the start of Python", [m["whole_ms"] for m in cold]),
        table(f"| step |{heads}", [m["steps_ms"] for m in warm]),
        "## Memory, MB at its peak",
        f"| |{heads}\n|---|"
        + "---:|" * len(SIZES)
        + row("cold, one picture", [m["peak_mb"] for m in cold])
        + row("warm, everything in the table above", [m["peak_mb"] for m in warm]),
        "## Promises",
        "Medians of the ratios within a round, at the first size.",
        promises(cold, warm),
    ]


def table(head: str, columns: list[dict[str, float]]) -> str:
    names = dict.fromkeys(name for column in columns for name in column)
    rows = "".join(row(name, [column.get(name) for column in columns]) for name in names)
    return f"{head}\n|---|" + "---:|" * len(columns) + rows


def row(name: str, values: list[float | None]) -> str:
    cells = "".join(" – |" if value is None else f" {value:.1f} |" for value in values)
    return f"\n| {name} |{cells}"


def promises(cold: list[dict[str, Any]], warm: list[dict[str, Any]]) -> str:
    whole, known = warm[0]["ratios"]
    lines = [
        "| what | measured | promised |\n|---|---:|---:|",
        f"| nothing known / (decode + encode + hand networks) | {whole:.2f} | ≤ {WHOLE_LIMIT} |",
        f"| hand and ring known / (decode + encode) | {known:.2f} | ≤ {KNOWN_LIMIT} |",
        f"| peak memory at {SIZES[1][0]} × {SIZES[1][1]}, MB | {cold[1]['peak_mb']:.0f} "
        f"| ≤ {MEMORY_LIMIT_MB:.0f} |",
    ]
    return "\n".join(lines)


def quality() -> list[str]:
    from quality import baselines, draw_all, score, table

    failures = draw_all()
    lines = [
        "## Quality",
        "Path-traced scenes scored against their truth; what the columns mean is said beside the "
        "bench. Below: the trivial systems (the hand unchanged; the ring pasted by its true "
        "contact points, whole and front half; the truth as a JPEG).",
        table(score(), baselines()),
    ]
    return lines + [f"failed: {name}: {reason}" for name, reason in failures.items()]


if __name__ == "__main__":
    main()
