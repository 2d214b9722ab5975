"""The pages on which people manage their own API keys."""
