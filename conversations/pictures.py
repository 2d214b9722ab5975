"""Pictures in answers: shown from hosts that the site names, else a link that says where they are.

A picture is fetched by the reader's browser from wherever a model was talked into, with whatever its address tells:
so none is fetched unless `REMOTE_IMAGE_HOSTS` has its host, and the page's policy forbids the others as well. What
a `data:` address carries is fetched from nowhere; it is shown unless it is large or may hold a script.
"""

import html
import re
import zlib
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

# Neither brackets in its name nor parentheses in its address: what is looked at once is not looked at again.
_PICTURE = re.compile(
    r'!\[([^\[\]]{0,500})\]\([ ]?<?([^\s<>()\[\]]{1,60000})>?(?:[ ]+"[^"\[\]\n]{0,500}")?[ ]?\)'
)
_ADDRESS = re.compile(r"https://([a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?)(?::443)?(?:[/?#][^\\]*)?", re.IGNORECASE)
DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/%]+={0,2}", re.IGNORECASE)


def parse(state: Any, silent: bool) -> bool:
    """The rule for the parser: `![name](address)`."""
    if not state.src.startswith("![", state.pos):
        return False
    found = _PICTURE.match(state.src, state.pos)
    if found is None or not state.md.validateLink(found[2]):
        return False
    if not silent:
        token = state.push("picture", "", 0)
        inside = state.linkLevel > 0
        token.content = found[1]
        token.meta = {"address": state.md.normalizeLink(found[2]), "inside": inside}
    state.pos = found.end()
    return True


def render(_renderer: Any, tokens: Any, index: int, _options: Any, _environment: Any) -> str:
    """A picture, or the link to it; inside a link it is none."""
    address, name = tokens[index].meta["address"], html.escape(tokens[index].content)
    quoted = html.escape(address)
    if DATA.fullmatch(address):
        return f'<img class="picture" src="{quoted}" alt="{name}" loading="lazy">'
    if _is_shown(address):
        shown, look = (
            f'<img src="{quoted}" alt="{name}" loading="lazy" referrerpolicy="no-referrer">',
            "picture",
        )
    else:
        host, look = html.escape(_host(address)), "picture-link"
        shown = f'<span>{name}</span> <span class="picture-host">{host}</span>' if host else ""
    if not shown:
        return name
    if tokens[index].meta["inside"]:
        return f'<span class="{look}">{shown}</span>'
    return f'<a class="{look}" href="{quoted}">{shown}</a>'


def _is_shown(address: str) -> bool:
    found = _ADDRESS.fullmatch(address)
    host = found[1].lower() if found else ""
    return bool(host) and any(_fits(host, allowed.lower()) for allowed in settings.REMOTE_IMAGE_HOSTS)


def _fits(host: str, allowed: str) -> bool:
    """As the policy of the page has it: `*.example.com` is whatever ends so."""
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return (parts.hostname or "")[:100] if parts.scheme in {"http", "https"} else ""


def kept_attribute(tag: str, attribute: str, value: str) -> str | None:
    """What the sanitiser lets through: `data:` as a small picture, and nowhere else."""
    if value.lstrip().lower().startswith("data:") and not (
        (tag, attribute) == ("img", "src") and DATA.fullmatch(value)
    ):
        return None
    return value


def stamp() -> int:
    """Another number for other hosts (0 to 255): what was rendered for them is not shown for these."""
    return zlib.crc32(",".join(sorted(settings.REMOTE_IMAGE_HOSTS)).encode()) % 256
