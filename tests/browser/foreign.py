"""Pages of other sites: small HTTP servers with one page each, which puts the chat on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Beans</title>
<link rel="icon" href="data:,">{head}</head><body><h1>Coffee, roasted on Tuesdays</h1>{body}</body></html>"""


class Foreign:
    """Another site; what its page contains can be changed."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port = server.server_address[1]
        self.head = self.body = self.policy = ""

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}"


@contextmanager
def serve() -> Iterator[Foreign]:
    """A site of its own at a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if foreign.policy:
                self.send_header("Content-Security-Policy", foreign.policy)
            self.end_headers()
            self.wfile.write(PAGE.format(head=foreign.head, body=foreign.body).encode())

        def log_message(self, *_arguments: object) -> None:
            """The tests say what matters."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        foreign = Foreign(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield foreign
        finally:
            server.shutdown()
            thread.join()
