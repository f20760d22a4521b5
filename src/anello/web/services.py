"""What the web layer is built on, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from anello.imaging.hand import Finger
from anello.service.accounts import Accounts
from anello.service.files import Files
from anello.service.links import Links
from anello.service.metrics import Metrics
from anello.service.requests import Reference
from anello.service.tasks import Tasks


class WebSettings(Protocol):
    """The web's section of the settings.

    public_url : where clients reach the server; None: as their own requests address it.
    strict : create-task bodies as the hosted API takes them, and no other.
    polling_interval : say ``"polling_interval": 1000`` where a task runs.
    rate_limit : calls, and the seconds they are counted over; None: no limit.
    """

    @property
    def public_url(self) -> str | None: ...
    @property
    def strict(self) -> bool: ...
    @property
    def upload_url_ttl_s(self) -> float: ...
    @property
    def result_url_ttl_s(self) -> float: ...
    @property
    def polling_interval(self) -> bool: ...
    @property
    def rate_limit(self) -> tuple[int, float] | None: ...


class Inspections(Protocol):
    """Looks at a picture without making one. A refused picture is an answer, not an error.

    The answer has ``accepted``, ``code``, ``message``, ``remedy``, ``checks``, ``overlay`` (a JPEG
    or None), and what was measured. Raises NotFound and InvalidParameters for a file id.
    """

    def hand(
        self, source: bytes | Reference, account_id: str, finger: Finger | None, overlay: bool
    ) -> Mapping[str, Any]: ...

    def ring(
        self, source: bytes | Reference, account_id: str, overlay: bool
    ) -> Mapping[str, Any]: ...


class Services(Protocol):
    """Everything that endpoints call. All of it is synchronous."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def files(self) -> Files: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def inspections(self) -> Inspections: ...
    @property
    def links(self) -> Links: ...
    @property
    def settings_web(self) -> WebSettings: ...
    @property
    def metrics(self) -> Metrics: ...

    def health(self) -> Mapping[str, bool]:
        """By part, whether it works."""
        ...
