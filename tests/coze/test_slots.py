"""Slots: so many at once, in the order of asking, and none is ever lost."""

import asyncio

import pytest

from cozechat.coze.errors import NoFreeConnection
from cozechat.coze.slots import Slots


async def test_one_too_many_waits_for_the_first_who_gives_back():
    slots, order = Slots(1, patience=5), []

    async def use(name: str) -> None:
        await slots.take()
        order.append(name)
        await asyncio.sleep(0.01)
        slots.give()

    await asyncio.gather(*(use(name) for name in "abc"))
    assert order == ["a", "b", "c"]


async def test_how_many_are_taken_and_wait_can_be_seen():
    slots = Slots(2, patience=5)
    for _each in range(2):
        await slots.take()
    waiting = asyncio.ensure_future(slots.take())
    await asyncio.sleep(0)
    assert (slots.taken, slots.waiting) == (2, 1)
    slots.give()
    await waiting
    assert (slots.taken, slots.waiting) == (2, 0)
    waiting = asyncio.ensure_future(slots.take())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert slots.waiting == 0


async def test_who_waits_too_long_is_told_so_and_takes_nothing_along():
    slots = Slots(1, patience=0.05)
    await slots.take()
    with pytest.raises(NoFreeConnection):
        await slots.take()
    slots.give()
    await slots.take()


async def test_a_slot_that_comes_to_somebody_who_has_just_left_goes_to_the_next():
    slots = Slots(1, patience=5)
    await slots.take()
    leaving, next_one = (asyncio.create_task(slots.take()) for _each in range(2))
    await asyncio.sleep(0)
    slots.give()
    leaving.cancel()
    await asyncio.wait_for(next_one, 1)
    assert leaving.cancelled()
    slots.give()
    await asyncio.wait_for(slots.take(), 1)


async def test_who_left_while_waiting_is_passed_over():
    slots = Slots(1, patience=5)
    await slots.take()
    leaving = asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    slots.give()
    await asyncio.wait_for(slots.take(), 1)
