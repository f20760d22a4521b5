"""Path traced pictures of rings with exact truth, in shards that a network is trained on.

    python training/render.py --count 4000 [--fine] [--worker 0/2] [--minutes 80]

Renders what is missing in $ANELLO_TRAINING_CACHE (default training/cache): ``shard-NNNNN.npz`` to
train on, ``val-NNNNN.npz`` (one in ten) with designs and grounds that are in no other shard; or
larger pictures of open-work, ``fine-NNNNN.npz``. Each item depends on its own number only. See
README.md for what a shard holds. Needs `bpy` 4.5.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bpy  # noqa: E402
import cv2  # noqa: E402
import grounds  # noqa: E402
import lights  # noqa: E402
import materials  # noqa: E402
import numpy as np  # noqa: E402
import OpenEXR  # noqa: E402
from designs import TRAINING, VALIDATION, Ring, make_ring  # noqa: E402
from openwork import OPENWORK  # noqa: E402
from shapes import (  # noqa: E402
    SHARP_RAD,
    TAU,
    Float,
    Mesh,
    ball,
    box,
    joined,
    lathe,
    outline,
    plate,
    stone,
    tube,
)
from truth import (  # noqa: E402
    WINDOW_OF_ENDS,
    Camera,
    farthest_pair,
    polygon_mask,
    rim,
    silhouette,
    unit,
)

CACHE = Path(os.environ.get("ANELLO_TRAINING_CACHE", HERE / "cache"))
PER_SHARD = 16
SIDES = {"train": 384, "val": 384, "fine": 640}
"""The longer side of a picture, px."""
DESIGNS = {"train": TRAINING, "val": VALIDATION, "fine": OPENWORK}
GROUNDS = {"train": grounds.TRAINING, "val": grounds.VALIDATION, "fine": grounds.LAID_BEHIND}
SAMPLES = {"train": 7, "val": 7, "fine": 12}
"""Paths a pixel; the alpha is drawn from the surfaces, so few will do."""
SAMPLES_FOR_ALPHA = 18
"""Where things stand before the ring, or it is out of focus, the samples give the alpha."""
FIRST_SEED = {"train": 0, "val": 10_000_000, "fine": 20_000_000}
MEMORY_LIMIT = 1.6e9
"""The program starts itself anew beyond this, bytes: Blender keeps some of every scene."""
U, A, G = np.eye(3)
Rng = np.random.Generator


# --- what is in the picture ----------------------------------------------------------------------


@dataclass(eq=False)
class Placed:
    """A ring in the world (which is the first ring's own frame): world = turn @ ring + shift."""

    ring: Ring
    turn: Float = field(default_factory=lambda: np.eye(3))
    shift: Float = field(default_factory=lambda: np.zeros(3))

    def world(self, points: Float) -> Float:
        return points @ self.turn.T + self.shift

    def points(self, head: bool | None = None) -> Float:
        return self.world(
            np.concatenate(
                [p.mesh.points for p in self.ring.pieces if head is None or p.head == head]
            )
        )


@dataclass(eq=False)
class View:
    """How the ring is seen: unit vectors to the camera, its up, and the ground's normal."""

    pose: str
    towards: Float
    up: Float
    normal: Float


def choose_view(rng: Rng, ring: Ring, ground: str) -> View:
    pose = str(
        rng.choice(
            ["standing", "floating", "lying", "top", "face-on", "side"],
            p=[0.26, 0.40, 0.16, 0.08, 0.07, 0.03],
        )
    )
    if ground in ("box", "cushion"):
        pose = "standing"

    def seen(e: float, phi: float) -> Float:
        e, phi = np.radians(e), np.radians(phi)
        return np.sin(e) * A + np.cos(e) * (np.cos(phi) * G + np.sin(phi) * U)

    def turned(up: Float, towards: Float, degrees: float) -> Float:
        up = unit(up - (up @ towards) * towards)
        a = np.radians(degrees)
        return np.cos(a) * up + np.sin(a) * np.cross(towards, up)

    if pose == "standing":
        while True:
            h, psi = rng.uniform(6, 62), rng.uniform(-68, 68)
            e = np.degrees(np.arcsin(np.cos(np.radians(h)) * np.cos(np.radians(psi))))
            if 18 < e < 64 or rng.random() < 0.15:
                break
        h, psi = np.radians([h, psi])
        towards = np.sin(h) * G + np.cos(h) * (np.cos(psi) * A + np.sin(psi) * U)
        lean = np.radians(rng.normal() * 7) if ground not in ("box", "cushion") else 0.0
        normal = np.cos(lean) * G + np.sin(lean) * A
        return View(pose, towards, turned(normal, towards, rng.normal() * 4), normal)
    if pose == "lying":
        e = rng.uniform(15, 75)
        phi = [rng.normal() * 35, rng.uniform(-180, 180), 180 + rng.normal() * 30][
            int(rng.choice(3, p=[0.6, 0.25, 0.15]))
        ]
        normal = resting_normal(ring)
        towards = seen(e, phi)
        if towards @ normal < 0.15:
            towards = unit(towards + 0.4 * normal)
        return View(pose, towards, turned(normal, towards, rng.normal() * 7), normal)
    e, phi = {
        "floating": (
            rng.uniform(18, 62) if rng.random() < 0.85 else rng.uniform(8, 78),
            np.clip(rng.normal() * 22, -65, 65),
        ),
        "top": (rng.uniform(0, 14), rng.normal() * 10),
        "face-on": (
            rng.uniform(74, 89.5),
            rng.normal() * 20 if rng.random() < 0.75 else rng.uniform(-180, 180),
        ),
        "side": (rng.uniform(2, 20), rng.choice([-1, 1]) * rng.uniform(50, 110)),
    }[pose]
    towards = seen(float(e), float(phi))
    kind = rng.random()
    roll = (
        rng.normal() * 14
        if kind < 0.7
        else rng.uniform(-35, 35)
        if kind < 0.95
        else rng.uniform(-180, 180)
    )
    if pose == "face-on":
        roll *= 0.5
    up = turned(-A, towards, roll)
    h = np.radians(
        rng.uniform(8, 70) if pose in ("floating", "face-on", "side") else rng.uniform(30, 90)
    )
    return View(pose, towards, up, np.cos(h) * up + np.sin(h) * towards)


def resting_normal(ring: Ring) -> Float:
    """The ground's normal where the ring lies on its rim and, if that is wider, its head."""
    points = np.concatenate([p.mesh.points for p in ring.pieces])
    best, least = A, np.inf
    for tau in np.radians(np.arange(-40, 41, 2.0)):
        n = np.cos(tau) * A + np.sin(tau) * G
        low = points[np.argmin(points @ n)] @ n
        height = -low  # of the centre above the ground
        if height < least - 1e-9:
            best, least = n, height
    return best


def second_ring(rng: Rng, split: str, first: Placed, view: View) -> Placed:
    """Another ring (or the same design) beside or behind the first, on the same ground."""
    _, ring = make_ring(rng, DESIGNS[split])
    if rng.random() < 0.4:
        ring = first.ring
    n = view.normal
    a = rng.normal() * 0.5
    k = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
    turn = (np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k) * rng.uniform(0.8, 1.15)
    side = unit(np.cross(view.up, view.towards))
    side = unit(side - (side @ n) * n)
    other = Placed(ring, turn)
    if rng.random() < 0.5:  # side by side
        mine, its = first.points() @ side, other.points() @ side
        where = side * (mine.max() - its.min() + rng.uniform(0.02, 0.6))
    else:  # one behind the other along the axis
        away = unit(A - (A @ n) * n) if abs(A @ n) < 0.8 else side
        mine, its = first.points() @ away, other.points() @ away
        where = -away * (mine.max() - its.min() + rng.uniform(0.02, 0.4))
        if abs(A @ n) < 0.8:
            where = where + unit(np.cross(n, away)) * rng.normal() * 0.6
    where = where * rng.choice([-1, 1]) if rng.random() < 0.0 else where
    drop = (first.points() @ n).min() - (other.points() @ n).min()
    other.shift = where + (drop - where @ n) * n
    return other


def frame(rng: Rng, view: View, points: Float, width: int, height: int) -> Camera:
    """A camera that has the points somewhere in its picture, small, filling it, or cut by it."""
    towards = view.towards
    distance = float(rng.uniform(6, 22))
    up = unit(view.up - (view.up @ towards) * towards)
    basis = np.stack([np.cross(up, towards), up, towards], 1)
    position = towards * distance
    raw = Camera(position, basis, 1.0, np.zeros(2)).project(points)
    low, high = raw.min(0), raw.max(0)
    kind = rng.random()
    fill = (
        rng.uniform(0.6, 0.95)
        if kind < 0.66
        else rng.uniform(0.38, 0.6)
        if kind < 0.86
        else rng.uniform(0.2, 0.38)
        if kind < 0.91
        else rng.uniform(0.95, 1.35)
    )
    focal = fill * min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    slack = np.abs(np.array([width, height]) - focal * (high - low))
    target = np.array([width, height]) / 2 + slack * np.clip(rng.normal(size=2) * 0.16, -0.5, 0.5)
    centre = target - focal * (low + high) / 2
    return Camera(position, basis, float(focal), centre - 0.5)


def things(rng: Rng) -> tuple[str, list[tuple[Mesh, Any]]]:
    """What is no ring, standing on z = 0 about the origin, with materials."""
    kind = str(
        rng.choice(
            [
                "blank",
                "cup",
                "coin",
                "bowl",
                "gems",
                "blocks",
                "bottle",
                "pen",
                "spheres",
                "empty-box",
                "key",
            ]
        )
    )

    def matter() -> Any:
        if rng.random() < 0.45:
            name = str(rng.choice(list(materials.METALS)))
            n, _ = materials.matt(name, materials.METALS[name], rng.uniform(0.05, 0.4), 1.0)
        else:
            n, _ = materials.matt(
                "thing",
                grounds.colour(rng, (0, 1), (0.1, 1)),
                rng.uniform(0.05, 0.8),
                coat=float(rng.random() < 0.4),
            )
        return n.material

    out: list[tuple[Mesh, Any]] = []
    if kind == "cup":
        r = rng.uniform(0.8, 1.2)
        wall = np.array(
            [
                [0.05, 0],
                [0.7 * r, 0],
                [0.9 * r, 0.5],
                [r, 2 * r],
                [r - 0.08, 2 * r],
                [0.84 * r, 0.5],
                [0.6 * r, 0.12],
                [0.05, 0.12],
            ]
        )
        m = matter()
        out.append((lathe(wall), m))
        a = np.linspace(-1.4, 1.4, 24)
        out.append(
            (
                tube(
                    np.column_stack(
                        [r * 0.93 + 0.55 * r * np.cos(a), 0 * a, r + 0.6 * r * np.sin(a)]
                    ),
                    0.12,
                ),
                m,
            )
        )
    elif kind == "coin":
        edge = np.array([[0.05, 0], [1, 0], [1, 0.13], [0.9, 0.13], [0.88, 0.11], [0.05, 0.11]])
        m = matter()
        for k in range(int(rng.integers(1, 4))):
            out.append(
                (lathe(edge).moved(shift=(*(rng.normal(size=2) * 0.9 * (k > 0)), 0.13 * k)), m)
            )
        t = np.linspace(0, TAU, 80, endpoint=False)
        r = 0.5 + 0.2 * np.cos(int(rng.integers(2, 7)) * t)
        out.append(
            (tube(np.column_stack([r * np.cos(t), r * np.sin(t), 0 * t + 0.12]), 0.04, True), m)
        )
    elif kind == "bowl":
        a = np.linspace(0.05, np.pi / 2 - 0.05, 14)
        outer = np.column_stack([1.2 * np.sin(a), 1 - np.cos(a)])
        out.append((lathe(np.concatenate([outer, outer[::-1] * 0.93 + [0, 0.08]])), matter()))
    elif kind == "gems":
        for _ in range(int(rng.integers(1, 5))):
            name = str(rng.choice(["clear", *materials.STONES]))
            cut = stone(str(rng.choice(["round", "oval", "pear", "emerald", "cushion"])))
            m = materials.gem(rng, name)
            out.append(
                (cut.moved(np.eye(3) * rng.uniform(0.4, 0.8), (*rng.normal(size=2) * 1.2, 0.5)), m)
            )
    elif kind == "blocks":
        for _ in range(int(rng.integers(1, 4))):
            size = rng.uniform(0.4, 1.6, 3)
            out.append((box(size, (*rng.normal(size=2), size[2] / 2)), matter()))
    elif kind == "bottle":
        p = np.array(
            [
                [0.05, 0],
                [0.7, 0],
                [0.72, 1.6],
                [0.6, 1.9],
                [0.25, 2.1],
                [0.25, 2.7],
                [0.3, 2.72],
                [0.3, 2.85],
                [0.05, 2.86],
            ]
        )
        out.append((lathe(p), matter()))
    elif kind == "pen":
        a = rng.uniform(0, TAU)
        line = np.linspace(-1.8, 1.8, 30)
        out.append(
            (
                tube(
                    np.column_stack([line * np.cos(a), line * np.sin(a), 0 * line + 0.16]),
                    0.15 * np.clip((1.85 - np.abs(line)) * 3, 0.1, 1),
                    k=16,
                ),
                matter(),
            )
        )
    elif kind == "spheres":
        for _ in range(int(rng.integers(1, 6))):
            r = rng.uniform(0.2, 0.8)
            out.append((ball(r, (*rng.normal(size=2) * 1.2, r), 20), matter()))
    elif kind == "empty-box":
        m = matter()
        for x, y, sx, sy in (
            (1.4, 0, 0.15, 3),
            (-1.4, 0, 0.15, 3),
            (0, 1.4, 3, 0.15),
            (0, -1.4, 3, 0.15),
        ):
            out.append((box((sx, sy, 1.2), (x, y, 0.6)), m))
        out.append((box((2.7, 2.7, 0.8), (0, 0, 0.4), 0.3), matter()))
    elif kind == "key":
        m = matter()
        out.append((plate(outline("round") * 0.6, 0.12, 0.03), m))
        out.append((box((0.25, 2.2, 0.12), (0, -1.5, 0.06)), m))
        for k in range(3):
            out.append((box((0.35, 0.18, 0.12), (0.25, -2.4 + 0.3 * k, 0.06)), m))
    return kind, out


# --- into Blender --------------------------------------------------------------------------------


def set_up() -> Any:
    """The scene's settings, once a process."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    c = scene.cycles
    c.device = "CPU"
    c.use_adaptive_sampling = False
    c.use_denoising, c.denoiser = True, "OPENIMAGEDENOISE"
    c.denoising_input_passes, c.denoising_quality = "RGB_ALBEDO_NORMAL", "FAST"
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces = 7, 1, 4
    c.transmission_bounces, c.transparent_max_bounces = 7, 2
    c.sample_clamp_indirect, c.blur_glossy = 4.0, 0.3
    c.caustics_reflective = c.caustics_refractive = False
    r = scene.render
    r.use_persistent_data = False
    r.threads_mode, r.threads = "FIXED", int(os.environ.get("ANELLO_THREADS", "2"))
    r.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    r.image_settings.exr_codec, r.image_settings.color_depth = "NONE", "16"
    scene.view_settings.view_transform = "Raw"
    layer = scene.view_layers[0]
    layer.use_pass_z = True
    aov = layer.aovs.add()
    aov.name, aov.type = "truth", "COLOR"
    return scene


def clear() -> None:
    for collection in (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.materials,
        bpy.data.images,
        bpy.data.worlds,
        bpy.data.cameras,
        bpy.data.lights,
    ):
        for item in list(collection):
            collection.remove(item)


def add_mesh(
    scene: Any,
    mesh: Mesh,
    material: Any,
    near: Float | None = None,
    head: float = 0.0,
    matrix: Float | None = None,
) -> Any:
    """An object of that mesh; ``near`` (one a point) and ``head`` are for the truth."""
    data = bpy.data.meshes.new("m")
    n_quads, n_tris = len(mesh.quads), len(mesh.triangles)
    data.vertices.add(len(mesh.points))
    data.vertices.foreach_set("co", mesh.points.astype(np.float32).ravel())
    loops = np.concatenate([mesh.quads.ravel(), mesh.triangles.ravel()]).astype(np.int32)
    data.loops.add(len(loops))
    data.loops.foreach_set("vertex_index", loops)
    data.polygons.add(n_quads + n_tris)
    starts = np.concatenate([np.arange(n_quads) * 4, n_quads * 4 + np.arange(n_tris) * 3])
    data.polygons.foreach_set("loop_start", starts.astype(np.int32))
    data.update(calc_edges=True)
    data.polygons.foreach_set("use_smooth", np.full(n_quads + n_tris, mesh.smooth))
    if mesh.smooth:
        data.set_sharp_from_angle(angle=SHARP_RAD)
    if near is not None:
        for name, values in (("near", near), ("head", np.full(len(mesh.points), head))):
            attribute = data.attributes.new(name, "FLOAT", "POINT")
            attribute.data.foreach_set("value", values.astype(np.float32))
    data.materials.append(material)
    item = bpy.data.objects.new("o", data)
    scene.collection.objects.link(item)
    if matrix is not None:
        import mathutils

        item.matrix_world = mathutils.Matrix(matrix.tolist())
    return item


def add_ring(
    rng: Rng,
    scene: Any,
    placed: Placed,
    camera: Camera,
    metals: tuple[str, str],
    made: dict[str, Any],
) -> None:
    to_ring = placed.turn.T / np.cbrt(np.linalg.det(placed.turn)) ** 2
    v = to_ring @ (camera.position - placed.shift)
    v = unit(v * [1, 0, 1])
    groups: dict[tuple[str, bool, bool], list[Mesh]] = {}
    for piece in placed.ring.pieces:
        groups.setdefault((piece.material, piece.head, piece.mesh.smooth), []).append(piece.mesh)
    for (name, head, _), meshes in groups.items():
        mesh = joined(meshes)
        near = mesh.points @ v
        if name not in made:
            made[name] = ring_material(rng, name, metals, placed.ring.stones)
        add_mesh(
            scene,
            Mesh(placed.world(mesh.points), mesh.quads, mesh.triangles, mesh.smooth),
            made[name],
            near,
            float(head),
        )


def ring_material(rng: Rng, name: str, metals: tuple[str, str], stones: str) -> Any:
    finish = str(
        rng.choice(
            ["polished", "satin", "brushed", "hammered", "sanded"], p=[0.7, 0.12, 0.08, 0.05, 0.05]
        )
    )
    if name == "metal":
        return materials.metal(rng, metals[0], finish)
    if name == "metal2":
        return materials.metal(rng, metals[1], finish)
    if name == "brushed":
        return materials.metal(
            rng, metals[int(rng.random() < 0.5)], str(rng.choice(["brushed", "satin", "sanded"]))
        )
    if name == "pearl":
        return materials.pearl(rng)
    if name == "inlay":
        return materials.inlay(rng)
    if name == "opaque":
        return materials.opaque(rng, str(rng.choice(list(materials.OPAQUE))))
    coloured = {"clear": 0.0, "any": 0.5, "coloured": 1.0, "opaque": 0.5}[stones]
    if name == "small":
        coloured *= 0.25
    if rng.random() < coloured:
        return materials.gem(rng, str(rng.choice(list(materials.STONES))))
    return materials.gem(rng, "clear")


def set_world(scene: Any, picture: Float, even: bool) -> None:
    """The surroundings; ``even`` light is found by chance, without aiming at it (40 % faster)."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new("world", width, height, alpha=False, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = picture
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    world = bpy.data.worlds.new("w")
    world.use_nodes = True
    tree = world.node_tree
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    tree.links.new(texture.outputs[0], tree.nodes["Background"].inputs["Color"])
    world.cycles.sampling_method = "NONE" if even else "MANUAL"
    world.cycles.sample_map_resolution = 256
    scene.world = world


def set_camera(scene: Any, camera: Camera, width: int, height: int, blur: float) -> None:
    import mathutils

    data = bpy.data.cameras.new("c")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
    data.lens = camera.focal / width * 36
    data.shift_x = float((width / 2 - 0.5 - camera.centre_xy[0]) / width)
    data.shift_y = float((camera.centre_xy[1] + 0.5 - height / 2) / width)
    data.clip_start, data.clip_end = 0.1, 500
    if blur:
        data.dof.use_dof = True
        data.dof.focus_distance = float(np.linalg.norm(camera.position) - 0.6)
        data.dof.aperture_fstop = data.lens * 1e-3 / blur
    item = bpy.data.objects.new("c", data)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = camera.basis, camera.position
    item.matrix_world = mathutils.Matrix(matrix.tolist())
    scene.collection.objects.link(item)
    scene.camera = item
    scene.render.resolution_x, scene.render.resolution_y = width, height


@contextmanager
def quiet() -> Any:
    """Blender's own talk goes nowhere."""
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)


