"""The gateway, as programs reach it."""
