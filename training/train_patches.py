"""Train a patch network on what ``patches.py`` made: ``train_patches.py [--fine] --out FILE``.

Goes on from its checkpoint, step ``n`` being made from the seed (seed, n) alone; at the end it
writes the network for the runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from patch_network import PatchNetwork
from teach import Lesson, teach
from torch import Tensor, nn
from torch.nn import functional as F

SEED = 20
BATCH, STEPS, AVERAGE = 192, 4000, 0.995
MIXED = 0.35, 0.65
"""Mean coverage of patches that are neither gap nor metal: nothing is learned from those."""
LARGE = 400
"""Area, px, from which a patch is no heavier; below, its weight goes with its width."""
OTHER_COLOURS = 0.3
"""Share of steps with red, green and blue changed about."""
TOLERANCE = 0.02
"""Largest difference of the written network's probabilities, with 16-bit weights."""


class Windows:
    """All windows of a split, whether each is a gap, and its weight."""

    def __init__(self, cache: Path, pattern: str) -> None:
        files = [np.load(path) for path in sorted(cache.glob(pattern))]
        windows, coverage, area = (
            np.concatenate([file[key] for file in files]) for key in ("windows", "coverage", "area")
        )
        clear = (coverage < MIXED[0]) | (coverage > MIXED[1])
        self.windows, self.gap, self.area = windows[clear], coverage[clear] < 0.5, area[clear]

    def picked(self, which: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Windows (n, 15, s, s) in [0, 1], whether they are gaps, and weights."""
        x = torch.from_numpy(self.windows[which]).permute(0, 3, 1, 2).float() / 255
        weight = np.sqrt(np.minimum(self.area[which], LARGE)).astype(np.float32)
        return x, torch.from_numpy(self.gap[which].astype(np.float32)), torch.from_numpy(weight)


def loss_of(network: nn.Module, learned: Windows, step: int) -> Tensor:
    """Of windows turned, mirrored and in other colours."""
    rng = np.random.default_rng((SEED, step))
    x, gap, weight = learned.picked(rng.integers(0, len(learned.gap), BATCH))
    x = torch.rot90(x, int(rng.integers(4)), (2, 3))
    if rng.random() < 0.5:
        x = x.flip(3)
    if rng.random() < OTHER_COLOURS:
        order = rng.permutation(3)
        x[:, :3], x[:, 7:10] = x[:, order], x[:, 7 + order]
    logits = network(x.contiguous(memory_format=torch.channels_last))[:, 0]
    each = F.binary_cross_entropy_with_logits(logits, gap, reduction="none")
    return (each * weight).sum() / weight.sum()


@torch.no_grad()
def validate(network: nn.Module, validation: Windows) -> str:
    """Of patches of designs never trained on: share of their area that is told right, beside what
    the ring network's mean coverage tells; gaps found, and how many that are told are gaps."""
    told = []
    for start in range(0, len(validation.gap), 256):
        x, _, _ = validation.picked(slice(start, start + 256))
        told.append(network(x)[:, 0] > 0)
    gap, area = validation.gap, validation.area
    is_gap = torch.cat(told).numpy()
    faint = validation.windows[:, 0, 0, -1] < 0.6 * 255
    right, before = (float(area[a == gap].sum() / area.sum()) for a in (is_gap, faint))
    both = float((is_gap & gap).sum())
    return (
        f"area right {right:.3f} (by coverage {before:.3f}), "
        f"found {both / gap.sum():.2f}, right {both / max(1, is_gap.sum()):.2f}"
    )


if __name__ == "__main__":
    lesson = Lesson(
        "patches", PatchNetwork, Windows, loss_of, validate, STEPS, AVERAGE, SEED, TOLERANCE
    )
    teach(lesson, __doc__)
