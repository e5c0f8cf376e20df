"""Static files in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Each file under a name with its hash, also where one module imports another: a new release is never mixed."""

    support_js_module_import_aggregation = True
