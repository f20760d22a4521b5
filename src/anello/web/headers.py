"""Headers that browsers obey: what a page may do, and who may read an answer."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

CONTENT_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
OPEN_PATHS: Final = ("/s2s/", "/v1/", "/uploads/", "/results/")
"""Where pages of any origin may call: what is behind needs a key or a signature, never a cookie."""

ALLOWED: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(
        [
            "x-request-id",
            "Retry-After",
            "RateLimit-Policy",
            "RateLimit-Limit",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "Content-Length",
            "Content-Range",
        ]
    ),
}
# The asterisk of allowed headers does not cover Authorization, and older browsers don't know it.
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept, Cache-Control, "
    "Idempotency-Key, Range, X-Requested-With, *",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "7200",
}


def complete(headers: MutableHeaders, path: str) -> None:
    """What every answer says; a page may have set rules of its own."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Cache-Control", "no-cache" if "etag" in headers else "no-store")
    if path.startswith(OPEN_PATHS):
        headers.update(ALLOWED)
    if headers.get("content-type", "").startswith("text/html"):
        headers["X-Frame-Options"] = "DENY"
        headers.setdefault("Content-Security-Policy", CONTENT_POLICY)


class Preflight:
    """Answers browsers that ask whether a page may call."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] == "http" and scope["method"] == "OPTIONS"
        if is_asked and scope["path"].startswith(OPEN_PATHS):
            await _answer_preflight(send)
        else:
            await self._app(scope, receive, send)


async def _answer_preflight(send: Send) -> None:
    headers = MutableHeaders(PREFLIGHT)
    await send({"type": "http.response.start", "status": 204, "headers": headers.raw})
    await send({"type": "http.response.body", "body": b""})
