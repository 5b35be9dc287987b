"""Archives made in chunks, read by the standard library."""

from __future__ import annotations

import io
import tarfile
import zipfile
from itertools import accumulate

import pytest

from lpff_ray.exports.packing import tar_chunks, zip_chunks

SIZES = [[], [0], [512], [1, 511, 513, 20_000], [300_000, 7]]


def members_of(sizes: list[int]) -> list[tuple[str, bytes]]:
    return [(f"{number:08d}.bin", bytes([number]) * size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", SIZES)
def test_tar_is_whole_records_and_read_by_tarfile(sizes: list[int]) -> None:
    members = members_of(sizes)
    content = b"".join(tar_chunks(iter(members)))
    assert len(content) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert [(member.name, tar.extractfile(member).read()) for member in tar] == members  # type: ignore[union-attr]


def test_tar_is_posix_ustar_and_says_nothing_of_the_machine() -> None:
    content = b"".join(tar_chunks([("a/b.json", b"{}")]))
    entry = tarfile.TarInfo("a/b.json")
    entry.size, entry.mode = 2, 0o444
    body = entry.tobuf(tarfile.USTAR_FORMAT) + b"{}".ljust(tarfile.BLOCKSIZE, b"\0")
    assert content == body.ljust(tarfile.RECORDSIZE, b"\0")


@pytest.mark.parametrize("sizes", SIZES)
def test_zip_is_uncompressed_and_read_by_zipfile(sizes: list[int]) -> None:
    members = members_of(sizes)
    content = b"".join(zip_chunks(iter(members)))
    assert content == b"".join(zip_chunks(iter(members)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == members
        assert {entry.compress_type for entry in archive.infolist()} <= {zipfile.ZIP_STORED}


@pytest.mark.parametrize("chunks", [tar_chunks, zip_chunks])
def test_no_more_is_held_than_a_member(chunks) -> None:  # type: ignore[no-untyped-def]
    size = 100_000
    given = iter(members_of([size] * 8))
    lengths = [len(chunk) for chunk in chunks(given)]
    assert len(lengths) == 9
    for number, total in enumerate(accumulate(lengths[:-1]), 1):
        assert total > number * size - tarfile.RECORDSIZE, (
            "every member is handed on before the next is asked for"
        )
