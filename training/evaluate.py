"""How good cut-outs are: the ring network, what `anello` makes of it, and other ways.

    python training/evaluate.py table [--synth FOLDER] [--photos FOLDER]
    python training/evaluate.py misses --photos FOLDER
    python training/evaluate.py sheet --photos FOLDER [--out sheet]

`table` compares with known alphas (validation shards, the bench's scenes) and with points marked by
hand on real photos (`marks.json`), as they are and made worse (`worse.py`); `misses` lists those
that came out wrong; `sheet` draws photo and cut-outs side by side, to be judged by eye. Runs on the
package and its runtime; PyTorch is not needed. U^2-Net is compared with where its ONNX file and
onnxruntime are there (`--u2netp FILE`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from augment import photographed, recomposed
from data import CACHE, Item, Picture, Rings
from worse import UNMOVED, WORSE, Way

from anello.imaging.matting import Cutout, cut_out
from anello.imaging.mending import mended
from anello.imaging.ring import fit_ring
from anello.models.ring_network import WEIGHTS, RingNetwork

LEAST_OPENING = 100
"""Px; smaller openings are not counted."""
OPAQUE, CLEAR = 204, 51
"""Alpha from which a marked point is ring, and to which it is clear."""
KINDS = ("ring", "opening", "ground")
"""Of marked points."""
MARKS = Path(__file__).with_name("marks.json")
LOST = 9.0
"""How far off contact points are that were not found."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What a method made of a photo: (h, w) coverage, and two contact points if it gives them."""

    alpha: Picture
    contacts_xy: Any = None
    rgb: Any = None


Method = Callable[[Picture], Cut | None]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("table", "misses", "sheet"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--synth", type=Path, help="folder of scenes with ring.jpg, ring_alpha.png")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--marks", type=Path, default=MARKS, help="points marked on the photos")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="photos without a ring")
    parser.add_argument("--u2netp", type=Path, help="u2netp.onnx, to compare with")
    parser.add_argument("--methods", default="", help="only these, by commas")
    parser.add_argument("--out", type=Path, default=Path("sheet"))
    parser.add_argument("--most", type=int, default=10**6)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    methods = all_methods(options)
    if options.methods:
        methods = {name: methods[name] for name in options.methods.split(",")}
    if options.what == "table":
        print_table(methods, options)
    elif options.what == "misses":
        print_misses(methods, options)
    else:
        draw_sheets(methods, options)


# --- ways to cut a ring out ----------------------------------------------------------------------


def all_methods(options: argparse.Namespace) -> dict[str, Method]:
    """By name."""
    network = RingNetwork(options.weights)
    methods: dict[str, Method] = {
        "anello": lambda rgb: _finished(cut_out(rgb, network.look(rgb), network.tell_gaps)),
        "network": partial(_network_alone, network),
        "grabcut": _grabcut,
    }
    if options.u2netp:
        methods["u2netp"] = _u2netp(options.u2netp)
    return methods


def _finished(cutout: Cutout | None) -> Cut | None:
    if cutout is None:
        return None
    shape = fit_ring(cutout)
    if shape is None:
        return Cut(cutout.alpha, None, cutout.rgb)
    return Cut(mended(cutout, shape.fitted).alpha, shape.contact_xy, cutout.rgb)


def _network_alone(network: RingNetwork, rgb: Picture) -> Cut | None:
    evidence = network.look(rgb)
    if evidence.presence < 0.5:
        return None
    height, width = rgb.shape[:2]
    alpha = evidence.seen_in(evidence.alpha, (0, 0, width, height), (height, width))
    return Cut(np.round(alpha * 255).astype(np.uint8), evidence.contacts_xy)


