"""A Drawer as a drawing process needs it: this is all that such a process loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anello.adapters import logs
from anello.adapters.store import FolderStore
from anello.models import load_models, quiet_stderr
from anello.service.analyses import Analyses

if TYPE_CHECKING:
    from anello.service.drawing import Drawer


def new_drawer(store_folder: Path, secret: str, analyses_bytes: int) -> Drawer:
    """Built within a drawing process; only there is the image maths loaded."""
    from anello.service.drawing import Drawer

    logs.configure()
    with quiet_stderr():
        load_models()
    return Drawer(Analyses(FolderStore(store_folder), secret, analyses_bytes))
