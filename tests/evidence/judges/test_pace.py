"""Calls at a rate, and what a Retry-After header asks for."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from guerdon.evidence.judges.pace import Pace, wait_asked


def seconds(work):
    begun = time.monotonic()
    asyncio.run(work())
    return time.monotonic() - begun


async def turns(pace, n, tokens=0.0):
    await asyncio.gather(*[pace.turn(tokens) for _ in range(n)])


def test_without_a_limit_nobody_waits():
    assert seconds(lambda: turns(Pace(), 1000)) < 0.2


def test_the_rate_holds_also_after_a_pause():
    async def work():
        pace = Pace(per_second=50.0)
        await turns(pace, 2)
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        await turns(pace, 6)  # no credit was saved up
        assert time.monotonic() - begun >= 5 / 50 - 0.01

    asyncio.run(work())


def test_the_slower_of_two_limits_counts():
    assert seconds(lambda: turns(Pace(1000.0, 100.0), 3, tokens=10.0)) >= 0.19


def test_a_hold_holds_everybody():
    async def work():
        pace = Pace()
        pace.hold(0.2)
        await turns(pace, 3)

    assert seconds(work) >= 0.19


def test_a_date_is_understood():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 28 < wait_asked(later) <= 30


@pytest.mark.parametrize("header", [None, "", "nan", "inf", "-5", "0", "in a while", "Wed, 99 Foo 2015"])
def test_nonsense_asks_for_nothing(header):
    assert wait_asked(header) == 0.0
