"""The files of one folder, or of one folder of a zip, by name: listed once, read one by one, nothing is unpacked."""

from __future__ import annotations

import os
import posixpath
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from lzma import LZMAError
from typing import Any, BinaryIO

from lpff_ray.storage.archives import check_size
from lpff_ray.storage.failures import OPEN_ERRORS, storage_failures
from lpff_ray.storage.filesystems import bounded_filesystem
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import split_chain

_UNPACKING = (
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    EOFError,
    ValueError,
    zlib.error,
    LZMAError,
)
"""Raised for members that are damaged, encrypted, or packed in a way that Python does not know."""


class Members(ABC):
    """Files by name. kind: "folder" or "zip". sizes: bytes of each, by name."""

    kind: str
    sizes: Mapping[str, int]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's bytes. Raises OSError if they can not be had."""


class LocalFolder(Members):
    """The files of a local folder."""

    kind = "folder"

    def __init__(self, path: str) -> None:
        self._path = path
        with os.scandir(path) as entries:
            self.sizes = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def read(self, name: str) -> bytes:
        with open(os.path.join(self._path, name), "rb") as file:
            return file.read()


class RemoteFolder(Members):
    """The files of a folder on any of fsspec's file systems."""

    kind = "folder"

    def __init__(self, uri: str) -> None:
        self._uri = uri
        with storage_failures(uri, *OPEN_ERRORS):
            self._filesystem, self._path = bounded_filesystem(uri)
            listed = self._filesystem.ls(self._path, detail=True)
        files = [entry for entry in listed if entry["type"] == "file"]
        self.sizes = {posixpath.basename(entry["name"]): int(entry["size"] or 0) for entry in files}

    def read(self, name: str) -> bytes:
        with storage_failures(self._uri, *OPEN_ERRORS):
            return bytes(self._filesystem.cat_file(posixpath.join(self._path, name)))


class ZipFolder(Members):
    """The files right below one folder of a zip, found by its central directory. Threads may share it."""

    kind = "zip"

    def __init__(self, file: str | BinaryIO, folder: str = "") -> None:
        """folder: within the zip, "" for its top. Raises OSError if it is no zip."""
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise OSError(f"not a zip, or cut off: {error}") from error
        self._prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename.removeprefix(self._prefix)
            if info.filename.startswith(self._prefix) and name and "/" not in name:
                self._infos[name] = info
        self.sizes = {name: info.file_size for name, info in self._infos.items()}

    def read(self, name: str) -> bytes:
        info = self._infos[name]
        check_size(info.file_size, info.compress_size)
        try:
            return self._zip.read(info)
        except _UNPACKING as error:
            raise OSError(f"{name} can not be unpacked: {error}") from error

    def folders(self) -> dict[str, list[str]]:
        """All files of the zip by their folder ("" for its top), wherever they lie."""
        found: dict[str, list[str]] = {}
        for name in self._zip.namelist():
            if not name.endswith("/"):
                folder, _, file = name.rpartition("/")
                found.setdefault(folder, []).append(file)
        return found


def is_zip(uri: str) -> bool:
    """Whether a uri of a picture sequence names a zip or a folder in one; all others are folders."""
    if split_chain(uri)[1]:
        return True
    return not os.path.isdir(uri) if os.path.isabs(uri) else uri.lower().endswith(".zip")


@contextmanager
def open_members(uri: str) -> Iterator[Members]:
    """The files of a folder (local or remote), of a zip, or of a folder in a zip (`zip://FOLDER::ZIP`).

    Raises OSError, with one line for a person, if there is no such folder or zip, also while reading.
    """
    member, archive = split_chain(uri)
    if is_zip(uri):
        with opened(archive or uri) as (file, _):
            yield ZipFolder(file, member.partition("://")[2] if archive else "")
    elif os.path.isabs(uri):
        yield LocalFolder(uri)
    else:
        yield RemoteFolder(uri)


def local_members(path: str) -> Members:
    """As `open_members`, of a local path that `storage.local_copy` gave; open for as long as it is kept."""
    member, archive = split_chain(path)
    if not archive and os.path.isdir(path):
        return LocalFolder(path)
    folder = member.partition("://")[2] if archive else ""
    return ZipFolder(archive or path, folder)


def stamp_of(path: str) -> tuple[Any, ...]:
    """What tells a local folder or zip from one that took its place: for caches."""
    status = os.stat(split_chain(path)[1] or path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