def traced(scene: Any) -> dict[str, Float]:
    """The passes of one render: Combined (H, W, 4) linear premultiplied, truth, depth."""
    path = Path(tempfile.gettempdir()) / f"anello-{os.getpid()}.exr"
    scene.render.filepath = str(path)
    with quiet():
        bpy.ops.render.render(write_still=True)
    found = {
        k.split(".", 1)[1]: np.asarray(c.pixels, np.float32)
        for k, c in OpenEXR.File(str(path)).channels().items()
    }
    path.unlink()
    return found


# --- one item ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Chosen:
    """What a picture shows, by the first numbers of its seed."""

    ground: str
    what: str
    width: int
    height: int
    metals: tuple[str, str]
    design: str
    ring: Ring
    view: View


def choose(rng: Rng, split: str) -> Chosen:
    table = GROUNDS[split]
    names = list(table)
    weights = np.array([table[n] for n in names])
    ground = str(rng.choice(names, p=weights / weights.sum()))
    what = str(rng.choice(["ring", "pair", "none"], p=[0.865, 0.085, 0.05]))
    if what == "none" and ground in ("box", "cushion"):
        ground = "velvet"
    if what == "none" and ground == "mirror":
        ground = "grey"
    longer = SIDES[split]
    width, height = [(longer, longer), (longer, longer * 3 // 4), (longer * 3 // 4, longer)][
        int(rng.choice(3, p=[0.64, 0.18, 0.18]))
    ]
    kinds = list(materials.METALS)
    p = np.array([3, 0.8, 0.6, 2, 0.7, 2.5, 4, 1.6, 0.7, 0.7, 0.6, 0.3])
    if ground in grounds.WHITE:
        p[5:9] *= 1.4
    metals = (str(rng.choice(kinds, p=p / p.sum())), str(rng.choice(kinds, p=p / p.sum())))
    design, ring = make_ring(rng, DESIGNS[split])
    return Chosen(ground, what, width, height, metals, design, ring, choose_view(rng, ring, ground))


def make_item(scene: Any, seed: int, split: str) -> dict[str, Any]:
    """A picture and all that is true of it."""
    rng = np.random.default_rng(seed)
    clear()
    c = choose(rng, split)
    ground, what, width, height = c.ground, c.what, c.width, c.height
    metals, design, ring, view = c.metals, c.design, c.ring, c.view
    white = ground in grounds.WHITE
    rings: list[Placed] = []
    if what == "none":
        design = "none"
        h = np.radians(rng.uniform(15, 75))
        view = View("none", unit([0, -np.cos(h), np.sin(h)]), G, G)
        thing, meshes = things(rng)
        at = np.concatenate([m.points for m, _ in meshes] or [np.array([[-1, -1, 0], [1, 1, 0.5]])])
        camera = frame(rng, view, at, width, height)
        low = 0.0
    else:
        rings.append(Placed(ring))
        if what == "pair" and ground not in ("box", "cushion"):
            rings.append(second_ring(rng, split, rings[0], view))
        else:
            what = "ring"
        points = np.concatenate([r.points() for r in rings])
        camera = frame(rng, view, points, width, height)
        low = float((points @ view.normal).min())
        if view.pose == "floating" and rng.random() < 0.15:
            low -= rng.uniform(0.05, 1.0)
    made: dict[str, Any] = {}
    for k, placed in enumerate(rings):
        if k and rng.random() < 0.5:
            made = {}
        add_ring(rng, scene, placed, camera, metals if k == 0 or made else metals[::-1], made)
    n = view.normal
    away = -(view.towards - (view.towards @ n) * n)
    away = unit(away) if np.linalg.norm(away) > 0.05 else unit(view.up - (view.up @ n) * n)
    floor = np.eye(4)
    floor[:3, 0], floor[:3, 1], floor[:3, 2] = np.cross(away, n), away, n
    floor[:3, 3] = n * (low - 0.003)
    if what == "none":
        for mesh, material in meshes:
            matrix = floor.copy()
            matrix[:3, 3] = 0
            add_mesh(scene, mesh, material)
    flat = ground in grounds.FLAT
    if flat:
        n_, _ = materials.matt("card", (float(rng.uniform(0.3, 1.0)),) * 3)
        sheet = add_mesh(scene, grounds.sweep(rng, "card", False), n_.material, matrix=floor)
        sheet.visible_camera = False
        floor[:3, 3] = n * (low - rng.uniform(0.0, 1.5))
        sheet.matrix_world = __import__("mathutils").Matrix(floor.tolist())
    else:
        material = grounds.surface(rng, ground)
        shy = view.towards @ n < 0.75
        if ground in ("box", "cushion"):
            half = float(np.abs(ring.pieces[0].mesh.points[:, 1]).max())
            deep = float(rng.uniform(-0.75, -0.3)) if ground == "box" else low
            parts = (
                grounds.slot(rng, deep, half, rng.random() < 0.6)
                if ground == "box"
                else [grounds.cushion(rng, low)]
            )
            for part in parts:
                add_mesh(scene, part, material)
            other = grounds.surface(
                rng, str(rng.choice(["paper", "grey", "oak", "marble", "velvet"]))
            )
            floor[:3, 3] = n * (low - (1.6 if ground == "box" else 1.2))
            add_mesh(scene, grounds.sweep(rng, "box", shy), other, matrix=floor)
        else:
            sheet = grounds.sweep(rng, ground, shy)
            add_mesh(scene, sheet, material, matrix=floor)
        if what != "none" and not white and rng.random() < 0.18:
            clutter(rng, scene, floor, points)
    kinds = list(lights.TRAINING)
    p = np.array([lights.TRAINING[k] for k in kinds])
    if ground in grounds.BURNT:
        p = p * np.array([1.3, 1, 1, 1, 0.8, 0.15, 0.4, 1.4])
    light = str(rng.choice(kinds, p=p / p.sum()))
    set_world(scene, lights.surroundings(rng, light, n, view.towards), light in lights.EVEN)
    blur = float(rng.uniform(0.05, 0.22)) if rng.random() < 0.08 and not flat else 0.0
    hidden = ground in ("box", "cushion", "silk")
    scene.cycles.samples = SAMPLES_FOR_ALPHA if blur or hidden else SAMPLES[split]
    # Takes a fifth longer, and at the smaller size stones are as smooth without.
    scene.cycles.denoising_prefilter = "ACCURATE" if split == "fine" else "NONE"
    scene.render.use_border = flat
    if flat:  # nothing but the ring is in the picture
        xy = camera.project(points if rings else at) if rings or len(meshes) else np.zeros((1, 2))
        low_xy, high_xy = xy.min(0) - 4, xy.max(0) + 5
        scene.render.border_min_x = float(np.clip(low_xy[0] / width, 0, 0.99))
        scene.render.border_max_x = float(np.clip(high_xy[0] / width, 0.01, 1))
        scene.render.border_min_y = float(np.clip(1 - high_xy[1] / height, 0, 0.99))
        scene.render.border_max_y = float(np.clip(1 - low_xy[1] / height, 0.01, 1))
    set_camera(scene, camera, width, height, blur)
    scene.render.film_transparent = flat
    scene.cycles.seed = seed % 2**31
    passes = traced(scene)

    parts = np.clip(passes["truth"][..., :3], 0, 1).astype(float)
    alpha = np.clip(parts.sum(-1), 0, 1)
    if rings and not (blur or hidden):
        alpha = outlined(rings, camera, width, height)
    alpha[alpha < 0.004] = 0
    alpha[alpha > 0.996] = 1
    label = labelled(parts, alpha)
    colour = passes["Combined"].astype(float)
    image = developed(rng, colour, alpha, ground, flat, metals[0])

    opening = np.zeros((height, width))
    contacts: list[Any] = []
    for placed in rings:
        to_camera = placed.turn.T @ (camera.position - placed.shift)
        side = 1.0 if to_camera[1] > 0 else -1.0
        bands = np.concatenate([p.mesh.points for p in placed.ring.pieces if not p.head])
        edge, within = rim(bands, placed.ring.thick, side)
        inside = polygon_mask(camera.project(placed.world(within)), width, height)
        if not flat:
            scale = np.cbrt(np.linalg.det(placed.turn))
            where = (camera.points_at(passes["Depth.Z"]) - placed.shift) @ placed.turn / scale**2
            inside = inside * (where[..., 1] * side < (edge[:, 1] * side).max() + 0.02)
        opening = np.maximum(opening, inside * (1 - alpha))
        ends, _ = rim(bands, placed.ring.thick, side, WINDOW_OF_ENDS)
        near = float(np.arctan2(to_camera[0], to_camera[2]))
        contacts.append(farthest_pair(camera.project(placed.world(ends)), near).round(2).tolist())
    meta: dict[str, Any] = {
        "design": design,
        "metal": metals[0] if rings else None,
        "ground": ground,
        "light": light,
        "pose": view.pose,
        "seed": seed,
        "split": split,
        "view": "none",
        "contact_xy": None,
        "head_xy": None,
        "elevation_deg": None,
        "rotation_deg": None,
        "roll_deg": None,
        "contacts_all_xy": contacts,
        "size": [width, height],
        "thing": thing if what == "none" else None,
    }
    if rings:
        v = unit(camera.position)
        e = float(np.degrees(np.arcsin(np.clip(abs(v[1]), 0, 1))))
        phi = float(np.degrees(np.arctan2(v[0], v[2])))
        meta["elevation_deg"], meta["roll_deg"] = round(e, 2), round(phi, 2)
        side = np.sign(v[1]) or 1.0
        up = -side * A + (side * A @ v) * v  # towards the near half, in the picture
        if np.linalg.norm(up) > 1e-3:
            x, y = up @ camera.basis[:, 0], up @ camera.basis[:, 1]
            meta["rotation_deg"] = round(float(np.degrees(np.arctan2(x, y))), 2)
        meta["view"] = (
            "pair"
            if what == "pair"
            else "face-on"
            if e >= 70
            else ("top" if abs(phi) < 45 else "side")
            if e < 15
            else "lying"
            if view.pose == "lying"
            else "three-quarter"
        )
        if what == "ring":
            meta["contact_xy"] = contacts[0]
            if ring.head_at is not None:
                meta["head_xy"] = camera.project(np.array([ring.head_at]))[0].round(2).tolist()
    return {
        "image": encoded(image, ".jpg"),
        "alpha": encoded(np.round(alpha * 255), ".png"),
        "parts": encoded(label, ".png"),
        "opening": encoded(np.round(opening * 255), ".png"),
        "meta": json.dumps(meta),
    }


def outlined(rings: list[Placed], camera: Camera, width: int, height: int) -> Float:
    """(H, W) exact coverage of rings that nothing stands before (samples alone are too few)."""
    alpha = np.zeros((height, width))
    for placed in rings:
        for piece in placed.ring.pieces:
            m = piece.mesh
            triangles = np.concatenate([m.triangles, m.quads[:, :3], m.quads[:, [0, 2, 3]]])
            alpha = np.maximum(
                alpha, silhouette(camera, placed.world(m.points), triangles, width, height)
            )
    return alpha


def labelled(parts: Float, alpha: Float) -> Any:
    """(H, W) uint8 of 0 ground, 1 front, 2 rear, 3 head, from the parts' sampled coverage."""
    label = np.where(parts.sum(-1) > 0.02, 1 + parts.argmax(-1), 0).astype(np.uint8)
    lacking = (alpha > 0.5) & (label == 0)
    if lacking.any():
        label = np.where(lacking, cv2.dilate(label, np.ones((3, 3))), label)
    return np.where(alpha > 0.5, label, 0).astype(np.uint8)


def clutter(rng: Rng, scene: Any, floor: Float, points: Float) -> None:
    """A few things that stand about behind and beside the ring."""
    local = (points - floor[:3, 3]) @ floor[:3, :3]
    low, high = local.min(0), local.max(0)
    for _ in range(int(rng.integers(1, 4))):
        n, _ = materials.matt(
            "thing", grounds.colour(rng, (0, 0.9), (0.1, 1)), rng.uniform(0.1, 0.9)
        )
        size = rng.uniform(0.4, 2.0)
        mesh = [
            ball(size, n=20),
            box((size * 2, size, size * 1.4)),
            plate(outline("marquise") * size, 0.1, 0.03),
        ][int(rng.integers(3))]
        x = (
            rng.choice(
                [low[0] - size * 1.6 - rng.uniform(0, 2), high[0] + size * 1.6 + rng.uniform(0, 2)]
            )
            if rng.random() < 0.6
            else rng.normal()
        )
        y = (
            rng.uniform(-0.5, 4)
            if abs(x) > high[0] + size
            else high[1] + size * 1.6 + rng.uniform(0.5, 4)
        )
        matrix = floor.copy()
        matrix[:3, 3] = floor[:3, 3] + floor[:3, :3] @ np.array([x, y, -mesh.points[:, 2].min()])
        add_mesh(scene, mesh, n.material, matrix=matrix)


def developed(rng: Rng, traced_: Float, alpha: Float, ground: str, flat: bool, metal: str) -> Any:
    """(H, W, 3) uint8 sRGB: exposed, laid on its ground, toned."""
    height, width = alpha.shape
    light = traced_[..., :3]
    cover = traced_[..., 3:]
    lum = light @ [0.2126, 0.7152, 0.0722]
    solid = alpha > 0.95
    open_ground = (alpha < 0.02) & (cover[..., 0] > 0.5)
    target = rng.uniform(0.32, 0.72) if metal in materials.WHITE else rng.uniform(0.22, 0.45)
    mean = (
        float(np.clip(lum[solid], 0, 3 * np.median(lum[solid]) + 0.1).mean())
        if solid.sum() > 50
        else float(np.percentile(lum, 80))
    )
    gain = target / max(1e-4, mean)
    if ground in grounds.BURNT and open_ground.any():  # retouched: ring and ground apart
        level = np.percentile(lum[open_ground], rng.uniform(20, 70))
        burnt = rng.uniform(0.97, 1.25) / max(1e-4, level)
        apart = rng.random() < 0.6 or burnt * mean > 0.85
        ring_gain = gain if apart else burnt
        light = light * (ring_gain * alpha + burnt * (1 - alpha))[..., None]
        cast = light[open_ground].mean(0)  # and a white ground has no cast
        light = light * (cast.mean() / cast) ** rng.uniform(0.5, 1)
    else:
        if not flat and open_ground.any():
            bright = max(1e-4, float(np.percentile(lum[open_ground], 80)))
            gain = min(gain, {"black-gloss": 0.5}.get(ground, 0.95) / bright)
            if ground == "near-white":
                gain = rng.uniform(0.7, 0.93) / bright
        light = light * gain
        if rng.random() < 0.5:
            light = light * (1 + rng.normal(size=3) * 0.03)
    if rng.random() < 0.5:  # a shoulder instead of a cliff
        knee = rng.uniform(0.6, 0.9)
        over = np.maximum(light - knee, 0)
        soft = np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
        light = np.where(solid[..., None] | (ground not in grounds.BURNT), soft, light)
    light = np.clip(light, 0, cover if flat else 1)
    if flat:
        behind = grounds.flat_picture(rng, ground, width, height) ** 2.2
        if rng.random() < 0.35 and alpha.any():  # the shadow that shops paint
            behind = behind * (1 - painted_shadow(rng, alpha)[..., None])
        light = light + (1 - cover) * behind
    srgb = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055
    )
    return np.round(np.clip(srgb, 0, 1) * 255).astype(np.uint8)


