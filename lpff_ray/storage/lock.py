"""A folder that one process at a time may write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lpff_ray.errors import UserError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder


@contextmanager
def locked(folder: Folder, name: str) -> Iterator[None]:
    """Hold a local folder for as long as the context lasts, by an advisory lock on its file `name`.

    The kernel lets go of it with the process, however that ends. The file stays, empty: were it removed, one process
    could lock a new file while another holds the old. Nothing is held on object stores, and on file systems that know
    no locks. Raises UserError at once if another process holds the folder, or the file can not be made.
    """
    with ExitStack() as held:
        if folder.is_local:
            _acquire(folder, Path(folder.path, name), held)
        yield


def _acquire(folder: Folder, path: Path, held: ExitStack) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        open(path, "ab").close()  # so that what the lock raises below is about locking
    except OSError as error:
        raise UserError(f"{path}: can not be written: {explain(error, folder.root)}") from None
    try:
        # Without flock, filelock would fall back on a file that outlives a killed process.
        held.enter_context(FileLock(path, timeout=0, fallback_to_soft=False))
    except Timeout:
        raise UserError(
            f"{folder.root}: another export to this folder is running; wait until it ends, or give --dest another "
            "folder"
        ) from None
    except OSError:  # such as a network disk that is mounted without locks
        pass
