"""Static files under names that change with their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Also follows `import` statements, so that a module and what it imports are always of one version."""

    support_js_module_import_aggregation = True
