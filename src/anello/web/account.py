"""Units and prices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Query

from anello.errors import InvalidAccessToken, InvalidParameters
from anello.service.accounts import Grant, LedgerEntry
from anello.service.tasks import SINGLE_UNITS, STACKED_UNITS
from anello.web.answers import JsonAnswer
from anello.web.auth import Call, Caller, CallV1
from anello.web.operations import operation
from anello.web.schemas import (
    Credit,
    CreditAnswer,
    History,
    HistoryAnswer,
    HistoryEntry,
    Prices,
    PricesAnswer,
    Sku,
    SpentCredit,
    SpentCredits,
)
from anello.web.tasks import RING

NEVER_MS: Final = 253_402_300_799_000
"""The end of the year 9999, for units that don't expire: clients want a number."""

SKUS: Final = {
    "AI Ring Virtual Try-On, one ring": SINGLE_UNITS,
    "AI Ring Virtual Try-On, stacked rings": STACKED_UNITS,
}

TOKEN: Final = re.compile(r"[0-9]{1,18}")
TOKEN_WORDS: Final = "`next_token` of the page before; absent, empty or `null`: the first page."


def get_credit(call: CallV1) -> JsonAnswer:
    """Units by grant, soonest expiry first. What running tasks will cost is still among them."""
    grants = call.services.accounts.grants(call.account.id)
    return JsonAnswer(CreditAnswer(results=[_credit(grant) for grant in grants]))


def get_credit_history(
    call: CallV1,
    page_size: Annotated[int, Query(ge=1, le=30)] = 20,
    starting_token: Annotated[
        str | None,
        Query(description=TOKEN_WORDS, json_schema_extra={"pattern": "^(null|[0-9]{1,18})?$"}),
    ] = None,
) -> JsonAnswer:
    """Every change of units, newest first."""
    after = _number(starting_token)
    entries = call.services.accounts.history(call.account.id, after, page_size + 1)
    return JsonAnswer(HistoryAnswer(result=_history(entries, page_size)))


def get_feature_cost(
    call: Call,
    page_size: Annotated[int, Query(ge=1, le=20)] = 20,
    starting_token: Annotated[
        str | None, Query(description=TOKEN_WORDS, json_schema_extra={"pattern": "^(null|[01])?$"})
    ] = None,
) -> JsonAnswer:
    """What a task costs, in units."""
    first = _number(starting_token) or 0
    if first >= len(SKUS):
        raise _unknown_token()
    return JsonAnswer(PricesAnswer(result=_prices(call, first, page_size)))


def _credit(grant: Grant) -> Credit:
    units = grant.available + grant.held
    expiry = NEVER_MS if grant.expires_at is None else round(grant.expires_at * 1000)
    return Credit(id=grant.id, amount=units, amount_dec=float(units), expiry=expiry)


def _history(entries: Sequence[LedgerEntry], page_size: int) -> History:
    page = entries[:page_size]
    return History(
        next_token=str(page[-1].id) if len(entries) > page_size else None,
        history=[_history_entry(entry) for entry in page],
    )


def _history_entry(entry: LedgerEntry) -> HistoryEntry:
    spent = SpentCredit(id=entry.grant_id, amount=entry.amount, amount_dec=float(entry.amount))
    return HistoryEntry(
        id=entry.id,
        timestamp=round(entry.at * 1000),
        action=entry.kind,
        target_id=entry.task_id,
        info=SpentCredits(credits=[spent]),
    )


def _prices(call: Caller, first: int, page_size: int) -> Prices:
    after = first + page_size
    url = call.url(RING)
    return Prices(
        next_token=str(after) if after < len(SKUS) else None,
        skus=[
            Sku(description=description, amount=units, run_task_url=url)
            for description, units in list(SKUS.items())[first:after]
        ],
    )


def _number(token: str | None) -> int | None:
    """Tokens are numbers; the first page has none."""
    if token is None or token in ("", "null"):
        return None
    if not TOKEN.fullmatch(token):
        raise _unknown_token()
    return int(token)


def _unknown_token() -> InvalidParameters:
    return InvalidParameters("starting_token: not one that a page before has given")


ROUTES: Final = [
    operation(
        "GET",
        "/s2s/v1.0/client/credit",
        get_credit,
        tag="Units",
        answer=CreditAnswer,
        refusals=[InvalidAccessToken],
    ),
    operation(
        "GET",
        "/s2s/v1.0/client/credit/history",
        get_credit_history,
        tag="Units",
        answer=HistoryAnswer,
        refusals=[InvalidAccessToken],
    ),
    operation(
        "GET", "/s2s/v2.0/credit/feature-cost", get_feature_cost, tag="Units", answer=PricesAnswer
    ),
]
