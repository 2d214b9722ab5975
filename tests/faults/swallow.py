"""A process of its own that reads one answer of Coze's, and says how it ended and how much memory it took.

python -m tests.faults.swallow http://127.0.0.1:PORT
"""

import asyncio
import json
import resource
import sys

from cozechat.coze.calls import DEFAULT_LIMITS
from cozechat.coze.errors import CozeError
from cozechat.coze.types import MessageDelta
from tests.coze.wire import ALICE, CHAT, client_of


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(base_url: str) -> None:
    length, error = 0, ""
    async with client_of(base_url, limits=DEFAULT_LIMITS) as client:
        before = peak_mib()
        try:
            async with client.workflow_chat(ALICE, CHAT) as stream:
                async for each in stream:
                    length += len(each.content) if isinstance(each, MessageDelta) else 0
        except CozeError as failure:
            error = type(failure).__name__
    print(json.dumps({"error": error, "length": length, "grown": peak_mib() - before}))  # noqa: T201


asyncio.run(main(sys.argv[1]))
