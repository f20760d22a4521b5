"""How rings are lit: path traced rings in a studio and on a finger, and ours.

    .venv-rendering/bin/python -B relit.py render --count 60 [--worker 0/2]
    ../.venv/bin/python -B relit.py score

The first renders each ring three times from one camera: alone in a studio, on a finger between two
others on a table, and those without the ring; ``relit-00000.npz`` and on in the cache. The second
takes the studio's picture to the light that it reads off the bare fingers. Nothing is turned, so
what differs from the truth is the light alone: PSNR and correlation inside the ring.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from worn import BORE_PX, CACHE, SIDE, finger

FIRST_SEED = 30_000_000
"""Of rings that nothing was taught."""
DESIGNS = (
    *("plain", "court", "knife-edge", "wide", "rope", "signet", "solitaire", "bezel", "halo"),
    *("three-stone", "row", "eternity", "cluster", "cabochon"),
)
STUDIOS = ("softboxes", "tent", "catalogue", "window")
ROOMS = ("window", "room", "hard", "overhead", "tent")
TABLES = ("oak", "paper", "grey", "granite", "marble", "velvet", "concrete", "sand")
SKINS = ((0.62, 0.42, 0.33), (0.45, 0.27, 0.19), (0.26, 0.14, 0.09), (0.10, 0.055, 0.04))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["render", "score"])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--worker", default="0/1", help="i/n: this process takes each n-th ring")
    asked = parser.parse_args()
    if asked.what == "score":
        score(sorted(CACHE.glob("relit-*.npz")))
        return
    import render

    CACHE.mkdir(parents=True, exist_ok=True)
    scene = render.set_up()
    scene.cycles.diffuse_bounces, scene.cycles.caustics_reflective = 3, True
    mine, workers = map(int, asked.worker.split("/"))
    for number in range(mine, asked.count, workers):
        path = CACHE / f"relit-{number:05d}.npz"
        if not path.exists():
            np.savez_compressed(path, **photographed(scene, FIRST_SEED + number))
            print(path.name, flush=True)


# --- the truth -----------------------------------------------------------------------------------


def photographed(scene: Any, seed: int) -> dict[str, Any]:
    """The ring in its studio (H, W, 4) with (H, W, 3) normals and px over the skin, the fingers
    with and without it, (H, W, 3), all linear light."""
    import grounds
    import lights
    import materials
    import render
    from truth import Camera

    rng = np.random.default_rng(seed)
    table = {name: render.DESIGNS["train"][name] for name in DESIGNS}
    design, ring = render.make_ring(rng, table)
    metal = str(rng.choice(list(materials.METALS)))
    pitch, roll = np.radians([rng.uniform(8, 32), rng.normal() * 6])
    towards = np.cos(pitch) * render.G + np.sin(pitch) * render.A
    up = np.sin(pitch) * render.G - np.cos(pitch) * render.A
    distance = float(rng.uniform(18, 30))
    middle = np.full(2, (SIDE - 1) / 2)
    basis = np.stack([np.cross(up, towards), up, towards], 1)
    camera = Camera(towards * distance, basis, BORE_PX * distance, middle)
    turned = np.array(
        [[np.cos(roll), 0, -np.sin(roll)], [0, 1, 0], [np.sin(roll), 0, np.cos(roll)]]
    )
    placed = render.Placed(ring, turned)
    studio, room = str(rng.choice(STUDIOS)), str(rng.choice(ROOMS))
    ground, skin = str(rng.choice(TABLES)), SKINS[rng.integers(len(SKINS))]
    gaps, card = rng.uniform(0.1, 1.4, 2), float(rng.uniform(0.3, 1.0))
    light_seed, ring_seed = (int(n) for n in rng.integers(2**31, size=2))

    def shot(kind: str, with_ring: bool, with_hand: bool) -> dict[str, Any]:
        render.clear()
        floor = np.eye(4)
        floor[:3, 3] = -1.02 * render.G
        if with_ring:
            metals = (metal, metal)
            render.add_ring(np.random.default_rng(ring_seed), scene, placed, camera, metals, {})
        if with_hand:
            nodes, _ = materials.matt("skin", skin, 0.5, specular=0.4)
            for bone in fingers(gaps):
                render.add_mesh(scene, bone, nodes.material)
            material = grounds.surface(np.random.default_rng(light_seed), ground)
        else:
            material = materials.matt("card", (card,) * 3)[0].material
        sheet = grounds.sweep(np.random.default_rng(light_seed), ground, False)
        render.add_mesh(scene, sheet, material, matrix=floor).visible_camera = with_hand
        world = lights.surroundings(np.random.default_rng(light_seed), kind, render.G, towards)
        render.set_world(scene, world, kind in lights.EVEN)
        render.set_camera(scene, camera, SIDE, SIDE, 0.0)
        scene.render.film_transparent = not with_hand
        scene.cycles.samples, scene.cycles.denoising_prefilter = 16, "ACCURATE"
        scene.view_layers[0].use_pass_normal = True
        scene.cycles.seed = seed % 2**31
        return render.traced(scene)

    alone, worn, bare = shot(studio, True, False), shot(room, True, True), shot(room, False, True)
    normal = np.stack([alone[f"Normal.{axis}"] for axis in "XYZ"], -1) @ basis * [1, -1, 1]
    point = camera.points_at(alone["Depth.Z"])
    height = (np.hypot(point[..., 0], point[..., 2]) - 1) * BORE_PX
    seen = np.clip(worn["truth"][..., :3].sum(-1), 0, 1)
    return {
        "name": f"{design}, {metal}, {room} on {ground}, from {studio}",
        "pitch_deg": np.degrees(pitch),
        "studio": alone["Combined"],
        "alpha": np.minimum(np.clip(alone["Combined"][..., 3], 0, 1), seen),
        "normal": normal.astype(np.float32),
        "height": np.clip(height, 0, BORE_PX).astype(np.float32),
        "worn": worn["Combined"][..., :3],
        "bare": bare["Combined"][..., :3],
    }


def fingers(gaps: Any) -> list[Any]:
    """Three that lie along the ring's axis; gaps between them, in radii."""
    from shapes import tube

    bones = []
    for side, gap in ((0, 0.0), (-1, gaps[0]), (1, gaps[1])):
        along = np.linspace(-9, 7, 60)
        across = side * (2 + gap + 0.03 * gap * (along + 9))
        path = np.stack([across, along, np.full(60, -0.02)], 1)
        bones.append(tube(path, 0.985, k=72))
    return bones


