"""No key of anybody's stands in the repository, not even one that looks like an example."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {".git", ".venv", "var", "node_modules", "staticfiles", "pictures"}
# A private key with something in it: 200 letters are more than any test's stump has, and less than any key.
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\\nr\"']*(?:[A-Za-z0-9+/=]+[\s\\nr\"']*){1,60}"
)
TOKEN = re.compile(r"\b(?:pat|czs|czu)_[A-Za-z0-9]{40,}|\bsk-cc-[0-9a-f]{60}\b")


def texts() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*")):
        place = path.relative_to(ROOT)
        if ELSEWHERE & set(place.parts) or not path.is_file() or place.name == ".env":
            continue
        yield place.as_posix(), path.read_bytes().decode("utf-8", "ignore")


def keys_in(text: str) -> list[str]:
    found = [match[0] for match in PRIVATE_KEY.finditer(text)]
    return [key for key in found if len(re.sub(r"[^A-Za-z0-9+/]", "", key.split("-----")[-1])) >= 200]


def test_no_private_key_stands_in_the_repository():
    assert [place for place, text in texts() if keys_in(text)] == []


def test_no_token_stands_in_the_repository():
    assert [place for place, text in texts() if TOKEN.search(text)] == []


def test_a_key_would_be_found():
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"] * 20)
    for newline in ("\n", "\\n"):
        assert keys_in(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END".replace("\n", newline))
    assert not keys_in("-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----")
    assert TOKEN.search("czs_" + "a" * 40)
