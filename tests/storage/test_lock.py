"""One holder of a folder at a time; a second one is told at once."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.storage import lock
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked

BUSY = "another process works here"


def hold(path: Path) -> None:
    with locked(Folder(str(path)), "state/lock", BUSY):
        pass


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with locked(Folder(str(tmp_path)), "state/lock", BUSY):
        with pytest.raises(UserError, match=f"{tmp_path}: {BUSY}"):
            hold(tmp_path)
        with ThreadPoolExecutor(1) as pool, pytest.raises(UserError, match=BUSY):
            pool.submit(hold, tmp_path).result()
    hold(tmp_path)
    assert (tmp_path / "state" / "lock").read_bytes() == b""


def test_it_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(Folder(str(tmp_path)), "lock", BUSY):
        raise RuntimeError
    hold(tmp_path)


def test_a_second_holder_may_wait(tmp_path: Path) -> None:
    folder, order = Folder(str(tmp_path)), []
    with ThreadPoolExecutor(1) as pool:

        def second() -> None:
            with locked(folder, "lock", BUSY, wait_s=10):
                order.append("second")

        with locked(folder, "lock", BUSY):
            waiting = pool.submit(second)
            time.sleep(0.3)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]


@pytest.fixture(params=["object store", errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def lockless(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A folder where the system knows no locks."""
    monkeypatch.setattr(lock, "SETTLE_S", 0.3)
    if isinstance(request.param, int):

        def refused(file: object, how: int) -> None:
            raise OSError(request.param, "no locks here")

        monkeypatch.setattr(fcntl, "flock", refused)
        return Folder(str(tmp_path))
    return Folder(f"memory://{tmp_path}")


def test_where_the_system_knows_no_locks_a_mark_is_renewed(
    lockless: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.05)
    monkeypatch.setattr(lock, "STALE_S", 1.5)
    with locked(lockless, "lock", BUSY):
        time.sleep(2.0)
        with pytest.raises(UserError, match=BUSY), locked(lockless, "lock", BUSY):
            pass
    with locked(lockless, "lock", BUSY):
        pass


def test_the_mark_of_a_killed_process_is_taken_over(
    lockless: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lockless.commit("lock", b'{"owner": "gone", "beat": %f}' % time.time())
    with pytest.raises(UserError, match=BUSY), locked(lockless, "lock", BUSY):
        pass
    monkeypatch.setattr(lock, "STALE_S", 0.1)
    with locked(lockless, "lock", BUSY, wait_s=5):
        pass
    assert "lock: was held by a process that is gone; taken over" in caplog.text


def test_of_two_that_mark_at_once_one_holds(lockless: Folder) -> None:
    inside, most = 0, 0
    counting = threading.Lock()

    def hold_it(number: int) -> bool:
        nonlocal inside, most
        try:
            with locked(lockless, "lock", BUSY):
                with counting:
                    inside, most = inside + 1, max(most, inside + 1)
                time.sleep(0.2)
                with counting:
                    inside -= 1
                return True
        except UserError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(hold_it, range(4)))
    assert most == 1
