"""The API reference comes whole from this server."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from web_double import calling


def test_all_it_needs_is_here() -> None:
    with calling() as caller:
        page = caller.get("/docs", key=None)
        assert page.headers["content-type"].startswith("text/html")
        needed = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(needed) == 5
        for address in needed:
            answer = caller.get(urljoin("/docs", address))
            assert answer.status_code == 200, address
            assert answer.content
            assert answer.headers["cache-control"] in ("no-cache", "no-store")
        assert "://" not in page.text
        assert not re.search(r"<script(?![^>]*src=)", page.text)
        assert caller.request("HEAD", "/docs").status_code == 200
        etag = caller.get("/docs/swagger-ui.css").headers["etag"]
        again = caller.get("/docs/swagger-ui.css", headers={"If-None-Match": etag})
        assert again.status_code == 304
