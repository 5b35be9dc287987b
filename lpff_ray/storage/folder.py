"""A folder of files on any file system that fsspec knows, in which a file is there whole or not at all."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.failures import NO_ROOM, OPEN_ERRORS, explain, storage_failures
from lpff_ray.storage.uri import absolute

PARQUET_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""Raised by Polars for a damaged Parquet file; where it did not expect the damage it panics, which is no Exception."""
Content = bytes | Iterable[bytes]
"""A file's content: bytes, or chunks of them for what may be larger than memory."""


class Folder:
    """Reads, lists and atomically writes files below `root`, a local path or fsspec URI."""

    def __init__(self, root: str) -> None:
        """Raises UserError if nothing of this protocol can be opened here, or `root` is a file."""
        self.root = absolute(root).rstrip("/")
        try:
            with storage_failures(self.root, *OPEN_ERRORS):
                self.filesystem, self.path = fsspec.core.url_to_fs(self.root)
        except OSError as error:
            raise UserError(f"{root}: {explain(error, root)}") from None
        self.is_local = os.path.isabs(self.root)
        if self.is_local and os.path.isfile(self.root):
            raise UserError(f"{root}: a file, not a folder; name a folder")

    def check_writable(self) -> None:
        """Raises UserError if files can not be put here. Leaves nothing behind, not even the folder."""
        if self.is_local:
            place = Path(self.path)
            while not place.exists() and place != place.parent:
                place = place.parent
            if not place.is_dir():
                raise UserError(f"{self.root}: can not be written: {place} is a file, not a folder")
            if not os.access(place, os.W_OK | os.X_OK):
                raise UserError(
                    f"{self.root}: can not be written: no permission, or a read-only disk, at {place}"
                )
            return
        name = f".writable-{uuid.uuid4().hex}"
        self.commit(name, b"lpff_ray")
        self.remove(name)

    def commit(self, name: str, content: Content) -> None:
        """Put a file in place, whole, under `name` (may hold slashes); an older one is replaced.

        Local: a temporary file beside it is fsynced, then renamed, and the folder is fsynced. Object stores put an
        object whole or not at all by themselves. Raises UserError, and leaves nothing behind, if it can not be
        written.
        """
        with self.batch() as put:
            put(name, content)

    @contextmanager
    def batch(self) -> Iterator[Callable[[str, Content], None]]:
        """Commit many files: `with folder.batch() as put: put(name, content)`. All are in place when the context ends.

        Local: they are fsynced and renamed at its end, which is faster than one by one; after an exception within the
        context none is in place. Object stores: each is put at once. Evidence: docs/evidence/storage.md#batch
        """
        if not self.is_local:
            yield self._put_object
            return
        written: dict[Path, Path] = {}

        def put(name: str, content: Content) -> None:
            target = Path(self.path, name)
            temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
            with self.explained(name):
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(temporary, "xb") as file:
                    written[temporary] = target
                    file.writelines([content] if isinstance(content, bytes) else content)

        try:
            yield put
            with self.explained(", ".join(target.name for target in list(written.values())[:1])):
                for temporary in written:
                    fsync(temporary)
                for temporary, target in written.items():
                    os.replace(temporary, target)
                for folder in {target.parent for target in written.values()}:
                    fsync(folder)
        except BaseException:
            for temporary in written:
                temporary.unlink(missing_ok=True)
            raise

    def _put_object(self, name: str, content: Content) -> None:
        path = f"{self.path}/{name}"
        with self.explained(name):
            if isinstance(content, bytes):
                self.filesystem.pipe_file(path, content)
                return
            file = self.filesystem.open(path, "wb", autocommit=False)
            try:
                for chunk in content:
                    file.write(chunk)
                file.close()
            except BaseException:
                file.discard()
                raise
            file.commit()

    @contextmanager
    def explained(self, name: str) -> Iterator[None]:
        """Turn failures to write `name` into UserErrors."""
        try:
            with storage_failures(self.root):
                yield
        except OSError as error:
            if error.errno in NO_ROOM:
                raise UserError(
                    f"{self.root}: {os.strerror(error.errno)}; free some space and run the same command to resume"
                ) from None
            raise UserError(f"{self.root}/{name}: can not be written: {explain(error, self.root)}") from None

    def read(self, name: str) -> bytes | None:
        """The file's content, or None if there is no such file. Raises UserError if it can not be read."""
        try:
            with storage_failures(self.root):
                return bytes(self.filesystem.cat_file(f"{self.path}/{name}"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.root}/{name}: {explain(error, self.root)}") from None

    def end_of(self, name: str, start: bytes, count: int) -> tuple[bytes, bytes] | None:
        """The first bytes of a Parquet file, as many as `start` has, and its end with the whole footer.

        count: bytes of the end to read at first. Returns None if there is no such file. Raises UserError if it can not
        be read.
        """
        path = f"{self.path}/{name}"
        try:
            with storage_failures(self.root):
                if self.is_local:
                    with open(path, "rb") as file:
                        size = os.fstat(file.fileno()).st_size
                        head = file.read(len(start))
                        file.seek(max(0, size - count))
                        end = file.read()
                        needed = int.from_bytes(end[-8:-4], "little") + 8
                        if len(end) < needed <= size:
                            file.seek(size - needed)
                            end = file.read()
                        return head, end
                end = bytes(self.filesystem.cat_file(path, start=-count))
                if int.from_bytes(end[-8:-4], "little") + 8 > len(end) == count:
                    end = bytes(self.filesystem.cat_file(path))
                # A store puts an object whole or not at all: its first bytes are not worth a request.
                return (end if len(end) < count else start)[: len(start)], end
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.root}/{name}: {explain(error, self.root)}") from None

    def move(self, name: str, target: str) -> None:
        """Move a file within the folder; another process may have done so already."""
        with suppress(FileNotFoundError), self.explained(target):
            if self.is_local:
                goal = Path(self.path, target)
                goal.parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(self.path, name), goal)
                for folder in (goal.parent, Path(self.path, name).parent):
                    fsync(folder)
            else:
                self.filesystem.mv(f"{self.path}/{name}", f"{self.path}/{target}")

    def table(self, name: str, remedy: str, columns: list[str] | None = None) -> pl.DataFrame | None:
        """A Parquet file's rows, or None if there is no such file; columns: only these.

        remedy: what to do about a damaged one. Raises UserError with it.
        """
        content = self.read(name)
        if content is None:
            return None
        with self.parsing(name, remedy):
            return pl.read_parquet(io.BytesIO(content), columns=columns)

    def json(self, name: str, remedy: str) -> Any:
        """What a JSON file holds, or None if there is no such file.

        remedy: what to do about a damaged one. Raises UserError with it.
        """
        content = self.read(name)
        try:
            return None if content is None else json.loads(content)
        except ValueError:
            raise UserError(f"{self.root}/{name}: damaged; {remedy}") from None

    def source(self, name: str) -> str | io.BytesIO:
        """What Polars reads a file from: its path, or its content if it is far away."""
        return f"{self.path}/{name}" if self.is_local else io.BytesIO(self.read(name) or b"")

    @contextmanager
    def parsing(self, name: str, remedy: str) -> Iterator[None]:
        """Say of a Parquet file that can not be read which one it is, and the remedy, as a UserError."""
        try:
            yield
        except PARQUET_ERRORS:
            raise UserError(f"{self.root}/{name}: not a table of lpff_ray, or damaged; {remedy}") from None

    def names(self, folder: str, suffix: str) -> list[str]:
        """Sorted names of the finished files in `folder` that end with `suffix`."""
        try:
            with storage_failures(self.root):
                self.filesystem.invalidate_cache()
                found = self.filesystem.ls(f"{self.path}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self.root}/{folder}: {explain(error, self.root)}") from None
        names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)
        return sorted(name for name in names if name.endswith(suffix) and not name.startswith("."))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            self.filesystem.rm_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return

    def sweep(self, folder: str) -> None:
        """Remove what killed writers left behind. Only for the driver, before any worker writes."""
        if self.is_local:
            for leftover in _leftovers(Path(self.path, folder)):
                leftover.unlink(missing_ok=True)


def fsync(path: Path) -> None:
    """Have a local file, or the names in a local folder, written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _leftovers(folder: Path) -> Iterator[Path]:
    return folder.glob(".*.tmp") if folder.is_dir() else iter(())
