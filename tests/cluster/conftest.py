"""One local Ray node for all tests of this folder, and a way to run the dispatcher on it."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.cloudpickle
import standin

from cluster.crew import Limits
from cluster.dispatch import Summary, dispatch
from cluster.session import fit
from lpff_ray.errors import Failure
from lpff_ray.monitoring.progress import Progress
from lpff_ray.plan.segment import Segment
from lpff_ray.run.lease import Lease


@pytest.fixture(scope="session")
def local_node() -> Iterator[None]:
    """Ray with four logical cores, whatever the machine has."""
    ray.cloudpickle.register_pickle_by_value(standin)  # workers can not import it
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=128 << 20,
    )
    yield
    ray.shutdown()


@dataclass
class Run:
    """What a test looks at after a run. log: (segment_id, attempt, decoder, pid) of every lease begun."""

    out: Path
    summary: Summary | None = None
    quarantine: list[tuple[str, str, int]] = field(default_factory=list)
    text: str = ""

    @property
    def log(self) -> list[tuple[str, int, str, int]]:
        lines = (self.out / "log").read_text().split("\n")[:-1]
        return [(s, int(a), d, int(p)) for s, a, d, p in (line.split() for line in lines)]

    def attempts(self, name: str) -> list[tuple[int, str]]:
        """(attempt, decoder) of every lease on segments of the video `name`, in order."""
        return [(attempt, decoder) for found, attempt, decoder, _ in self.log if found.startswith(name)]

    def done(self) -> set[str]:
        return {path.name.removesuffix("-00000.done") for path in self.out.glob("*.done")}


@pytest.fixture
def mine(local_node: None, tmp_path: Path) -> Callable[..., Run]:
    """Dispatch segments to stand-in engines: a short deadline, `workers` miners of two threads."""

    def run(segments: list[Segment], *, workers: int = 2, make_engine: Any = None, **options: Any) -> Run:
        result = Run(tmp_path)
        marker = options.pop("marker", "")
        stream = io.StringIO()

        def on_quarantine(lease: Lease, failure: Failure, attempts: int) -> None:
            result.quarantine.append((lease.segment.segment_id, failure.kind, attempts))

        limits = Limits(**{"base_s": 4.0, "per_second": 0.0, "warm_up_s": 0.0, "grace_s": 10.0, **options})
        progress = Progress(len(segments), stream=stream)
        try:
            with progress:
                result.summary = dispatch(
                    segments,
                    make_engine or functools.partial(standin.Standin, str(tmp_path)),
                    lambda: fit(ray.nodes(), "auto", workers),
                    progress,
                    on_quarantine,
                    marker=marker,
                    limits=limits,
                )
        finally:
            result.text = stream.getvalue()
        return result

    return run
