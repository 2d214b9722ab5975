"""The load bench: `script/bench` runs it; pytest does not."""

import asyncio
from collections.abc import Callable


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's, where it is installed: what stands around the system under test must not hold it up."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
