"""A folder that one process at a time may write to."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.uri import explain


@contextmanager
def locked(folder: Folder, name: str) -> Iterator[None]:
    """Hold a local folder for as long as the context lasts, by an advisory lock on its file `name`.

    The kernel lets go of it with the process, however that ends. The file stays, empty: were it removed, one process
    could lock a new file while another holds the old. Nothing is held on object stores, and on file systems that know
    no locks. Raises UserError if another process holds the folder, or the file can not be made.
    """
    if not folder.is_local:
        yield
        return
    path = Path(folder.path, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "ab")  # noqa: SIM115  # NFS locks only what is open for writing
    except OSError as error:
        raise UserError(f"{path}: can not be written: {explain(error, folder.root)}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder.root}: another export to this folder is running; wait until it ends, or give --dest another "
                "folder"
            ) from None
        except OSError:  # such as a network disk that is mounted without locks
            pass
        yield
