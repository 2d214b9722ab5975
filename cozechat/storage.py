"""Static files under names that change with their content; our own scripts travel without their comments."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Whose scripts are ours: what packages bring is served as they made it.
_OURS = "conversations/"

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Private members are a class's own business: no other file, and no string, names them.
_USED = re.compile(r"\.#([A-Za-z_]\w*)")
_PRIVATE = re.compile(r"(?:(?<=[.;{}\n])|(?<=\bget)|(?<=\bset)|(?<=\basync)|(?<=\bstatic))#([A-Za-z_]\w*)")


def travelling(script: str) -> str:
    """A script as browsers get it: without comments and indentation, with short names of private members."""
    small = str(jsmin(script)).replace(";}", "}")
    names = sorted(set(_USED.findall(small)))
    short = dict(zip(names, ("".join(pair) for pair in product(("", *_LETTERS), _LETTERS)), strict=False))
    return _PRIVATE.sub(lambda found: f"#{short.get(found[1], found[1])}", small)


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Also follows `import` statements, so that a module and what it imports are always of one version."""

    support_js_module_import_aggregation = True

    def post_process(self, paths: Mapping[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Make our scripts small before their content gives them their names."""
        if not dry_run:
            for name in paths:
                if name.startswith(_OURS) and name.endswith(".js"):
                    collected = Path(self.path(name))
                    collected.write_text(travelling(collected.read_text("utf-8")), "utf-8")
        yield from super().post_process(paths, dry_run, **options)
