"""Numbers of requests are distinct and rise, whatever the clock does."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from anello.web.request_id import EPOCH_S, RequestIds


@given(st.lists(st.floats(EPOCH_S, EPOCH_S + 60 * 365 * 86400), min_size=1))
def test_numbers_rise(times: list[float]) -> None:
    ticks = iter(times)
    ids = RequestIds(clock=lambda: next(ticks))
    numbers = [int(ids.next()) for _ in times]
    assert all(a < b for a, b in itertools.pairwise(numbers))
    assert 0 < numbers[-1] < 2**63


def test_many_in_one_millisecond() -> None:
    ids = RequestIds(clock=lambda: 2e9)
    assert len({ids.next() for _ in range(10_000)}) == 10_000
