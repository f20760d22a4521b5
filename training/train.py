"""Train the ring network on the rendered rings: ``python train.py --minutes 40``.

Stops after so many minutes or at the end of its steps; the next run goes on from the checkpoint.
``--network FILE`` starts from a written network instead and does the last round with it alone.
Sample ``k`` of step ``n`` is made from the seed (seed, n, k) alone, so that the pieces a training
is done in don't change it, as long as the cache is complete before it starts.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from augment import Sample, plain_sample, random_sample
from data import CACHE, Rings
from network import SIZE, RingNetwork, n_parameters
from restore import restored
from torch import Tensor, distributed, multiprocessing
from torch.nn import functional as F

SEED = 20
BATCH = 16
"""Pictures a step, over all workers."""
STAGES = ((3200, 160, 0.4), (3200, 224, 0.1), (12400, 256, 0.1), (12700, 320, 0.1))
"""Steps, side of their pictures in px, share of those that are sketches. The network doesn't mind
the size, only how large a ring is; small pictures are cheap, and most is learned on them. The last
are as large as what it will see."""
ROUNDS = (
    (6400, 3e-3),
    (4000, 1.5e-3),
    (4000, 1.2e-3),
    (4400, 1.2e-3),
    (3600, 1.2e-3),
    (2600, 1e-3),
    (3000, 1.2e-3),
    (1300, 6e-4),
    (2200, 5e-4),
)
"""Steps over which the rate falls, and what it falls from."""
WARM_STEPS, DECAY = 50, 0.02
AVERAGE = 0.995
"""Per step, of the exponential average of the weights."""
SOUP, SHARE_AT_START, SHARE_AT_END = (4, 5), 0.5, 0.3
"""Rounds at the end of which the averages are kept, and the share that their mean has in what the
last but one starts from, and ends as: M. Wortsman et al., "Model soups", 2022."""
KEPT_HEAT, SHARE_BEFORE = 60.0, 0.5
"""How heavy it is in the last round to give the points' heat as the network before it gave it, and
the share of that network in what is exported: Z. Li, D. Hoiem, "Learning without Forgetting", 2016.
"""
SAVE_S, VALIDATE_S = 120.0, 240.0
RESTORED_FROM = 96
"""Pictures that the norms of a written network are made anew from."""
VALIDATION = 96
"""Pictures looked at while training."""


def main() -> None:
    """Read the command line and start the workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument(
        "--out", type=Path, default=None, help="checkpoint; in the cache by default"
    )
    parser.add_argument("--network", type=Path, help=".tflite to train on")
    options = parser.parse_args()
    options.out = options.out or options.cache / "checkpoint.pt"
    if options.workers == 1:
        work(0, options)
    else:
        multiprocessing.spawn(work, (options,), options.workers)


