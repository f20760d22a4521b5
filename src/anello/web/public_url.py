"""Where clients reach this server."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from anello.errors import InvalidParameters

HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


def base_url(request: Request) -> str:
    """Scheme and host, as set, or as the request itself says. No slash at the end."""
    configured: str | None = request.app.state.services.settings_web.public_url
    if configured:
        return configured.rstrip("/")
    host = request.headers.get("host", "")
    if not HOST.fullmatch(host):
        raise InvalidParameters("Host: a host name, and perhaps a port, is needed")
    return f"{request.scope['scheme']}://{host}"
