"""Static files under names that change with their content; our own scripts travel without their comments."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Whose scripts are ours: what packages bring is served as they made it.
_OURS = "conversations/"


def travelling(script: str) -> str:
    """A script as browsers get it: without comments, indentation and blank lines."""
    return str(jsmin(script))


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
