"""The API reference at /docs: a page of ours, Swagger UI from its package; nothing from afar."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi.routing import APIRoute
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from anello.web.operations import also_head

FOLDER: Final = Path(__file__).parent / "static" / "docs"


async def get_reference() -> FileResponse:
    return FileResponse(FOLDER / "index.html")


def routes() -> list[BaseRoute]:
    files = StaticFiles(directory=FOLDER, packages=[("fastapi_swagger", "resources")])
    page = APIRoute("/docs", get_reference, include_in_schema=False)
    return [*also_head(page), Mount("/docs", files)]
