"""The workers of a job on Ray: started on their placements, replaced when stopped, dead, broken or used for long."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.worker import Placed, PoolWorkerActor
from cluster.placement import Placement
from cluster.processes import CURE, end_of_stderr, environment, out_of_reach, reason
from lpff_ray.errors import Failure, UserError
from lpff_ray.run.faults.memory import EXCEEDED
from lpff_ray.run.lease import Answer, Lease, MakeWorker, WorkerLost
from lpff_ray.run.workers import Limits, WorkerHandle
from lpff_ray.types import Stage

RECYCLED_AT = 0.8
"""Share of its memory above which a worker is replaced between two leases; at the whole of it, it ends itself."""
ASK_S = 120.0
"""How long a worker may take to say whether it reaches a place: clients try several times."""
LOW_MEMORY = "killed by Ray because its node ran low on memory"


@dataclass(eq=False)
class RayWorker(WorkerHandle):
    """One actor.

    waits_for: what it has to do before it can be given leases (first `ping`, then `start`); None when ready.
    started_by: time.monotonic() by which it must be ready, once it is placed. stderr: the file it writes to, on its
    node.
    """

    placement: Placement = None  # type: ignore[assignment]
    actor: Any = None
    waits_for: Any = None
    placed: bool = False
    started_by: float = float("inf")
    stderr: str = ""


class RayWorkers:
    """Keeps a worker on every placement for as long as there is work. See run.workers.Workers."""

    can_stop = True

    def __init__(
        self,
        fit: Callable[[], list[Placement]],
        make_worker: MakeWorker,
        device: str,
        marker: str,
        limits: Limits,
        note: Callable[[str], None],
        worker_name: str,
    ) -> None:
        """fit: the placements that the cluster offers now; asked again as nodes join. marker: a file that every worker
        must see before it gets work, "" if none. Raises UserError as `fit` does."""
        self.handles: list[RayWorker] = []
        self._fit, self._make_worker, self._device, self._marker = fit, make_worker, device, marker
        self._limits, self._note, self._worker_name = limits, note, worker_name
        self._placements = fit()
        self._nodes = {placement.node_id for placement in self._placements}
        self._failed_starts: Counter[Placement] = Counter()
        self._breakdowns: Counter[Placement] = Counter()
        self._parked: list[Any] = []
        self._any_started = False
        self._lost_since: float | None = None
        self._noted_wait = False
        self._began = self._fitted = time.monotonic()

    def ready(self) -> list[RayWorker]:
        return [handle for handle in self.handles if handle.waits_for is None and not handle.retiring]

    def start_workers(self, wanted: int, isolated: int) -> None:
        """See run.workers.Workers. Raises UserError when no node is left and none has joined for a while."""
        now = time.monotonic()
        if now - self._fitted > self._limits.nodes_s:
            self._add_new_nodes()
        self._check_nodes(now)
        free = Counter(self._placements)
        free.subtract(handle.placement for handle in self.handles)
        coming = sum(handle.waits_for is not None for handle in self.handles)
        in_isolation = sum(handle.isolated for handle in self.handles)
        for placement in free.elements():
            if coming >= wanted:
                break
            self._start(placement, isolated=in_isolation < isolated)
            coming, in_isolation = coming + 1, in_isolation + 1

    def _start(self, placement: Placement, isolated: bool) -> None:
        actor = PoolWorkerActor.options(
            num_cpus=placement.cpus,
            num_gpus=placement.gpus,
            max_concurrency=placement.threads + 1,  # `why_away` waits for no lease
            scheduling_strategy=NodeAffinitySchedulingStrategy(placement.node_id, soft=False),
            runtime_env={"env_vars": environment()},
        ).remote(self._make_worker, self._device)
        self.handles.append(
            RayWorker(
                name=placement.node_name,
                capacity=placement.threads,
                memory_mb=RECYCLED_AT * placement.memory_mb,
                isolated=isolated,
                placement=placement,
                actor=actor,
                waits_for=actor.ping.remote(self._marker),
            )
        )

    def submit(self, handle: RayWorker, lease: Lease[Any]) -> Any:
        return handle.actor.run.remote(lease)

    def finished(self) -> Iterator[tuple[RayWorker, Any, Answer | WorkerLost]]:
        """Raises what `_advance` raises."""
        self._stop_late_starters()
        waited = {handle.waits_for: handle for handle in self.handles if handle.waits_for is not None}
        waited |= {ref: handle for handle in self.handles for ref in handle.in_flight}
        if not waited:
            threading.Event().wait(0.5)  # every node is lost, and others may join
            return
        ready, _ = ray.wait(list(waited), num_returns=1, timeout=1.0)
        for ref in ready:
            handle = waited[ref]
            if ref == handle.waits_for:
                self._advance(handle)
            elif ref in handle.in_flight:
                yield handle, ref, self._answer(handle, ref)

    def _answer(self, handle: RayWorker, ref: Any) -> Answer | WorkerLost:
        try:
            answer: Answer = ray.get(ref)
        except RayTaskError as error:  # the actor itself failed, for example to pickle an answer
            kind, _, message = reason(error).partition(": ")
            return Answer(failure=Failure(Stage.PROCESS, kind, message, traceback=str(error)))
        except RayError as error:
            machine_fault = LOW_MEMORY if "low on memory" in str(error) else ""
            written = end_of_stderr(handle.stderr, handle.name)
            exceeded = [line for line in written.splitlines() if line.startswith(EXCEEDED)]
            message = "the worker died: a crash, or killed by the system"
            if exceeded:
                message = f"the worker took {exceeded[-1].removeprefix('lpff_ray: ')}"
            return WorkerLost(message, machine_fault, written)
        return answer

    def _advance(self, handle: RayWorker) -> None:
        """What `handle` waits for has come: take its next step towards being ready.

        Raises UserError if no worker can work: the output is not visible, models are missing, nothing starts.
        """
        try:
            answer = ray.get(handle.waits_for)
        except RayError as error:
            self._could_not_start(handle, reason(error))
            return
        if isinstance(answer, UserError):
            # A GPU that is gone from one node must not end the job for the others.
            if self._any_started or len(self.handles) > 1:
                self._could_not_start(handle, str(answer))
                return
            raise answer
        if isinstance(answer, Placed):
            if answer.objection and not self._any_started:
                raise UserError(out_of_reach(self._marker.rpartition("/")[0], handle.name, answer.objection))
            if answer.objection:
                self._could_not_start(handle, answer.objection)
                return
            handle.placed, handle.stderr = True, answer.stderr
            handle.started_by = time.monotonic() + self._limits.start_s
            handle.waits_for = handle.actor.start.remote(handle.placement.memory_mb, self._limits.most_mb)
            return
        handle.waits_for, handle.started_by = None, float("inf")
        self._any_started = True
        self._failed_starts.pop(handle.placement, None)

    def _stop_late_starters(self) -> None:
        """Give up on workers that were placed but do not get ready. Raises UserError as `_advance` does."""
        now = time.monotonic()
        for handle in [handle for handle in self.handles if now > handle.started_by]:
            self._could_not_start(handle, f"its models were not loaded after {self._limits.start_s:.0f} s")

    def stop(self, handle: RayWorker) -> str:
        """Kill a worker at once, even one that hangs holding the GIL; its placement is free again."""
        if handle in self.handles:
            ray.kill(handle.actor, no_restart=True)
            self.handles.remove(handle)
        return "its node is lost" if self._lost_node(handle.placement) else ""

    def replace_broken(self, handle: RayWorker, why: str) -> None:
        placement = handle.placement
        self._breakdowns[placement] += 1
        if self._breakdowns[placement] < self._limits.breakdowns:
            self.stop(handle)  # a new one is started there
            return
        self._placements = [other for other in self._placements if other != placement]
        # The last one is left alive, without work: it holds its GPU, which Ray would else give to the next actor.
        self.handles.remove(handle)
        self._parked.append(handle.actor)
        device = "GPU" if placement.gpus else "placement"
        text = (
            f"a {device} of node {placement.node_name} is taken out of the pool: {self._breakdowns[placement]} "
            f"{self._worker_name}s failed their self-test on it ({why})"
        )
        self._note(text)
        if not (self._placements or self.handles):
            raise UserError(f"{text}; none is left: repair it and run the same command to go on")

    def why_away(self, handle: RayWorker, place: str, uris: Sequence[str]) -> str:
        try:
            return str(ray.get(handle.actor.why_away.remote(place, uris), timeout=ASK_S))
        except GetTimeoutError:
            return f"no answer in {ASK_S:.0f} s"
        except RayError:
            return ""  # it was stopped meanwhile

    def exclude(self, handle: RayWorker, why: str) -> None:
        node = handle.placement.node_id
        if all(placement.node_id != node for placement in self._placements):
            return
        self._placements = [other for other in self._placements if other.node_id != node]
        for other in [other for other in self.handles if other.placement.node_id == node]:
            other.retiring = other.broken = True
            if not other.in_flight:
                self.stop(other)
        text = f"node {handle.name} is taken out of the pool: {why}"
        self._note(text)
        if not self._placements:
            raise UserError(f"{text}; no node is left, and nothing was given up: {CURE}")

    def close(self, wait: bool) -> None:
        for actor in [*self._parked, *(handle.actor for handle in self.handles)]:
            ray.kill(actor, no_restart=True)
        self._parked.clear()
        self.handles.clear()

    def _lost_node(self, placement: Placement) -> bool:
        """Whether the placement's whole node is gone; if so, no worker is started there again."""
        if any(node["NodeID"] == placement.node_id and node["Alive"] for node in ray.nodes()):
            return False
        self._placements = [other for other in self._placements if other.node_id != placement.node_id]
        return True

    def _could_not_start(self, handle: RayWorker, why: str) -> None:
        if self.stop(handle):
            return
        placement = handle.placement
        self._failed_starts[placement] += 1
        if self._failed_starts[placement] >= self._limits.starts:
            self._placements = [other for other in self._placements if other != placement]
            self._note(f"node {handle.name} is given up: no {self._worker_name} starts there: {why}")
        nothing_works = not self._any_started and self._failed_starts.total() >= self._limits.starts
        if nothing_works or not (self._placements or self.handles):
            remedy = "its Ray logs (/tmp/ray/session_latest/logs) say more"
            if "No module named" in why:
                remedy = "install lpff-ray there, or send it along with `./run_cluster.sh submit`"
            raise UserError(f"no {self._worker_name} can be started on node {handle.name}: {why}; {remedy}")

    def _add_new_nodes(self) -> None:
        self._fitted = time.monotonic()
        try:
            offered = self._fit()
        except UserError:
            return  # no cores just now: nodes were lost, and others may come
        # Not more in all than fit now: with --workers, nodes that join bring no more workers.
        room = max(0, len(offered) - len(self._placements))
        new = [placement for placement in offered if placement.node_id not in self._nodes][:room]
        self._nodes.update(placement.node_id for placement in new)
        self._placements += new

    def _check_nodes(self, now: float) -> None:
        waits = not self._any_started and now - self._began > self._limits.nodes_s
        if waits and not self._noted_wait and not any(handle.placed for handle in self.handles):
            self._noted_wait = True
            self._note("waiting for resources of the cluster: other jobs hold its cores or GPUs")
        if self._placements:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
            self._note("every node that worked is lost; waiting for others to join")
        elif now - self._lost_since > self._limits.start_s:
            raise UserError("every node that worked is lost; run the same command again to go on from here")