def _grabcut(rgb: Picture) -> Cut | None:
    """OpenCV's, from a rectangle a twentieth within the frame, on 360 px."""
    scale = min(1.0, 360 / max(rgb.shape))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    h, w = small.shape[:2]
    labels, models = np.zeros((h, w), np.uint8), [np.zeros((1, 65)) for _ in range(2)]
    inset = round(0.03 * min(h, w))
    box = (inset, inset, w - 2 * inset, h - 2 * inset)
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, box, models[0], models[1], 5, cv2.GC_INIT_WITH_RECT)
    soft = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return Cut(np.asarray(cv2.resize(soft, rgb.shape[1::-1]), np.uint8))


def _u2netp(path: Path) -> Method:
    """X. Qin et al., "U^2-Net", 2020, the small one, as its authors run it."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings)
    name = session.get_inputs()[0].name

    def run(rgb: Picture) -> Cut:
        small = cv2.resize(rgb, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32)
        x = (small / small.max() - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        found = session.run(None, {name: x.transpose(2, 0, 1)[None].astype(np.float32)})[0][0, 0]
        alpha = (found - found.min()) / max(1e-6, float(np.ptp(found)))
        return Cut(np.round(cv2.resize(alpha, rgb.shape[1::-1]) * 255).astype(np.uint8))

    return run


# --- figures -------------------------------------------------------------------------------------

COLUMNS = ("missed", "IoU", "lost", "kept", "clear", "contacts", "ms")


def print_table(methods: dict[str, Method], options: argparse.Namespace) -> None:
    """One line a set of pictures and method."""
    validation = Rings("val", options.cache)
    validation.refresh()
    rings = [item for item in validation.items if item.has_ring][: options.most]
    sets = {"validation": rings}
    sets["... on white"] = [_on_white(item, k) for k, item in enumerate(rings)]
    if options.synth:
        sets["bench scenes"] = list(bench_items(options.synth))
    print(f"{'':16}{'method':12}" + "".join(f"{name:>11}" for name in COLUMNS))
    for name, items in sets.items():
        for method, cut in methods.items():
            rows = [measure(item, cut) for item in items]
            print(f"{name:16}{method:12}" + "".join(f"{_mean(rows, c):11.3f}" for c in COLUMNS))
    empty = [item for item in validation.items if not item.has_ring]
    for method, cut in methods.items():
        refused = [cut(item.rgb) is None for item in empty]
        print(f"{'no ring':16}{method:12}{np.mean(refused):11.3f} refused of {len(empty)}")
    for folder in options.others:
        pictures = [_at_most(read(path), 1200) for path in sorted(folder.glob("*.[jp]*g"))]
        for method, cut in methods.items():
            refused = [cut(rgb) is None for rgb in pictures]
            print(f"{folder.name:16}{method:12}{np.mean(refused):11.3f} refused of {len(refused)}")
    if options.photos:
        print_marks(methods, options)


def measure(item: Item, cut: Method) -> dict[str, float]:
    """What became of one picture."""
    start = time.perf_counter()
    found = cut(item.rgb)
    row = {"missed": float(found is None), "ms": 1000 * (time.perf_counter() - start)}
    if found is None:
        return row | {"IoU": 0.0}
    ring, truth, hole = found.alpha > 127, item.alpha > 127, item.opening > 127
    row["IoU"] = (ring & truth).sum() / (ring | truth).sum()
    row["lost"] = (truth & ~ring).sum() / truth.sum()
    row["kept"] = (ring & ~truth).sum() / truth.sum()
    if hole.sum() > LEAST_OPENING:
        row["clear"] = float((found.alpha[hole] <= CLEAR).mean())
    if len(item.contacts_xy) == 2 and found.contacts_xy is not None:
        row["contacts"] = contact_error(found.contacts_xy, item.contacts_xy)
    return row


def contact_error(found: Any, truth: Any) -> float:
    """Larger distance of the two points, over the opening's length."""
    truth = np.asarray(truth, float)
    span = max(1.0, float(np.linalg.norm(truth[0] - truth[1])))
    ways = (found - truth, found[::-1] - truth)
    return min(float(np.linalg.norm(way, axis=1).max()) for way in ways) / span


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a marked photo.

    right : for each kind of point, whether it came out as it should, in the order of the marks.
    off : of the contact points, over the opening's length; None if it has none.
    """

    right: dict[str, list[bool]]
    off: float | None
    refused: bool

    @property
    def wholly_right(self) -> bool:
        return all(all(values) for values in self.right.values())


def print_marks(methods: dict[str, Method], options: argparse.Namespace) -> None:
    """What became of the marked points, on the photos as they are and made worse in ten ways."""
    photos, marks = _marked_photos(options)
    columns = (*KINDS, "photos", "contacts", "refused")
    print(f"\n{'marked photos':16}{'method':12}" + "".join(f"{kind:>11}" for kind in columns))
    unchanged: dict[str, Way] = {"as they are": lambda rgb: (rgb, UNMOVED)}
    for method, cut in methods.items():
        figures = []
        for name, way in (unchanged | WORSE).items():
            judged = [_judged(cut, photos[stem], marks[stem], way) for stem in photos]
            figures.append(_shares(judged))
            print(f"{name:16}{method:12}" + "".join(f"{v:11.3f}" for v in figures[-1]))
        mean = np.mean(figures, axis=0)
        print(f"{'all of these':16}{method:12}" + "".join(f"{v:11.3f}" for v in mean))


def print_misses(methods: dict[str, Method], options: argparse.Namespace) -> None:
    """Which marked points came out wrong, and how far off the contact points are."""
    photos, marks = _marked_photos(options)
    for method, cut in methods.items():
        for stem, rgb in photos.items():
            judged = _judged(cut, rgb, marks[stem], lambda rgb: (rgb, UNMOVED))
            wrong = [
                f"{kind} {x:g},{y:g}"
                for kind, values in judged.right.items()
                for (x, y), right in zip(marks[stem][kind], values, strict=True)
                if not right
            ]
            off = "" if judged.off is None else f"{judged.off:.3f}"
            print(f"{method:12}{stem:6}{off:7}{'refused' if judged.refused else '; '.join(wrong)}")


def _marked_photos(options: argparse.Namespace) -> tuple[dict[str, Picture], dict[str, Any]]:
    marks = json.loads(options.marks.read_text())
    return {stem: read(next(options.photos.glob(f"{stem}.*"))) for stem in sorted(marks)}, marks


def _judged(cut: Method, rgb: Picture, mark: dict[str, Any], way: Way) -> Judged:
    worse, moved = way(rgb)

    def there(points: Any) -> Any:
        return np.asarray(points, float).reshape(-1, 2) @ moved[:, :2].T + moved[:, 2]

    found = cut(worse)
    alpha = np.zeros(worse.shape[:2], np.uint8) if found is None else found.alpha
    right = {kind: _right(alpha, there(mark[kind]), kind == "ring") for kind in KINDS}
    off = None
    if mark["contacts"] and mark["view"] == "three-quarter":
        points = None if found is None else found.contacts_xy
        off = LOST if points is None else contact_error(points, there(mark["contacts"]))
    return Judged(right, off, found is None)


def _shares(judged: list[Judged]) -> list[float]:
    """Of the marked points that came out right, of photos with every point right, of contact points
    within 4 % of the opening's length, and of photos that were refused."""
    right = [[v for photo in judged for v in photo.right[kind]] for kind in KINDS]
    whole = [photo.wholly_right for photo in judged]
    contacts = [photo.off < 0.04 for photo in judged if photo.off is not None]
    refused = [photo.refused for photo in judged]
    return [float(np.mean(values)) for values in (*right, whole, contacts, refused)]


