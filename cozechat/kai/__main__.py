"""`python -m cozechat.kai FD`: the demo server on a socket that its parent has opened; see `process.start`."""

import os
import socket
import sys

from cozechat.kai import demo, process

if __name__ == "__main__":
    demo.serve(
        socket.socket(fileno=int(sys.argv[1])),
        key=os.environ[process.KEY_VARIABLE],
        ready=lambda: None,
        until_stdin_closes=True,
    )
