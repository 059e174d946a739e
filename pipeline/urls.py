"""Services that keep files, such as S3, by URLs: what opens them, what they say, and what to do about it."""

import os
import re
from typing import Any

from pipeline.errors import ManifestError, UnreadableError

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

CREDENTIALS = {
    "s3": "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a service other than Amazon's also "
    "AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS (a key file)",
    "abfs": "FSSPEC_ABFS_CONNECTION_STRING, or FSSPEC_ABFS_ACCOUNT_NAME and FSSPEC_ABFS_ACCOUNT_KEY",
}
"""The environment variables that fsspec and the libraries of clouds read."""
CREDENTIALS |= {"s3a": CREDENTIALS["s3"], "gcs": CREDENTIALS["gs"], "az": CREDENTIALS["abfs"]}

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""The extras of this package that bring what opens URLs of a kind."""

STATES = (
    *("ETag", "md5Hash", "etag", "mtime", "LastModified", "last_modified", "Last-Modified", "created"),
    *("sha", "xet_hash", "blob_id", "modify"),  # of GitHub, of the Hugging Face hub twice, of FTP
)
"""What file systems call that which changes when a file does, the best first."""


def is_url(place: str | os.PathLike[str]) -> bool:
    """Whether a file is somewhere that fsspec must open."""
    return URL.match(str(place)) is not None


def open_filesystem(url: str, what: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, or of a local path, and the path in it. Raises ManifestError.

    what: the URL's part in a run, for the message.
    """
    import fsspec

    try:
        # Other processes write files too: a cached listing would hide them.
        filesystem, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        extra = EXTRAS.get(url.partition("://")[0]) if isinstance(error, ImportError) else None
        remedy = f" (pip install 'action-pipeline[{extra}]')" if extra else ""
        raise ManifestError(f"cannot open {what} {url}: {error}{remedy}") from error
    except Exception as error:  # of many kinds: of the cloud's own library, for want of credentials
        raise ManifestError(unusable(url, error, what)) from error
    if is_cloud(filesystem) and not path.strip("/"):
        raise ManifestError(f"{what} {url} names no bucket: give it as {url.partition('://')[0]}://BUCKET/FOLDER")
    if is_cloud(filesystem):  # of s3://bucket//store, what is written is not what is listed
        path = re.sub("^/*([^/]+)/+", r"\1/", path)
    return filesystem, path


def protocols(filesystem: Any) -> tuple[str, ...]:
    """The beginnings of URLs that a file system opens."""
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def is_cloud(filesystem: Any) -> bool:
    """Whether a file system has buckets, which must be there, and no folders, which need not."""
    return not CREDENTIALS.keys().isdisjoint(protocols(filesystem))


def state_of(info: dict[str, Any]) -> str:
    """``SIZE:STATE`` of a file as its file system describes it: it differs where the content does."""
    state = next((info[name] for name in STATES if info.get(name)), "")
    return f"{info['size']}:{str(state).strip(chr(34))}"


def unusable(url: str, error: Exception, what: str = "the store") -> str:
    """What to say of a URL that cannot be used: the library's own words, and what it reads to get there."""
    reason = error.reason if isinstance(error, UnreadableError) else f"{type(error).__name__}: {error}"
    variables = CREDENTIALS.get(url.partition("://")[0])
    credentials = f"set {variables}" if variables else "give fsspec its credentials (FSSPEC_… or ~/.config/fsspec)"
    may = "write" if what in ("the store", "runs") else "read"
    return (
        f"{what} {url} cannot be used: {reason}. Is the URL right, can this machine reach it, and may you {may} "
        f"there? If it asks for credentials, {credentials}"
    )
