"""Addresses that prove themselves: good for one path, until a time."""

from __future__ import annotations

import hashlib
import hmac
import time

from itsdangerous import Signer

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
        if expires is None or signature is None or not self._is_ours(path, expires, signature):
            raise Forbidden("This address was not signed by this server")
        if float(expires) <= time.time():
            raise Forbidden(
                "This address has expired", remedy="Poll the task, or register the file, again."
            )

    def _is_ours(self, path: str, expires: str, signature: str) -> bool:
        """Letter by letter: base64 has several spellings of the same bytes, only one is signed."""
        wanted = self._signature(path, expires).encode()
        return hmac.compare_digest(wanted, signature.encode("utf-8", "surrogatepass"))

    def _signature(self, path: str, expires: str) -> str:
        signed = f"{expires}\n{path}".encode("utf-8", "surrogatepass")
        return self._signer.get_signature(signed).decode("ascii")
