"""What is learned: the hand networks, their weights and how to load them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from anello.models.fetch import HAND_LANDMARK, PALM_DETECTION, ensure_models, model_path

if TYPE_CHECKING:
    from anello.models.hand_networks import HandNetworks
    from anello.models.ring_network import RingNetwork

__all__ = ["Models", "ensure_models", "load_models", "load_ring_network", "quiet_stderr"]


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The networks, loaded; a pipeline step is handed the one it needs."""

    hand: HandNetworks
    ring: RingNetwork


@cache
def load_models() -> Models:
    """The networks, loaded once in a process; their weights are fetched on first use."""
    from anello.models.hand_networks import HandNetworks  # the runtime takes its time to import

    ensure_models()
    hand = HandNetworks(model_path(PALM_DETECTION), model_path(HAND_LANDMARK))
    return Models(hand, load_ring_network())


@cache
def load_ring_network() -> RingNetwork:
    """The ring network, loaded once in a process; its weights come with the package."""
    from anello.models.ring_network import RingNetwork

    return RingNetwork()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Within, native code writes its stderr nowhere: the networks' runtime greets there."""
    try:
        kept = os.dup(2)
    except OSError:  # it was closed by the caller: silent already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
