"""Rules that the client's source keeps."""

import ast
from pathlib import Path

import cozechat.coze

SOURCES = sorted(Path(cozechat.coze.__file__).parent.glob("*.py"))


def _name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", None) or ""


def _writes(tree: ast.AST) -> list[str]:
    """The functions in which something is stored under the key `session_name`."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            keys = (
                node.keys
                if isinstance(node, ast.Dict)
                else [node.slice]
                if isinstance(node, ast.Subscript)
                else []
            )
            calls = isinstance(node, ast.Call) and _name_of(node.func) in (
                "dict",
                "update",
                "present",
                "setdefault",
            )
            given = [*node.keywords, *node.args] if calls and isinstance(node, ast.Call) else []
            if any(_name_of(key) == "session_name" for key in [*keys, *given] if key is not None):
                found.append(function.name)
    return found


def test_a_session_name_enters_a_payload_and_a_jwt_in_one_place_each():
    places = {(path.name, name) for path in SOURCES for name in _writes(ast.parse(path.read_text()))}
    assert places == {("bodies.py", "with_session_name"), ("oauth.py", "sign_assertion")}


def test_every_body_of_a_caller_passes_the_place_that_names_the_user():
    """The token exchange and the isolation check's control have no caller."""
    makers = {
        (path.name, function.name)
        for path in SOURCES
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("bodies.encode", "encode", "Request")
    }
    assert makers == {
        ("api.py", "_request"),
        ("oauth.py", "exchange_request"),
        ("careless.py", "_post"),
    }


def test_nothing_in_flight_is_cancelled_by_us():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert _name_of(node.func) not in (
                    "wait_for",
                    "timeout",
                    "timeout_at",
                    "cancel",
                    "move_on_after",
                )


def test_httpx_is_known_to_one_module():
    importers = {
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(alias.name == "httpx" for alias in node.names)
    }
    assert importers == {"transport.py"}
