"""The miners at work: started on their berths, replaced when killed, dead, or long enough in service."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.miner import MinerActor
from cluster.session import Berth
from lpff_ray.errors import UserError
from lpff_ray.storage.uri import absolute


@dataclass(frozen=True)
class Limits:
    """When patience ends. In seconds, unless said otherwise.

    base_s, per_second: a lease may take base_s + per_second for every second of video in its segment; once
        slower honest segments have been seen, five times as long as the slowest of them.
    warm_up_s: more, for the first leases of a miner.
    start_s: for a placed miner to load its models; for a cluster that lost all its nodes to come back.
    grace_s: for leases in flight to finish, once the run is to end early.
    refit_s: how often to look for nodes that joined.
    served: video segments after which a miner is replaced. Decoders leak; photos do not count.
    rss_mb: resident memory, in MiB, above which a miner is replaced; 0: its share of the node's memory.
    starts: failed starts on one berth, or of the first miner of all, before giving up.
    excuses: how often a segment is tried again at no cost when its miner was lost to the machine's troubles.
    """

    base_s: float = 60.0
    per_second: float = 20.0
    warm_up_s: float = 60.0
    start_s: float = 300.0
    grace_s: float = 120.0
    refit_s: float = 30.0
    served: int = 200
    rss_mb: float = 0.0
    starts: int = 3
    excuses: int = 3


@dataclass(frozen=True)
class Job:
    """A lease (or a unit of an export) in flight; times of time.monotonic()."""

    lease: Any
    began: float
    deadline: float


@dataclass(eq=False)
class Hand:
    """One miner.

    waits_for: what it has to do before it can be given leases (first `ping`, then `start`); None when ready.
    alone: works on one lease at a time, so that its death can be blamed on that lease.
    retiring: gets no more leases.
    """

    berth: Berth
    actor: Any
    waits_for: Any
    placed: bool = False
    deadline: float = float("inf")
    alone: bool = False
    retiring: bool = False
    served: int = 0
    jobs: dict[Any, Job] = field(default_factory=dict)


class Crew:
    """Keeps a miner on every berth for as long as there is work. Only `finished` waits."""

    def __init__(
        self,
        fit: Callable[[], list[Berth]],
        make_engine: Callable[[], Any],
        marker: str,
        limits: Limits,
        note: Callable[[str], None],
        trade: str = "miner",
    ) -> None:
        """trade: what to call a worker when speaking of it."""
        self.hands: list[Hand] = []
        self._fit, self._make_engine, self._marker, self._limits = fit, make_engine, marker, limits
        self._note, self._trade = note, trade
        self._berths = fit()
        self._nodes = {berth.node_id for berth in self._berths}
        self._failed_starts: Counter[Berth] = Counter()
        self._any_started = False
        self._lost_since: float | None = None
        self._noted_wait = False
        self._began = self._fitted = time.monotonic()

    def ready(self) -> list[Hand]:
        """The miners that may be given leases."""
        return [hand for hand in self.hands if hand.waits_for is None and not hand.retiring]

    def staff(self, wanted: int, to_try_alone: int) -> None:
        """Start miners on empty berths: at most `wanted`, so many of them to work alone.

        Raises UserError when no node is left and none has joined for a while.
        """
        now = time.monotonic()
        if now - self._fitted > self._limits.refit_s:
            self._welcome_new_nodes()
        self._watch_for_trouble(now)
        free = Counter(self._berths)
        free.subtract(hand.berth for hand in self.hands)
        coming = sum(hand.waits_for is not None for hand in self.hands)
        alone = sum(hand.alone for hand in self.hands)
        for berth in free.elements():
            if coming >= wanted:
                break
            self._start(berth, alone=alone < to_try_alone)
            coming, alone = coming + 1, alone + 1

    def _start(self, berth: Berth, alone: bool) -> None:
        actor = MinerActor.options(
            num_cpus=berth.cpus,
            num_gpus=berth.gpus,
            max_concurrency=berth.threads,
            scheduling_strategy=NodeAffinitySchedulingStrategy(berth.node_id, soft=False),
            runtime_env={"env_vars": environment()},
        ).remote(self._make_engine)
        self.hands.append(Hand(berth, actor, actor.ping.remote(self._marker), alone=alone))

    def late(self) -> Iterator[tuple[Hand, Job]]:
        """Miners that work on a job past its deadline, with that job. Those that start too slowly are dismissed."""
        now = time.monotonic()
        self._dismiss_late_starters(now)
        for hand in list(self.hands):
            late = [job for job in hand.jobs.values() if now > job.deadline]
            if late:
                yield hand, late[0]

    def finished(self) -> Iterator[tuple[Hand, Any]]:
        """Jobs that are done, with their hands, once something happens.

        Waits for at most a second: deadlines and signals are looked at between waits. Raises what `advance` raises.
        """
        waited = {hand.waits_for: hand for hand in self.hands if hand.waits_for is not None}
        waited |= {ref: hand for hand in self.hands for ref in hand.jobs}
        if not waited:
            threading.Event().wait(0.5)  # every node is lost; the crew looks for new ones
            return
        ready, _ = ray.wait(list(waited), num_returns=1, timeout=1.0)
        for ref in ready:
            hand = waited[ref]
            if ref == hand.waits_for:
                self.advance(hand)
            elif ref in hand.jobs:
                yield hand, ref

    def advance(self, hand: Hand) -> None:
        """What `hand` waits for has come: have it take the next step towards being ready.

        Raises UserError if no miner can work: OUT is not visible, models are missing, nothing starts.
        """
        try:
            answer = ray.get(hand.waits_for)
        except RayError as error:
            self._could_not_start(hand, reason(error))
            return
        if isinstance(answer, UserError):
            raise answer
        if hand.placed:
            hand.waits_for, hand.deadline = None, float("inf")
            self._any_started = True
            self._failed_starts.pop(hand.berth, None)
            return
        if not answer:
            folder = self._marker.rpartition("/")[0]
            raise UserError(
                f"{folder} is not visible from node {hand.berth.node_name}: "
                "choose a folder of a shared file system, or a place such as s3://bucket/run"
            )
        hand.placed = True
        hand.deadline = time.monotonic() + self._limits.start_s
        hand.waits_for = hand.actor.start.remote()

    def _dismiss_late_starters(self, now: float) -> None:
        """Give up on miners that were placed but do not get ready. Raises UserError as `advance` does."""
        for hand in [hand for hand in self.hands if now > hand.deadline]:
            self._could_not_start(hand, f"its models were not loaded after {self._limits.start_s:.0f} s")

    def dismiss(self, hand: Hand) -> None:
        """Kill a miner at once, even one that hangs holding the GIL; its berth is free again."""
        ray.kill(hand.actor, no_restart=True)
        self.hands.remove(hand)

    def close(self) -> None:
        """Kill them all."""
        for hand in list(self.hands):
            self.dismiss(hand)

    def lost_node(self, berth: Berth) -> bool:
        """Whether the berth's whole node is gone; if so, it is not manned again."""
        if any(node["NodeID"] == berth.node_id and node["Alive"] for node in ray.nodes()):
            return False
        self._berths = [other for other in self._berths if other.node_id != berth.node_id]
        return True

    def _could_not_start(self, hand: Hand, why: str) -> None:
        self.dismiss(hand)
        if self.lost_node(hand.berth):
            return
        self._failed_starts[hand.berth] += 1
        if self._failed_starts[hand.berth] >= self._limits.starts:
            self._berths = [berth for berth in self._berths if berth != hand.berth]
            self._note(f"node {hand.berth.node_name} is given up: no {self._trade} starts there: {why}")
        nothing_works = not self._any_started and self._failed_starts.total() >= self._limits.starts
        if nothing_works or not (self._berths or self.hands):
            mend = "its Ray logs (/tmp/ray/session_latest/logs) say more"
            if "No module named" in why:
                mend = "install lpff-ray there, or send it along with `./run_cluster.sh submit`"
            raise UserError(f"no {self._trade} can be started on node {hand.berth.node_name}: {why}; {mend}")

    def _welcome_new_nodes(self) -> None:
        self._fitted = time.monotonic()
        try:
            fleet = self._fit()
        except UserError:
            return  # no cores just now: nodes were lost, and others may come
        # Not more in all than the fleet that fits: with --workers, nodes that join bring no more miners.
        room = max(0, len(fleet) - len(self._berths))
        new = [berth for berth in fleet if berth.node_id not in self._nodes][:room]
        self._nodes.update(berth.node_id for berth in new)
        self._berths += new

    def _watch_for_trouble(self, now: float) -> None:
        waits = not self._any_started and now - self._began > self._limits.refit_s
        if waits and not self._noted_wait and not any(hand.placed for hand in self.hands):
            self._noted_wait = True
            self._note("waiting for a place on the cluster: other jobs hold its cores or GPUs")
        if self._berths:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
            self._note("every node that mined is lost; waiting for others to join")
        elif now - self._lost_since > self._limits.start_s:
            raise UserError("every node that mined is lost; run the same command again to go on from here")


def environment() -> dict[str, str]:
    """Environment variables of the miners, whatever node they are on."""
    # Ray would set OMP_NUM_THREADS to num_cpus; with a thread per lease already, one each is enough.
    chosen = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if os.environ.get("LPFF_RAY_MODELS"):
        chosen["LPFF_RAY_MODELS"] = absolute(os.environ["LPFF_RAY_MODELS"])
    return chosen


def reason(error: RayError) -> str:
    """A Ray error in one line: the worker's own exception, else the last line of Ray's page."""
    cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
    if cause is not None and not isinstance(cause, RayError):
        text = str(cause).strip().splitlines()
        return f"{type(cause).__name__}: {text[-1] if text else ''}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
