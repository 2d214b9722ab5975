"""KAI: tools on an MCP server, over streamable HTTP with a key. Plain Python."""

from cozechat.kai.client import Kai
from cozechat.kai.tools import Tool

__all__ = ["Kai", "Tool"]
