"""Teach a small network in seeded steps that go on from where they were, and average them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

DECAY = 2e-3
RATE, LEAST_RATE, WARM_STEPS = 2e-3, 0.01, 100
"""The largest learning rate, what is left of it at the end, and when it is reached."""
SAVE_S, VALIDATE_S = 120.0, 180.0


def taught(
    network: nn.Module,
    loss_of: Callable[[nn.Module, int], Tensor],
    validate: Callable[[nn.Module], str],
    kept: Path,
    steps: int,
    average_over: float,
) -> nn.Module:
    """The network's average over its steps; ``average_over`` is the share of it that a step keeps.

    loss_of : of a step of that number, which everything random in it comes from.
    validate : says how good the average is. kept : the checkpoint.
    """
    network = network.to(memory_format=torch.channels_last)
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
    while step < steps:
        fallen = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / WARM_STEPS)
            group["lr"] = RATE * warm * (LEAST_RATE + (1 - LEAST_RATE) * fallen)
        network.train()
        loss = loss_of(network, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        step += 1
        _follow(average, network, min(average_over, (1 + step) / (10 + step)))
        now = time.monotonic()
        if now - saved_at > SAVE_S or step == steps:
            state = {"network": network, "average": average, "optimizer": optimizer}
            torch.save({k: v.state_dict() for k, v in state.items()} | {"step": step}, kept)
            saved_at = now
        if now - validated_at > VALIDATE_S or step == steps:
            recent = float(np.mean(losses[-200:]))
            print(f"step {step} loss {recent:.3f} {validate(average)}", flush=True)
            validated_at = now
    return average


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    new = network.state_dict()
    for name, value in average.state_dict().items():
        value.lerp_(new[name], 1 - share) if value.is_floating_point() else value.copy_(new[name])
