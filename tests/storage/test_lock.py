"""One holder of a folder at a time; a second one is told at once."""

from __future__ import annotations

import errno
import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked


def hold(path: Path) -> None:
    with locked(Folder(str(path)), "state/lock"):
        pass


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with locked(Folder(str(tmp_path)), "state/lock"):
        with pytest.raises(UserError, match=rf"{tmp_path}: another export to this folder is running"):
            hold(tmp_path)
        with ThreadPoolExecutor(1) as pool, pytest.raises(UserError, match="another export"):
            pool.submit(hold, tmp_path).result()
    hold(tmp_path)
    assert (tmp_path / "state" / "lock").read_bytes() == b""


def test_it_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(Folder(str(tmp_path)), "lock"):
        raise RuntimeError
    hold(tmp_path)


@pytest.mark.parametrize("error", [errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def test_disks_that_know_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """No marker file takes the lock's place: it would outlive a killed process."""

    def refused(file: object, how: int) -> None:
        raise OSError(error, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refused)
    for _ in range(2):
        with locked(Folder(str(tmp_path)), "state/lock"), locked(Folder(str(tmp_path)), "state/lock"):
            pass
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["lock"]
