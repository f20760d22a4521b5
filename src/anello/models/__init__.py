"""What is learned: the hand networks, their weights and how to load them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from anello.models.fetch import HAND_LANDMARK, PALM_DETECTION, ensure_models, model_path

if TYPE_CHECKING:
    from anello.models.hand_networks import HandNetworks

__all__ = ["Models", "ensure_models", "load_models"]


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The networks, loaded; a pipeline step is handed the one it needs."""

    hand: HandNetworks


@cache
def load_models() -> Models:
    """The networks, loaded once in a process; their weights are fetched on first use."""
    from anello.models.hand_networks import HandNetworks  # the runtime takes its time to import

    ensure_models()
    return Models(hand=HandNetworks(model_path(PALM_DETECTION), model_path(HAND_LANDMARK)))
