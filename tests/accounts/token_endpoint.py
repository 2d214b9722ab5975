"""Coze's token endpoint on loopback, in threads of its own: it counts, and fails on request."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt


class TokenEndpoint:
    """Issues `czs_…` tokens; `asked` lists the session names of all requests in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.issued: dict[str, str] = {}
        self.lifetime = 3600
        self.delay = 0.0
        self.refusing = False
        self.was_asked = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_class())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, assertion: str) -> tuple[int, dict[str, Any]]:
        name = jwt.decode(assertion, options={"verify_signature": False})["session_name"]
        with self._lock:
            self.asked.append(name)
            token = f"czs_canary{len(self.asked):04}{'x' * 40}"
        self.was_asked.set()
        self.gate.wait(10)
        time.sleep(self.delay)
        if self.refusing:
            return 403, {
                "error_code": "access_deny",
                "error_message": "deactivated by the owner",
                "error": "",
            }
        with self._lock:
            self.issued[token] = name
        return 200, {
            "access_token": token,
            "expires_in": int(time.time()) + self.lifetime,
            "token_type": "Bearer",
        }

    def _request_class(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class TokenRequest(BaseHTTPRequestHandler):
            """One exchange."""

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = endpoint._answer(self.headers["Authorization"].removeprefix("Bearer "))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return TokenRequest
