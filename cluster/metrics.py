"""Counts of a mining run as Ray metrics, for Ray's dashboard and Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.util.metrics import Counter, Gauge

from lpff_ray.errors import Failure
from lpff_ray.monitoring.events import PoolListener


class Metrics(PoolListener):
    """Counts segments, frames, faces and failures. Make it once Ray is connected."""

    def __init__(self) -> None:
        self._segments = Counter("lpff_ray_segments", "Segments mined and committed")
        self._frames = Counter("lpff_ray_frames", "Frames measured")
        self._missing = Counter("lpff_ray_frames_missing", "Frames asked for and not delivered")
        self._faces = Counter("lpff_ray_faces", "Faces measured")
        self._failures = Counter(
            "lpff_ray_failures", "Failed attempts at segments", tag_keys=("stage", "kind", "outcome")
        )
        self._in_flight = Gauge("lpff_ray_in_flight", "Segments being worked on")

    def completed(self, lease: Any, result: Any) -> None:
        self._segments.inc()
        for counter, count in (
            (self._frames, result.frames_looked_at),
            (self._missing, result.frames_missing),
            (self._faces, result.faces),
        ):
            if count:  # Ray's counters refuse 0
                counter.inc(count)

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        self._failures.inc(tags={"stage": failure.stage, "kind": failure.kind, "outcome": "retried"})

    def given_up(self, lease: Any, failure: Failure) -> None:
        self._failures.inc(tags={"stage": failure.stage, "kind": failure.kind, "outcome": "quarantined"})

    def in_flight(self, leases: int) -> None:
        self._in_flight.set(leases)