def painted_shadow(rng: Rng, alpha: Float) -> Float:
    """(H, W) darkening: a blurred copy of the ring, shifted, or an ellipse at its foot."""
    height, width = alpha.shape
    ys, xs = np.nonzero(alpha > 0.5)
    if len(ys) < 20:
        return np.zeros_like(alpha)
    size = float(xs.max() - xs.min() + ys.max() - ys.min()) / 2
    if rng.random() < 0.5:
        dark = np.zeros((height, width), np.float32)
        cv2.ellipse(
            dark,
            (int(xs.mean()), int(ys.max() - 0.02 * size)),
            (int(size * rng.uniform(0.25, 0.5)), int(size * rng.uniform(0.03, 0.1))),
            0,
            0,
            360,
            1.0,
            -1,
        )
    else:
        move = np.float32(
            [[1, 0, rng.normal() * 0.06 * size], [0, 1, abs(rng.normal()) * 0.08 * size]]
        )
        dark = cv2.warpAffine(alpha.astype(np.float32), move, (width, height))
    dark = cv2.GaussianBlur(dark, (0, 0), max(1.0, size * rng.uniform(0.01, 0.06)))
    return dark * rng.uniform(0.1, 0.6)


def encoded(image: Any, kind: str) -> Any:
    image = np.asarray(image, np.uint8)
    options = (
        [
            cv2.IMWRITE_JPEG_QUALITY,
            94,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        if kind == ".jpg"
        else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    done, data = cv2.imencode(kind, image[..., ::-1] if image.ndim == 3 else image, options)
    assert done
    return data.ravel()


# --- shards --------------------------------------------------------------------------------------


def shard_name(place: int, fine: bool) -> tuple[str, str, int]:
    """File name, split and number of the shard at that place: the sixth of each ten validates."""
    if fine:
        return f"fine-{place:05d}.npz", "fine", place
    tens, rest = divmod(place, 10)
    if rest == 5:
        return f"val-{tens:05d}.npz", "val", tens
    number = tens * 9 + rest - (rest > 5)
    return f"shard-{number:05d}.npz", "train", number


def write_shard(scene: Any, name: str, split: str, number: int, until: float) -> int:
    """Renders a shard; gives the number of its items, 0 if time ran out."""
    items = []
    for k in range(PER_SHARD):
        if time.time() > until:
            return 0
        seed = FIRST_SEED[split] + number * PER_SHARD + k
        items.append(make_item(scene, seed, split))
    arrays: dict[str, Any] = {"meta": np.array([item["meta"] for item in items])}
    for key in ("image", "alpha", "parts", "opening"):
        arrays[f"{key}_bytes"] = np.concatenate([item[key] for item in items])
        arrays[f"{key}_offsets"] = np.cumsum([0] + [len(item[key]) for item in items])
    temporary = CACHE / f".{name}.{os.getpid()}.tmp"
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    temporary.rename(CACHE / name)
    return len(items)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=4000, help="items wanted in all")
    parser.add_argument("--fine", action="store_true", help="open-work, larger, on plain grounds")
    parser.add_argument("--worker", default="0/1", help="i/n: this process takes each n-th shard")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long")
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    until = asked.until or time.time() + 60 * asked.minutes
    mine, workers = map(int, asked.worker.split("/"))
    CACHE.mkdir(parents=True, exist_ok=True)
    scene = set_up()
    for place in range(mine, -(-asked.count // PER_SHARD), workers):
        name, split, number = shard_name(place, asked.fine)
        if (CACHE / name).exists():
            continue
        began = time.time()
        n = write_shard(scene, name, split, number, until)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if not n:
            break
        print(
            f"{time.strftime('%H:%M:%S')} {name}: {(time.time() - began) / n:.2f} s an item, "
            f"{memory / 1e6:.0f} MB",
            flush=True,
        )
        if memory > MEMORY_LIMIT:
            os.execv(sys.executable, [sys.executable, *sys.argv, "--until", str(until)])


if __name__ == "__main__":
    main()
