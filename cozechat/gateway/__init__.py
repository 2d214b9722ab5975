"""The OpenAI-compatible API: keys, models, sessions of end users, and calls that are billed."""
