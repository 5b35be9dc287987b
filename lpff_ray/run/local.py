"""The local executor: threads of this process share one worker."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from lpff_ray.errors import UserError
from lpff_ray.monitoring.events import PoolListener
from lpff_ray.run.lease import Answer, Lease, MakeWorker, Worker, WorkerLost, attempt, bug_failure, one_line
from lpff_ray.run.threads import single_threaded
from lpff_ray.run.workers import Limits, WorkerHandle

MOST_THREADS = 8
CUDA_DRIVER = "libcuda.so.1"
WAIT_S = 0.5  # signals and deadlines are checked between waits


def available_cpus() -> int:
    """CPUs that this process may use: fewer than there are in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows know no affinity


class LocalExecutor:
    """Workers in this process. A decoder that hangs or crashes ends the whole job; with Ray it does not."""

    def __init__(
        self, *, address: str = "", workers: int | None = None, device: str = "auto", out: str = ""
    ) -> None:
        """workers: threads; None for one per CPU, 8 at most. device: "auto" for the GPU if torch sees one.

        address, out: only Ray's executor needs them.
        """
        self._threads = workers or max(1, min(MOST_THREADS, available_cpus()))
        self._device = device

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open between jobs."""

    def share(self, values: Sequence[Any]) -> Sequence[Any]:
        """Threads share memory: the values themselves."""
        return values

    def listeners(self) -> list[PoolListener]:
        """None: progress shows everything."""
        return []

    @contextmanager
    def workers(
        self, make_worker: MakeWorker, limits: Limits, note: Callable[[str], None], worker_name: str
    ) -> Iterator[LocalWorkers]:
        """See run.workers.Executor."""
        with ExitStack() as until_done:
            yield LocalWorkers(
                make_worker,
                chosen_device(self._device),
                self._threads,
                limits,
                worker_name,
                lambda: until_done.enter_context(single_threaded()),
            )


def chosen_device(device: str) -> str:
    """ "auto" resolved: the GPU if torch sees one."""
    if device != "auto":
        return device
    try:
        ctypes.CDLL(
            CUDA_DRIVER
        )  # without it there is no GPU, and torch, which takes seconds to load, need not be asked
    except OSError:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class LocalWorkers:
    """One worker, shared by all threads, and replaced when it is broken. See run.workers.Workers."""

    can_stop = False

    def __init__(
        self,
        make_worker: MakeWorker,
        device: str,
        threads: int,
        limits: Limits,
        worker_name: str,
        when_made: Callable[[], object],
    ) -> None:
        """when_made: called once a worker is made, and has loaded its libraries, before it works."""
        self.handles: list[WorkerHandle] = []
        self._make_worker, self._device, self._threads = make_worker, device, threads
        self._limits, self._worker_name, self._when_made = limits, worker_name, when_made
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=worker_name)
        self._worker: dict[WorkerHandle, Worker] = {}
        self._breakdowns = 0

    def start_workers(self, wanted: int, isolated: int) -> None:
        if wanted and not self.ready():
            handle = WorkerHandle(name=f"this machine ({self._device})", capacity=self._threads)
            self._worker[handle] = self._made()
            self.handles.append(handle)

    def _made(self) -> Worker:
        try:
            worker = self._make_worker(self._device)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"no {self._worker_name} can be started on {self._device}: {type(error).__name__}: {one_line(error)}"
            ) from error
        self._when_made()
        return worker

    def ready(self) -> list[WorkerHandle]:
        return [handle for handle in self.handles if not handle.retiring]

    def submit(self, handle: WorkerHandle, lease: Lease) -> Future[Answer]:
        return self._pool.submit(attempt, self._worker[handle], lease)

    def finished(self) -> Iterator[tuple[WorkerHandle, Future[Answer], Answer | WorkerLost]]:
        held = {future: handle for handle in self.handles for future in handle.in_flight}
        for future in wait(held, timeout=WAIT_S, return_when=FIRST_COMPLETED).done:
            error = future.exception()  # only of what is no Exception, such as a panic of a Rust library
            lease = held[future].in_flight[future].lease
            yield (
                held[future],
                future,
                future.result() if error is None else Answer(failure=bug_failure(error, lease)),
            )

    def stop(self, handle: WorkerHandle) -> str:
        self.handles.remove(handle)
        del self._worker[handle]
        return ""

    def replace_broken(self, handle: WorkerHandle, why: str) -> None:
        self._breakdowns += 1
        if self._breakdowns >= self._limits.breakdowns:
            raise UserError(
                f"{self._device} is taken out of the pool: {self._breakdowns} {self._worker_name}s failed their "
                f"self-test on it ({why}); the device is faulty, or the code that the newest log in OUT/logs names: "
                "repair it, or choose another --device, and run the same command to go on"
            )
        if not handle.in_flight:
            self.stop(handle)

    def why_away(self, handle: WorkerHandle, place: str, uris: Sequence[str]) -> str:
        return ""  # this process has looked itself

    def exclude(self, handle: WorkerHandle, why: str) -> None:
        """Never asked for: threads reach what this process reaches."""

    def close(self, wait: bool) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=True)
