"""A driver for tests that signal it: `driver.py OUT SECONDS COUNT`. Prints its summary as JSON."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys

import ray
import ray.cloudpickle
import standin

from cluster.crew import Limits
from cluster.dispatch import dispatch
from cluster.metrics import Metrics
from cluster.session import fit, marker_in, session
from lpff_ray.errors import UserError
from lpff_ray.monitoring.progress import Progress


def main(out: str, seconds: str, count: str) -> int:
    ray.cloudpickle.register_pickle_by_value(standin)
    segments = [standin.segment(f"v{i}", f"sleep:{seconds}") for i in range(int(count))]
    try:
        with (
            session(),
            marker_in(out) as marker,
            Progress(len(segments), every_s=1.0) as progress,
        ):
            progress.listen(Metrics())
            summary = dispatch(
                segments,
                functools.partial(standin.Standin, out),
                lambda: fit(ray.nodes(), workers=1),
                progress,
                lambda lease, failure, attempts: None,
                marker=marker,
                limits=Limits(grace_s=20),
            )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(dataclasses.asdict(summary)))
    return 130 if summary.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
