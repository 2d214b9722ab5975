"""Coze's HTTP API as plain Python: `client` is the door, everything else is behind it."""
