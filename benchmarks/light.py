"""How well the light of the bench's scenes is read off their hand photos.

    python benchmarks/light.py [--cases c16,c21]

Suns are known: elevation and azimuth are in the scene's truth, and its camera's roll and tilt undo
what the estimate sees. All windows are one and the same, mirrored for the right: how far each
estimate is from their mean tells how precise they are. Of colour no truth is given; temperatures
of one kind of light should agree.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from scenes import SYNTH, Scene, scenes

import anello


def estimated(scene: Scene) -> Any:
    hand = anello.analyse_hand(scene.folder / "hand.jpg")
    return hand.place(anello.Finger(scene.finger), scene.location).light


def in_world(direction_xyz: Any, camera: dict[str, float]) -> Any:
    """x right, y away from the viewer along the table, z up, of a direction in the camera's frame;
    the camera was rolled and leans to the wrist's side."""
    x, y, z = direction_xyz[0], -direction_xyz[1], direction_xyz[2]
    roll, lean = np.radians(camera["roll"]), np.radians(-camera["tilt_y"])
    x, y = x * np.cos(roll) + y * np.sin(roll), -x * np.sin(roll) + y * np.cos(roll)
    return np.array([x, y * np.cos(lean) - z * np.sin(lean), y * np.sin(lean) + z * np.cos(lean)])


def sun_direction(sun: dict[str, float]) -> Any:
    azimuth, elevation = np.radians(sun["azim"]), np.radians(sun["elev"])
    flat = np.cos(elevation)
    return np.array([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)])


def apart_deg(a: Any, b: Any) -> float:
    return float(
        np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
    )


def temperature(rgb: Any) -> float:
    """Correlated colour temperature, K, of a linear sRGB white (McCamy 1992)."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, _ = xyz @ rgb / (xyz @ rgb).sum()
    n = (x - 0.3320) / (0.1858 - y)
    return float(449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", help="beginnings of scenes' names, by commas")
    only = parser.parse_args().cases
    if not SYNTH.exists():
        sys.exit(f"no scenes at {SYNTH}")
    found = [(scene, estimated(scene)) for scene in scenes(only.split(",") if only else None)]
    directions, known = {}, {}
    for scene, light in found:
        spec = scene.truth["light_spec"]
        direction = in_world(light.direction_xyz, scene.truth["camera"])
        if spec["env"] == "window_right":
            direction = direction * [-1, 1, 1]
        directions[scene.name] = direction
        if "sun" in spec:
            known[scene.name] = sun_direction(spec["sun"])
    windows = [s.name for s, _ in found if s.truth["light_spec"]["env"].startswith("window")]
    if windows:
        known |= dict.fromkeys(windows, np.mean([directions[name] for name in windows], axis=0))
    off = {name: apart_deg(directions[name], truth) for name, truth in known.items()}
    print("| scene | light | off, deg | ambient | lamp, K | shade, K |\n|---|---|---|---|---|---|")
    for scene, light in found:
        told = f"{off[scene.name]:.0f}" if scene.name in off else "–"
        kelvin = [f"{temperature(colour):.0f}" for colour in (light.colour, light.shade)]
        cells = (
            scene.name,
            scene.truth["light_spec"]["env"],
            told,
            f"{light.ambient:.2f}",
            *kelvin,
        )
        print("| " + " | ".join(cells) + " |")
    if off:
        print(f"\nmedian {np.median(list(off.values())):.0f} deg")


if __name__ == "__main__":
    main()
