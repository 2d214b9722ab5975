"""The official SDK against the emulator: what it can read, our client will meet at Coze."""