def _right(alpha: Picture, points: Any, opaque: bool) -> list[bool]:
    height, width = alpha.shape
    values = [alpha[min(height - 1, round(y)), min(width - 1, round(x))] for x, y in points]
    return [bool(v >= OPAQUE if opaque else v <= CLEAR) for v in values]


def _mean(rows: list[dict[str, float]], name: str) -> float:
    values = [row[name] for row in rows if name in row]
    if not values:
        return float("nan")
    return float(np.median(values) if name in ("ms", "contacts") else np.mean(values))


def read(path: Path) -> Picture:
    """(h, w, 3) sRGB; what is transparent lies on white."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        cover = pixels[..., 3:] / 255
        pixels = np.round(pixels[..., :3] * cover + 255 * (1 - cover)).astype(np.uint8)
    else:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(pixels[..., ::-1])


def _at_most(rgb: Picture, side: int) -> Picture:
    scale = min(1.0, side / max(rgb.shape))
    return np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _on_white(item: Item, seed: int) -> Item:
    """The ring on pure white with a shadow, as most shops show it."""
    rng = np.random.default_rng((7, seed))
    rgb = photographed(recomposed(item, rng), rng)
    return Item(rgb, *(getattr(item, name) for name in Item.__slots__[1:]))


def bench_items(folder: Path) -> Iterator[Item]:
    """The bench's product photos; their openings are what the alpha encloses."""
    for path in sorted(folder.glob("*/ring.jpg")):
        alpha = cv2.imread(str(path.with_name("ring_alpha.png")), cv2.IMREAD_UNCHANGED)
        truth = json.loads(path.with_name("truth.json").read_text())["product"]
        _, labels, stats, _ = cv2.connectedComponentsWithStats((alpha < 128).astype(np.uint8))
        inner = (stats[:, 0] > 0) & (stats[:, 1] > 0) & (stats[:, 4] > 0.002 * alpha.size)
        inner[0] = False
        opening = np.where(inner[labels], 255, 0).astype(np.uint8)
        contacts = np.array(truth["anchor_points"], np.float32).reshape(-1, 2)
        none = np.zeros((0, 2), np.float32)
        parts = np.zeros_like(alpha)
        yield Item(read(path), alpha, parts, opening, contacts, none, "three-quarter", 0)


