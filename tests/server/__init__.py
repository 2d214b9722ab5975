"""Tests of the server: every promise kept by a real process over real sockets."""