def work(rank: int, options: argparse.Namespace) -> None:
    """One worker: its share of every batch; the first also validates and saves."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if options.workers > 1:
        where = f"file://{options.out.resolve()}.meet"
        if rank == 0:
            Path(f"{options.out}.meet").unlink(missing_ok=True)
        time.sleep(0 if rank == 0 else 1)
        distributed.init_process_group("gloo", where, rank=rank, world_size=options.workers)
    torch.manual_seed(SEED)
    network = RingNetwork().to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    soup = copy.deepcopy(average)
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate(0))
    step = 0
    if options.out.exists():
        saved = torch.load(options.out, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        soup.load_state_dict(saved["soup"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    rings, sketches, validation = (Rings(s, options.cache) for s in ("train", "sketch", "val"))
    n_items = rings.refresh(), sketches.refresh()
    ends = list(accumulate(length for length, _ in ROUNDS))
    if options.network and not options.out.exists():
        written = restored(options.network.read_bytes(), some_pictures(rings)).state_dict()
        for holder in (network, average, soup):
            holder.load_state_dict(written)
        step = ends[-2]
    if rank == 0:
        print(f"{n_parameters(network)} parameters, {n_items} items, step {step}", flush=True)
    parent = os.getppid()
    start = saved_at = validated_at = refreshed_at = time.monotonic()
    losses: list[dict[str, float]] = []
    while step < ends[-1]:
        now = time.monotonic()
        if now - refreshed_at > SAVE_S:
            rings.refresh()
            sketches.refresh()
            refreshed_at = now
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        before = soup if step >= ends[-2] else None
        sources = rings, sketches
        losses.append(train_step(network, before, optimizer, sources, step, rank, options))
        step += 1
        blend(average, network, min(AVERAGE, (1 + step) / (10 + step)))
        for place, round_ in enumerate(SOUP):
            if step == ends[round_]:
                blend(soup, average, place / (place + 1))
        if step == ends[-3]:
            blend(average, soup, 1 - SHARE_AT_START)
            network.load_state_dict(average.state_dict())
        if step == ends[-2]:
            blend(average, soup, 1 - SHARE_AT_END)
            network.load_state_dict(average.state_dict())
            soup.load_state_dict(average.state_dict())
        if step == ends[-1]:
            blend(average, soup, 1 - SHARE_BEFORE)
        # A worker whose parent was ended goes too.
        over = torch.tensor(float(now - start > 60 * options.minutes or os.getppid() != parent))
        if options.workers > 1:
            distributed.broadcast(over, 0)
        if rank == 0 and step % 20 == 0:
            mean = {k: sum(line[k] for line in losses[-20:]) / 20 for k in losses[-1]}
            words = " ".join(f"{name} {value:.3f}" for name, value in mean.items())
            print(f"{now - start:6.0f} s step {step} items {len(rings.items)} {words}", flush=True)
        last = bool(over) or step == ends[-1]
        if rank == 0 and (last or now - saved_at > SAVE_S):
            state = {"network": network, "average": average, "soup": soup}
            state |= {"optimizer": optimizer}
            part = options.out.with_suffix(".part")
            torch.save({k: v.state_dict() for k, v in state.items()} | {"step": step}, part)
            part.replace(options.out)
            saved_at = time.monotonic()
        if rank == 0 and (last or now - validated_at > VALIDATE_S):
            validation.refresh()
            print(f"--- step {step}: {validate(average, validation)}", flush=True)
            validated_at = time.monotonic()
        if last:
            break


def part_at(step: int, lengths: list[int]) -> tuple[int, int]:
    """Which of the parts, that are so many steps long, a step is in, and how far into it."""
    part = 0
    while part < len(lengths) - 1 and step >= lengths[part]:
        step -= lengths[part]
        part += 1
    return part, step


def rate(step: int) -> float:
    """Warm up, then a cosine to nearly nothing, in every round."""
    part, step = part_at(step, [steps for steps, _ in ROUNDS])
    steps, peak = ROUNDS[part]
    warm = min(1.0, (step + 1) / WARM_STEPS)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def stage_at(step: int) -> tuple[int, float]:
    """Side of the pictures, px, and share of sketches."""
    part, _ = part_at(step, [steps for steps, _, _ in STAGES])
    return STAGES[part][1:]


def blend(average: RingNetwork, network: RingNetwork, share: float) -> None:
    """Move the average a little towards the network."""
    with torch.no_grad():
        new = network.state_dict()
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - share)
            else:
                value.copy_(new[name])


def train_step(
    network: RingNetwork,
    before: RingNetwork | None,
    optimizer: torch.optim.Optimizer,
    sources: tuple[Rings, Rings],
    step: int,
    rank: int,
    options: argparse.Namespace,
) -> dict[str, float]:
    """One batch; gradients are averaged over the workers. before : what is not to be forgotten."""
    size, share = stage_at(step)
    rendered, sketched = (source.items for source in sources)
    samples = []
    for k in range(rank, BATCH, options.workers):
        rng = np.random.default_rng((SEED, step, k))
        items = sketched if sketched and (not rendered or rng.random() < share) else rendered
        samples.append(random_sample(items[rng.integers(len(items))], size, rng))
    network.train()
    parts = losses_of(network, before, batch_of(samples))
    loss = sum(parts.values(), torch.zeros(()))
    optimizer.zero_grad()
    loss.backward()
    if options.workers > 1:
        grads = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([grad.flatten() for grad in grads])
        distributed.all_reduce(flat)
        for grad, new in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(new.view_as(grad) / options.workers)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimizer.step()
    return {name: float(value.detach()) for name, value in parts.items()}


def some_pictures(rings: Rings) -> Tensor:
    """(RESTORED_FROM, 3, s, s) pictures as the network sees them."""
    samples = []
    for k in range(RESTORED_FROM):
        rng = np.random.default_rng((SEED, k))
        samples.append(random_sample(rings.items[rng.integers(len(rings.items))], SIZE, rng))
    return batch_of(samples)["rgb"]


def batch_of(samples: list[Sample]) -> dict[str, Tensor]:
    """Samples side by side, as tensors."""
    rgb = np.stack([sample.rgb for sample in samples])
    batch = {
        name: np.stack([getattr(s, name) for s in samples]) for name in ("planes", "heat", "whole")
    }
    return {
        "rgb": (torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255),
        "view": torch.tensor([sample.view for sample in samples]),
        **{name: torch.from_numpy(value) for name, value in batch.items()},
    }


def losses_of(
    network: RingNetwork, before: RingNetwork | None, batch: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What is wrong, in parts that are about equally heavy."""
    rgb = batch["rgb"].contiguous(memory_format=torch.channels_last)
    planes, heat, whole = network(rgb)
    truth, points = batch["planes"], batch["heat"]
    # What is near the ring or in its opening counts more than the ground far away.
    with torch.no_grad():
        near = truth[:, :2].amax(1, keepdim=True)
        near = F.avg_pool2d(F.avg_pool2d(near, (17, 1), 1, (8, 0)), (1, 17), 1, (0, 8))
        edge = (truth[:, :1] - F.avg_pool2d(truth[:, :1], 7, 1, 3)).abs()
        weight = 0.5 + 1.5 * near.clamp(max=1) + 4 * edge
        weight = weight / weight.mean()
    cross = F.binary_cross_entropy_with_logits(planes, truth, reduction="none") * weight
    share = planes.sigmoid()
    ring = batch["whole"][:, 0]
    overlap = 2 * (share * truth).sum((2, 3)) + 30
    dice = 1 - overlap / ((share + truth).sum((2, 3)) + 30)
    off = ((share[:, 0] - truth[:, 0]).abs() * weight[:, 0]).mean()
    present = F.binary_cross_entropy_with_logits(whole[:, 0], ring)
    opening = F.binary_cross_entropy_with_logits(whole[:, 1], batch["whole"][:, 1])
    tilt = ((whole[:, 2] - batch["whole"][:, 2]).abs() * ring).mean()
    known = batch["view"] >= 0
    view = F.cross_entropy(whole[known][:, 3:], batch["view"][known]) if known.any() else tilt * 0
    kept = {}
    if before is not None:
        with torch.no_grad():
            said_planes, said_heat = (logits.sigmoid() for logits in before(rgb)[:2])
            right = ((said_planes - truth).abs() < 0.5) * weight
            points = torch.where(torch.isfinite(points), points, said_heat)
            least = F.binary_cross_entropy(said_heat, said_heat)
        off_planes = F.binary_cross_entropy_with_logits(planes, said_planes, reduction="none")
        off_planes = (off_planes * right).mean((0, 2, 3))
        off_heat = F.binary_cross_entropy_with_logits(heat, said_heat) - least
        kept = {
            "kept": 2 * off_planes[0] + off_planes[1:].mean(),
            "kept heat": KEPT_HEAT * off_heat,
        }
    return kept | {
        "alpha": 2 * cross[:, 0].mean() + dice[:, 0].mean() + off,
        "opening": 2 * cross[:, 1].mean() + dice[:, 1].mean(),
        "parts": cross[:, 2:].mean() + 0.5 * dice[:, 2:].mean(),
        "heat": 0.45 * heat_loss(heat, points),
        "whole": 0.2 * (present + opening) + 0.5 * tilt + 0.1 * view,
    }


