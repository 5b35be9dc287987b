"""What goes wrong on the way to a file's bytes, as one line made for a person."""

from __future__ import annotations

import asyncio
import errno
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from lpff_ray.errors import UserError

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "FSSPEC_S3_ANON=true for a public bucket",
    "gcs": "set GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon for a public bucket",
}
# Raised by storage clients without being OSErrors: (module, class), looked up only in modules already loaded.
_CLIENT_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
)
OPEN_ERRORS = (Exception,)
"""Raised by fsspec on the way to a file: no such protocol or package or member, a locked or damaged archive, arguments
that a URI can not give (TypeError); each of its file systems raises what it likes."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A disk, a quota or a limit on file sizes is exhausted: no other file fares better, so it ends the run."""


@contextmanager
def storage_failures(uri: str, *also: type[Exception]) -> Iterator[None]:
    """Turn whatever storage clients raise into OSErrors whose text is one line with the remedy."""
    try:
        yield
    except FileNotFoundError as error:
        # fsspec says "not found" of every web server's failure; the cause tells a refusal from an absence.
        cause = error.__cause__
        status = getattr(cause, "status", 404)
        if status in (401, 403):
            raise PermissionError(uri) from error
        if cause is not None and (status != 404 or type(cause).__name__.startswith("ClientConnect")):
            raise OSError(explain(cause, uri)) from error
        raise
    except (OSError, UserError):
        raise
    except (*_storage_errors(), *also) as error:
        raise OSError(explain(error, uri)) from error


def _storage_errors() -> tuple[type[Exception], ...]:
    loaded = [getattr(sys.modules[module], name) for module, name in _CLIENT_ERRORS if module in sys.modules]
    return (asyncio.TimeoutError, EOFError, zipfile.BadZipFile, zlib.error, *loaded)


def explain(error: BaseException, uri: str) -> str:
    """One line that says what is wrong with `uri` and, where there is one, the remedy."""
    extra = _EXTRAS.get(uri.partition("://")[0], "")
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        return f"access denied or no credentials: {_CREDENTIALS[extra]}" if extra else "permission denied"
    if isinstance(error, ImportError) and extra:
        return f"the package for this kind of place is not installed: pip install 'lpff-ray[{extra}]'"
    if isinstance(error, asyncio.TimeoutError) and not getattr(error, "strerror", None):
        return "the server sent nothing for too long"
    text = str(error).strip().splitlines()
    # An OSError made by `storage_failures` already is such a line.
    if type(error) is OSError and error.errno is None and text:
        return text[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {text[0] if text else 'no details given'}"
