"""What kind of file something is: by its ending, and by whether its first bytes agree. Pure."""

import unicodedata
from dataclasses import dataclass

from conversations.models.attachments import NAME_LENGTH

PLAIN = "application/octet-stream"
# The formats that every browser draws and none runs anything in.
_IMAGES = {
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    "webp": ("image/webp", (b"RIFF",)),
}
_OFFICE = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "docx": (f"{_OFFICE}wordprocessingml.document", (b"PK\x03\x04",)),
    "xlsx": (f"{_OFFICE}spreadsheetml.sheet", (b"PK\x03\x04",)),
    "pptx": (f"{_OFFICE}presentationml.presentation", (b"PK\x03\x04",)),
    "zip": ("application/zip", (b"PK\x03\x04",)),
}
# In these a NUL has no place (UTF-16 says so itself by its first two bytes).
_CODE = ("c", "cpp", "cs", "css", "go", "h", "html", "java", "js", "php", "py", "rb", "rs", "sh", "sql", "ts")
_TEXTS = frozenset((*_CODE, "csv", "json", "log", "md", "svg", "tsv", "txt", "xml", "yaml", "yml"))
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class FileKind:
    """How a file is kept and shown."""

    media_type: str
    is_image: bool = False


def ending_of(name: str) -> str:
    """Its ending in small letters, "" for none."""
    _stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot else ""


def kind_of(name: str, *, head: bytes) -> FileKind | None:
    """What it is; None where its first bytes are not those of its ending."""
    ending = ending_of(name)
    if ending in _IMAGES or ending in _DOCUMENTS:
        media_type, marks = (_IMAGES | _DOCUMENTS)[ending]
        fits = head.startswith(marks) and (ending != "webp" or head[8:12] == b"WEBP")
        return FileKind(media_type, is_image=ending in _IMAGES) if fits else None
    if ending in _TEXTS:
        return FileKind("text/plain") if b"\x00" not in head or head.startswith(_UTF16) else None
    return FileKind(PLAIN)


def plain_name(name: str) -> str:
    """A name without folders, controls and marks that turn the direction of writing; its ending stays."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in bare if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    kept = kept.strip(" .") or "file"
    ending = f".{ending_of(kept)}" if ending_of(kept) and len(ending_of(kept)) < 12 else ""
    return kept if len(kept) <= NAME_LENGTH else kept[: NAME_LENGTH - len(ending)] + ending