# --- ours ----------------------------------------------------------------------------------------


def score(paths: list[Path]) -> None:
    rows = []
    for path in paths:
        kept = np.load(path)
        rows.append(compared(kept))
        print(f"{path.stem}  " + "  ".join(f"{v:6.2f}" for v in rows[-1]) + f"  {kept['name']}")
    print("ours, the studio's, no ring, dB; correlation of ours, of the studio's:")
    print("mean         " + "  ".join(f"{v:6.2f}" for v in np.mean(rows, axis=0)))


def compared(kept: Any) -> tuple[float, ...]:
    """PSNR inside the ring of ours, of the studio's picture, of the bare finger; correlation with
    the truth of ours and of the studio's."""
    from anello.imaging.color import linear_to_srgb, luminance, srgb_to_linear
    from anello.imaging.lighting import estimate_light
    from anello.imaging.relighting import relight
    from anello.imaging.turn import Layer

    exposure = 0.6 / np.percentile(luminance(kept["bare"]), 97)
    bare, worn = (
        linear_to_srgb(np.clip(kept[name] * exposure, 0, 1).astype(np.float32))
        for name in ("bare", "worn")
    )
    alpha, cover = kept["alpha"], kept["studio"][..., 3:]
    straight = kept["studio"][..., :3] / np.maximum(cover, 1e-3)
    straight = straight * 0.85 / max(np.percentile(luminance(straight)[alpha > 0.9], 85), 1e-3)
    straight = srgb_to_linear(linear_to_srgb(np.clip(straight, 0, 1).astype(np.float32)))
    whole = (0, 0, SIDE, SIDE)
    studio = straight * alpha[..., None]
    layer = Layer(
        studio, alpha, towards_viewer(kept["normal"]), kept["height"], np.zeros_like(alpha), whole
    )

    lin = srgb_to_linear(bare)
    site = finger(float(kept["pitch_deg"]), 0.0)
    across = np.abs(np.arange(SIDE) - (SIDE - 1) / 2)
    skin = np.tile((across < 0.95 * BORE_PX).astype(np.float32), (SIDE, 1))
    lit = relight(layer, estimate_light(lin, skin, site, whole, lin), 1.0).color

    inside = alpha > 0.5
    truth = worn[inside].astype(float)

    def told(color: Any) -> Any:
        return linear_to_srgb(color + (1 - alpha[..., None]) * lin)[inside].astype(float)

    def psnr(seen: Any) -> float:
        return float(10 * np.log10(255**2 / ((seen - truth) ** 2).mean()))

    def correlation(seen: Any) -> float:
        return float(np.mean([np.corrcoef(seen[:, k], truth[:, k])[0, 1] for k in range(3)]))

    ours, shop = told(lit), told(studio)
    none = psnr(bare[inside].astype(float))
    return psnr(ours), psnr(shop), none, correlation(ours), correlation(shop)


def towards_viewer(normal: Any) -> Any:
    """Unit normals; (0, 0, 1) where nothing was met."""
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    unit = np.where(length > 0.3, normal / np.maximum(length, 1e-3), [0, 0, 1])
    return (unit * np.where(unit[..., 2:] < 0, [1, 1, -1], 1)).astype(np.float32)


if __name__ == "__main__":
    main()