def heat_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Focal loss of points: X. Zhou et al., "Objects as Points", 2019, equation 1; none where the
    truth is not known."""
    known = truth.isfinite()
    logits, truth = logits[known], truth[known]
    share = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = (truth > 0.9).float()
    hit = peak * (1 - share) ** 2 * share.log()
    miss = (1 - peak) * (1 - truth) ** 4 * share**2 * (1 - share).log()
    return -(hit + miss).sum() / peak.sum().clamp(min=1)


@torch.no_grad()
def validate(network: RingNetwork, rings: Rings) -> str:
    """How good the average is on designs and grounds it does not learn from."""
    items = [item for item in rings.items if item.has_ring][:VALIDATION]
    if not items:
        return "no validation items"
    figures: dict[str, list[float]] = {}

    def note(name: str, value: Any) -> None:
        figures.setdefault(name, []).append(float(value))

    for item in items:
        sample = plain_sample(item, SIZE)
        planes, heat, whole = network(batch_of([sample])["rgb"])
        alpha, opening = planes[0, :2].sigmoid().numpy()
        truth, hole = sample.planes[0] > 0.5, sample.planes[1] > 0.5
        note("IoU", ((alpha > 0.5) & truth).sum() / max(1, ((alpha > 0.5) | truth).sum()))
        note("metal lost", (alpha[truth] < 0.5).mean())
        note("ground kept", ((alpha > 0.5) & ~truth).sum() / truth.sum())
        note("present", whole[0, 0] > 0)
        note("view", whole[0, 3:].argmax() == sample.view)
        note("elevation off", abs(float(whole[0, 2]) - sample.whole[2]) * 90)
        if hole.sum() > 100:
            note("opening clear", (alpha[hole] < 0.2).mean())
            note("opening IoU", ((opening > 0.5) & hole).sum() / ((opening > 0.5) | hole).sum())
        if sample.has_contacts:
            note("contact off", contact_error(heat[0, 0].sigmoid().numpy(), sample.heat[0]))
    return ", ".join(f"{name} {np.mean(values):.3f}" for name, values in figures.items())


def contact_error(found: Any, truth: Any) -> float:
    """Mean distance of the two points, over their own distance from each other."""
    a, b = two_peaks(found), two_peaks(truth)
    span = np.linalg.norm(b[0] - b[1])
    straight = np.linalg.norm(a - b, axis=1).mean()
    crossed = np.linalg.norm(a - b[::-1], axis=1).mean()
    return float(min(straight, crossed) / max(span, 1.0))


def two_peaks(heat: Any, apart: float = 4.0) -> Any:
    """(2, 2) the two highest places, cells, to a part of a cell."""
    left = np.array(heat, np.float64)
    rows, cols = np.mgrid[: left.shape[0], : left.shape[1]]
    peaks = []
    for _ in range(2):
        row, col = np.unravel_index(left.argmax(), left.shape)
        close = (abs(rows - row) <= 1) & (abs(cols - col) <= 1)
        weight = left[close] + 1e-9
        peaks.append(
            [np.average(cols[close], weights=weight), np.average(rows[close], weights=weight)]
        )
        left[np.hypot(rows - row, cols - col) < apart] = 0
    return np.array(peaks)


if __name__ == "__main__":
    main()
