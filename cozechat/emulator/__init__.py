"""A stand-in for Coze's HTTP API on loopback: same bytes, own memory, faults on demand."""
