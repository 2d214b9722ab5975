"""The emulator by itself, looked at through plain sockets."""
