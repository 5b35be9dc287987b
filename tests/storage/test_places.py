"""Which failures to read a file may be of the place that it lies at."""

from __future__ import annotations

from typing import Any

import pytest

from lpff_ray.storage.places import suspected_place


class ClientError(Exception):
    """As botocore's: the answer of the store is in `response`."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"An error occurred ({code}) when calling the GetObject operation")
        self.response: dict[str, Any] = {
            "Error": {"Code": code},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


def raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (raised(OSError("pip install"), ImportError("s3fs")), "s3://bucket"),
        (raised(FileNotFoundError("x"), ClientError("NoSuchBucket", 404)), "s3://bucket"),
        (raised(PermissionError("x"), ClientError("AccessDenied", 403)), "s3://bucket"),
        (raised(OSError("x"), ClientError("SlowDown", 503)), "s3://bucket"),
        (raised(FileNotFoundError("x"), ClientError("NoSuchKey", 404)), ""),
        (raised(OSError("x"), ClientError("InvalidRange", 416)), ""),
        (OSError("x"), ""),
    ],
    ids=["no-package", "no-bucket", "denied", "busy", "no-key", "bad-range", "unknown"],
)
def test_suspected_place(error: Exception, place: str) -> None:
    assert suspected_place("s3://bucket/a.mp4", error) == place
