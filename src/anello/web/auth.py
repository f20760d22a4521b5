"""Who calls: from the ``Authorization`` header to an account, counted on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.concurrency import run_in_threadpool

from anello.errors import InvalidAccessToken, InvalidApiKey, TooManyRequests
from anello.service.accounts import Account
from anello.web.limits import Limits, Standing, address_of
from anello.web.public_url import base_url
from anello.web.services import Services

KEY: Final = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class Caller:
    """An account, and the services it calls on."""

    account: Account
    services: Services
    request: Request

    def url(self, path: str) -> str:
        return base_url(self.request) + path

    def signed_url(self, path: str, ttl_s: float) -> str:
        """Good without a key, for a time."""
        return f"{self.url(path)}?{self.services.links.sign(path, ttl_s)}"


class ApiKey(SecurityBase):
    """The dependency that turns a request into its Caller.

    An address that has called too often is refused before its key is looked up; a call with a bad
    key counts for its address; any other for address and key, or for neither.
    """

    def __init__(self, *, says_access_token: bool = False) -> None:
        self.model = HTTPBearer(description="Your API key: `Authorization: Bearer sk-…`")
        self.scheme_name = "ApiKey"
        self._says_access_token = says_access_token

    async def __call__(self, request: Request) -> Caller:
        services: Services = request.app.state.services
        limits: Limits | None = request.app.state.limits
        address = f"address {address_of(request)}"
        if limits:
            _admit(request, limits.test(address))
        try:
            key = key_of(request)
            account = await run_in_threadpool(services.accounts.authenticate, key)
        except InvalidApiKey as error:
            if limits:
                _admit(request, limits.count(address))
            raise InvalidAccessToken() if self._says_access_token else error from None
        request.state.account = account
        if limits:
            _admit(request, limits.count(address, f"account {account.id}"))
        return Caller(account, services, request)


Call = Annotated[Caller, Depends(ApiKey())]
"""A call with a good key."""

CallV1 = Annotated[Caller, Depends(ApiKey(says_access_token=True))]
"""The same on a path of version 1, which names a bad key differently."""


def key_of(request: Request) -> str:
    """What follows ``Bearer``. Raises InvalidApiKey for whatever can't be a key."""
    scheme, _, key = request.headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not KEY.fullmatch(key):
        raise InvalidApiKey()
    return key


def _admit(request: Request, standing: Standing) -> None:
    request.state.rate_limit = standing.headers
    if not standing.counted:
        raise TooManyRequests(retry_after_s=standing.reset_s)
