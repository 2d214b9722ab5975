"""Rules that the whole source keeps: where a session_name enters, who speaks HTTP, how rows are reached."""

import ast
import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cozechat.storage import travelling

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path
    for home in ("cozechat", "accounts", "conversations")
    for path in sorted((ROOT / home).rglob("*.py"))
    if "migrations" not in path.parts
]
# The stand-in reads session names and the isolation check's control is careless on purpose; both are held apart
# by the import contracts.
STAND_INS = {"cozechat/emulator", "cozechat/coze/careless.py"}
EDGES = {
    "conversations/views.py",
    "conversations/api.py",
    "conversations/consumers.py",
    "conversations/listing.py",
    "conversations/searching.py",
}
OWNED = {"Conversation", "Turn", "Message"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def keys_of(node: ast.AST) -> list[ast.expr | None]:
    if isinstance(node, ast.Dict):
        return node.keys
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return [node.slice]
    return []


def writes_session_name(function: ast.AST) -> bool:
    return any(
        isinstance(key, ast.Constant) and key.value == "session_name"
        for node in ast.walk(function)
        for key in keys_of(node)
    )


def test_a_session_name_is_written_in_two_functions_of_the_whole_source():
    places = {
        (name_of(path), function.name)
        for path in FILES
        if not any(name_of(path).startswith(home) for home in STAND_INS)
        for function in functions(path)
        if writes_session_name(function)
    }
    assert places == {
        ("cozechat/coze/oauth.py", "sign_assertion"),
        ("cozechat/coze/bodies.py", "with_session_name"),
        ("accounts/leases.py", "row_of"),  # a column of the stored token, no payload
    }


def test_one_function_signs_and_it_alone_calls_the_library():
    callers = {
        (name_of(path), function.name)
        for path in FILES
        if not any(name_of(path).startswith(home) for home in STAND_INS)
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "jwt.encode"
    }
    assert callers == {("cozechat/coze/oauth.py", "sign_assertion")}


def test_one_module_speaks_http_to_coze():
    importers = {
        name_of(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "httpx" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "httpx")
    }
    assert importers == {"cozechat/coze/transport.py"}


def test_certificates_are_always_verified():
    assert not [name_of(path) for path in FILES if "verify=False" in path.read_text()]


def chains(path: Path) -> Iterator[str]:
    """Every use of `Model.objects` with the name of what is called on it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "objects"
        ):
            model = node.value.value
            if isinstance(model, ast.Name) and model.id in OWNED:
                yield f"{model.id}.objects.{node.attr}"


def test_pages_and_sockets_reach_rows_through_their_owner():
    used = {(name_of(path), chain) for path in FILES if name_of(path) in EDGES for chain in chains(path)}
    assert {chain.rsplit(".", 1)[1] for _path, chain in used} >= {"owned_by"}
    others = {entry for entry in used if not entry[1].endswith(".owned_by")}
    assert others == {
        ("conversations/api.py", "Conversation.objects.create"),  # with the caller as its owner
    }


def test_every_edge_is_a_file_that_exists():
    assert {name_of(path) for path in FILES} >= EDGES


SCRIPTS = ROOT / "conversations/static/conversations"
IMPORTED = re.compile(r"""\b(?:from|import)\s*"\./([\w-]+\.js)\"""")


def loaded_by(entry: str) -> set[str]:
    """A page's script and all that it imports."""
    loaded, left = set(), {entry}
    while left:
        name = left.pop()
        loaded.add(name)
        left |= set(IMPORTED.findall((SCRIPTS / "js" / name).read_text())) - loaded
    return loaded


def weight(paths: Iterable[Path]) -> int:
    """Bytes as they travel, gzipped file by file."""
    return sum(len(gzip.compress(travelling(path.read_text()).encode(), 9)) for path in paths)


def entries() -> set[str]:
    """The scripts that templates name."""
    named = (
        re.findall(r"conversations/js/([\w-]+\.js)", path.read_text())
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    )
    return {name for names in named for name in names}


def test_the_scripts_of_a_page_stay_small():
    weights = {entry: weight(SCRIPTS / "js" / name for name in loaded_by(entry)) for entry in entries()}
    assert weights["main.js"] > 40_000, "the chat page is among them"
    assert {entry: bytes_ for entry, bytes_ in weights.items() if bytes_ >= 60_000} == {}
    assert weight([SCRIPTS / "widget.js"]) < 5_000, "what other sites load"


def test_every_script_is_loaded_by_some_page():
    loaded = {name for entry in entries() for name in loaded_by(entry)}
    assert {path.name for path in (SCRIPTS / "js").glob("*.js")} == loaded


def test_what_travels_of_a_script_is_no_other_script():
    script = """
    // a note
    import { a } from "./a.js"; /* another */
    export const address = /https?:[/][/]x/.exec("http://x // no note")?.[0];
    const lines = `one // line
      two /* lines */ ${a + 1}`;
    """
    small = travelling(script)
    assert "note\n" not in small
    assert "another" not in small
    assert '"http://x // no note"' in small
    assert "`one // line\n      two /* lines */ ${a + 1}`" in small


def test_private_members_travel_under_short_names_and_selectors_as_they_are():
    script = """
    class Box {
      #input = byId("input");
      #count = 0;
      get #open() { return this.#count; }
      async #send() { return document.querySelector("#input, .x #count-all, [data-x] #send"); }
      go() { this.#send(); this.#input.value = `#count ${this.#open}`; }
    }
    """
    small = travelling(script)
    assert "#a=0" in small
    assert "get#c()" in small
    assert "this.#d()" in small
    assert 'byId("input")' in small
    assert '"#input, .x #count-all, [data-x] #send"' in small
    assert "`#count ${this.#c}`" in small
