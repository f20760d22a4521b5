"""Addresses that prove themselves: good for one path, until a time."""

from __future__ import annotations

import hashlib
import time

from itsdangerous import BadSignature, Signer

from anello.errors import Forbidden


class Links:
    """Signs paths, and checks what comes back."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, salt="anello link", digest_method=hashlib.sha256)

    def sign(self, path: str, ttl_s: float) -> str:
        """The query of an address that is good for so many seconds."""
        expires = f"{time.time() + ttl_s:.3f}"
        return f"expires={expires}&signature={self._signature(path, expires)}"

    def check(self, path: str, expires: str | None, signature: str | None) -> None:
        """Raises Forbidden unless this very path was signed and its time is not over."""
        try:
            self._signer.unsign(f"{expires}\n{path}.{signature}")
        except (BadSignature, ValueError) as error:
            raise Forbidden("This address was not signed by this server") from error
        if float(expires or 0) <= time.time():
            raise Forbidden(
                "This address has expired", remedy="Poll the task, or register the file, again."
            )

    def _signature(self, path: str, expires: str) -> str:
        return self._signer.get_signature(f"{expires}\n{path}").decode("ascii")
