"""Train the contact network on what ``contacts.py`` made: ``python train_contacts.py --out FILE``.

Goes on from its checkpoint, step ``n`` being made from the seed (seed, n) alone; at the end it
writes the network for the runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from contact_network import CELL, WINDOW, ContactNetwork
from teach import Lesson, teach
from torch import Tensor, nn
from torch.nn import functional as F

SEED = 21
BATCH, STEPS, AVERAGE = 64, 4000, 0.997
CLOSE = 0.56
"""Side of the close window over the ends' distance (``anello.imaging.contacts``)."""
SIGMA = 1.0
"""Spread, cells, of where an end is said to be."""
OTHER_COLOURS, OTHER_LIGHT = 0.3, 0.5
"""Share of steps with red, green and blue changed about, and with another contrast and level."""
MOST_MOVED = 5
"""px that the close windows of a step are moved by."""
TOLERANCE = 0.05
"""Largest difference of the written network's logits, with 16-bit weights."""


class Windows:
    """All windows of a split, and where in them the ends are."""

    def __init__(self, cache: Path, pattern: str) -> None:
        files = [np.load(path) for path in sorted(cache.glob(pattern))]
        self.windows, self.places = (
            np.concatenate([file[key] for file in files]) for key in ("windows", "places")
        )

    def picked(self, which: Any) -> tuple[Tensor, Tensor]:
        """Windows (n, 6, s, s) in [0, 1], and places (n, 2), px."""
        x = torch.from_numpy(self.windows[which]).permute(0, 3, 1, 2).float() / 255
        return x, torch.from_numpy(self.places[which])


def loss_of(network: nn.Module, learned: Windows, step: int) -> Tensor:
    """Of windows mirrored, moved and in other colours."""
    rng = np.random.default_rng((SEED, step))
    x, places = learned.picked(np.sort(rng.integers(0, len(learned.places), BATCH)))
    mirrored = torch.from_numpy(rng.random(BATCH) < 0.5)
    x[mirrored] = x[mirrored].flip(2)
    places[mirrored, 1] = WINDOW - 1 - places[mirrored, 1]
    if rng.random() < OTHER_COLOURS:
        order = rng.permutation(3)
        x = x[:, [*order, *(3 + order)]]
    if rng.random() < OTHER_LIGHT:
        x = (x - 0.5) * float(rng.uniform(0.7, 1.3)) + 0.5 + float(rng.uniform(-0.1, 0.1))
    moved = [int(by) for by in rng.integers(-MOST_MOVED, MOST_MOVED + 1, 2)]
    x[:, :3] = torch.roll(x[:, :3], (moved[1], moved[0]), (2, 3))
    places = places + torch.tensor(moved)
    seen = ((places > 0) & (places < WINDOW - 1)).all(1)
    logits = network(x[seen].contiguous(memory_format=torch.channels_last))
    said = F.log_softmax(logits.flatten(1), 1)
    return -(_likely(places[seen]) * said).sum(1).mean()


def _likely(places: Tensor) -> Tensor:
    """(n, c * c) how likely the end is in each cell: a Gaussian about its place."""
    cells = torch.arange(WINDOW // CELL)
    x, y = (
        torch.exp(-(((place + 0.5) / CELL - 0.5)[:, None] - cells).square() / (2 * SIGMA**2))
        for place in places.T
    )
    likely = (y[:, :, None] * x[:, None]).flatten(1)
    return likely / likely.sum(1, keepdim=True)


@torch.no_grad()
def validate(network: nn.Module, validation: Windows) -> str:
    """Of ends of designs never trained on: how many are told to 0.02 and 0.04 of their distance,
    as the mean of the places in all cells near the likeliest."""
    off = []
    for start in range(0, len(validation.places), 256):
        x, places = validation.picked(slice(start, start + 256))
        off.append((_told(network(x)) - places).norm(dim=1))
    apart = torch.cat(off).numpy() * CLOSE / WINDOW
    before = np.linalg.norm(validation.places - (WINDOW - 1) / 2, axis=1) * CLOSE / WINDOW
    shares = [f"{(e < 0.02).mean():.3f} {(e < 0.04).mean():.3f}" for e in (apart, before)]
    return f"within 0.02 and 0.04 {shares[0]} (windows' middles {shares[1]})"


def _told(logits: Tensor) -> Tensor:
    likely = logits.flatten(1).softmax(1)
    cells = torch.arange(WINDOW // CELL)
    rows, columns = (grid.flatten() for grid in torch.meshgrid(cells, cells, indexing="ij"))
    highest = likely.argmax(1)
    near = (rows - rows[highest][:, None]).abs() <= 2
    near &= (columns - columns[highest][:, None]).abs() <= 2
    likely = likely * near
    share = likely.sum(1)
    told = torch.stack([(likely @ grid.float()) / share for grid in (columns, rows)], 1)
    return (told + 0.5) * CELL - 0.5


if __name__ == "__main__":
    lesson = Lesson(
        "contacts", ContactNetwork, Windows, loss_of, validate, STEPS, AVERAGE, SEED, TOLERANCE
    )
    teach(lesson, __doc__)