# --- sheets to look at ---------------------------------------------------------------------------


def draw_sheets(methods: dict[str, Method], options: argparse.Namespace, tile: int = 300) -> None:
    """Photo and cut-outs side by side, eight photos a sheet."""
    tiles = []
    for path in sorted(options.photos.iterdir())[: options.most]:
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
            continue
        rgb = read(path)
        solid = np.full(rgb.shape[:2], 255, np.uint8)
        looks = [on_checks(rgb, solid, tile)]
        for cut in methods.values():
            found = cut(rgb)
            if found is None:
                looks.append(on_checks(np.full_like(rgb, 60), solid, tile))
            else:
                looks.append(on_checks(rgb if found.rgb is None else found.rgb, found.alpha, tile))
        row = np.hstack(looks)
        cv2.putText(row, path.stem, (4, tile - 6), 0, 0.5, (255, 0, 0), 1, cv2.LINE_AA)
        tiles.append(row)
    for n, k in enumerate(range(0, len(tiles), 8)):
        part = tiles[k : k + 8]
        part += [np.zeros_like(tiles[0])] * (-len(part) % 2)
        sheet = np.vstack([np.hstack(part[j : j + 2]) for j in range(0, len(part), 2)])
        cv2.imwrite(f"{options.out}-{n}.png", sheet[..., ::-1])


def on_checks(rgb: Any, alpha: Any, tile: int) -> Any:
    """A cut-out, fitted into a square of green and magenta checks."""
    scale = tile / max(alpha.shape)
    size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    cover = (alpha / 255.0)[..., None]
    premultiplied = cv2.resize(rgb * cover, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)[..., None]
    rows, cols = np.mgrid[:tile, :tile] // 12
    checks = np.where(((rows + cols) % 2 == 0)[..., None], (70, 160, 90), (150, 80, 150))
    out = checks.astype(np.float64)
    part = out[: size[1], : size[0]]
    part[:] = premultiplied + (1 - cover) * part
    return out.astype(np.uint8)


if __name__ == "__main__":
    main()
