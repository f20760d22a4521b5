"""Draw the bench's scenes and score them against the truth.

    python benchmarks/quality.py [--cases c00,c16]

Writes benchmarks/out/synth/CASE.png, CASE_mask.png and CASE.json (the report).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
from scenes import OUT, SCORE, SYNTH, Scene, scenes

import anello
from anello.codec import encode

DRAWN = OUT / "synth"

COLUMNS = (
    *("iou", "iou_al", "chamfer", "extra", "missing", "centre", "width", "angle"),
    *("psnr", "ssim", "psnr_al", "ssim_al", "dE", "shad_abs", "shad_sgn", "contact", "far_max"),
)


def draw(scene: Scene, folder: Path = DRAWN) -> anello.Result:
    """One scene as the bench asks: finger and location given, shadow and ambient light in full."""
    from dataclasses import replace

    options = anello.Options(
        finger=anello.Finger(scene.finger), location=scene.location, shadow=1.0, ambient=1.0
    )
    result = anello.try_on(scene.folder / "hand.jpg", scene.folder / "ring.jpg", options)
    folder.mkdir(parents=True, exist_ok=True)
    picture = encode(replace(result.picture, format="png"))
    (folder / f"{scene.name}.png").write_bytes(picture)
    cv2.imwrite(str(folder / f"{scene.name}_mask.png"), result.ring_mask)
    report = json.dumps(result.report.to_dict(), indent=2)
    (folder / f"{scene.name}.json").write_text(report)
    return result


def draw_all(only: list[str] | None = None, folder: Path = DRAWN) -> dict[str, str]:
    """Draw the scenes; what went wrong, by scene."""
    failures = {}
    for scene in scenes(only):
        for old in folder.glob(f"{scene.name}[._]*"):
            old.unlink()
        try:
            draw(scene, folder)
        except Exception as error:  # a scene that fails is a result, too
            failures[scene.name] = f"{type(error).__name__}: {error}"
        print(f"  {scene.name} {failures.get(scene.name, 'drawn')}", file=sys.stderr, flush=True)
    return failures


def score(folder: Path = DRAWN, only: list[str] | None = None) -> dict[str, Any]:
    """score.py's answer for a folder of pictures."""
    answer = folder.with_suffix(".json")
    cases = ["--cases", ",".join(only)] if only else []
    _run_score(str(folder), "--json", str(answer), *cases)
    return dict(json.loads(answer.read_text()))


def baselines() -> dict[str, Any]:
    """score.py's trivial systems; they never change, so they are kept."""
    answer = OUT / "baselines.json"
    if not answer.exists():
        _run_score("--baselines", str(OUT / "baselines"), "--json", str(answer))
    return {name: value["summary"] for name, value in json.loads(answer.read_text()).items()}


def _run_score(*arguments: str) -> None:
    command = [sys.executable, str(SCORE), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def table(answer: dict[str, Any], others: dict[str, Any]) -> str:
    """Markdown: a row for each scene, the mean, and the trivial systems below it."""
    lines = [
        "| scene | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
        *(_row(row["case"], row) for row in answer["rows"]),
        _row(f"**mean of {answer['summary']['n']}**", answer["summary"]),
        *(_row(f"*{name}*", summary) for name, summary in others.items()),
    ]
    return "\n".join(lines)


def _row(name: str, values: dict[str, Any]) -> str:
    cells = ("–" if values.get(key) is None else f"{values[key]:.3f}" for key in COLUMNS)
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", help="beginnings of scenes' names, by commas")
    only = parser.parse_args().cases
    cases = only.split(",") if only else None
    if not SCORE.exists() or not SYNTH.exists():
        sys.exit(f"no bench at {SCORE.parent.parent}")
    failures = draw_all(cases)
    print(table(score(only=cases), baselines()))
    for name, reason in failures.items():
        print(f"\nfailed: {name}: {reason}")


if __name__ == "__main__":
    main()
