"""Teach a small network of windows cut out of photos: seeded steps that go on from where they were,
their average, and its file for the runtime."""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from data import CACHE
from export import differences, to_tflite
from torch import Tensor, nn

DECAY = 2e-3
RATE, LEAST_RATE, WARM_STEPS = 2e-3, 0.01, 100
"""The largest learning rate, what is left of it at the end, and when it is reached."""
SAVE_S, VALIDATE_S = 120.0, 180.0


COMPARED = 64
"""Windows that the written network is compared on."""


class Windows(Protocol):
    """All windows of a split, (n, s, s, channels), and what is true of each."""

    windows: Any


W = TypeVar("W", bound=Windows)


@dataclass(frozen=True, slots=True)
class Lesson(Generic[W]):
    """What a network is taught, and how.

    name : of its windows' files and its checkpoint. read : the windows of a split, of the cache and
        the files' pattern. loss_of : of a step of that number, which all that is random in it comes
        from. validate : says how good a network is. average_over : share of the average that a step
        keeps. tolerance : largest difference of the written network's answers.
    """

    name: str
    network: Callable[[], nn.Module]
    read: Callable[[Path, str], W]
    loss_of: Callable[[nn.Module, W, int], Tensor]
    validate: Callable[[nn.Module, W], str]
    steps: int
    average_over: float
    seed: int
    tolerance: float


def teach(lesson: Lesson[W], description: str | None) -> None:
    """Read the command line, train, validate and write."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fine", action="store_true", help="learn from the larger pictures, too")
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(lesson.seed)
    pattern, kept = ("[sf]*", "-fine.pt") if options.fine else ("shard", ".pt")
    learned, validation = (
        lesson.read(options.cache, f"{lesson.name}-{split}-*.npz") for split in (pattern, "val")
    )
    print(f"{len(learned.windows)} windows")
    average = _average(lesson, learned, validation, options.cache / f"{lesson.name}{kept}")
    _, side, _, channels = validation.windows.shape
    model = to_tflite(average, side, channels)
    off = max(differences(model, average, list(validation.windows[:COMPARED])))
    if off > lesson.tolerance:
        raise SystemExit(f"the written network differs from the trained one by {off}")
    options.out.write_bytes(model)


def _average(lesson: Lesson[W], learned: W, validation: W, kept: Path) -> nn.Module:
    """The network's average over its steps. kept : the checkpoint."""
    network = lesson.network().to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    step = 0
    if kept.exists():
        saved = torch.load(kept, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    saved_at = validated_at = time.monotonic()
    losses: list[float] = []
    while step < lesson.steps:
        fallen = 0.5 * (1 + math.cos(math.pi * step / lesson.steps))
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / WARM_STEPS)
            group["lr"] = RATE * warm * (LEAST_RATE + (1 - LEAST_RATE) * fallen)
        network.train()
        loss = lesson.loss_of(network, learned, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        step += 1
        _follow(average, network, min(lesson.average_over, (1 + step) / (10 + step)))
        now = time.monotonic()
        if now - saved_at > SAVE_S or step == lesson.steps:
            state = {"network": network, "average": average, "optimizer": optimizer}
            torch.save({k: v.state_dict() for k, v in state.items()} | {"step": step}, kept)
            saved_at = now
        if now - validated_at > VALIDATE_S or step == lesson.steps:
            recent = float(np.mean(losses[-200:]))
            print(
                f"step {step} loss {recent:.3f} {lesson.validate(average, validation)}", flush=True
            )
            validated_at = now
    return average


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    new = network.state_dict()
    for name, value in average.state_dict().items():
        value.lerp_(new[name], 1 - share) if value.is_floating_point() else value.copy_(new[name])
