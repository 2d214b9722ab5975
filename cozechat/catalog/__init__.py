"""Which Coze credentials there are, and which assistants a person can pick."""
