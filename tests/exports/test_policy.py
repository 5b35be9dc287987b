"""Which units are tried again, and how."""

from __future__ import annotations

import polars as pl
import pytest
from numbered import Numbered

from lpff_ray.decode.registry import last_resort
from lpff_ray.errors import Failure
from lpff_ray.exports.policy import ATTEMPTS, next_unit_leases, unit_seconds
from lpff_ray.exports.units import ExportUnit, plan_units
from lpff_ray.run.lease import Lease
from lpff_ray.types import Stage


def unit() -> ExportUnit:
    rows = {"video_id": ["v"] * 3, "frame_index": [0, 5, 9], "index": [2, 0, 1], "uri": ["v.mp4"] * 3}
    times = {"pts_ns": [0, 2_000_000_000, 3_600_000_000]}
    (planned,) = plan_units(Numbered(), pl.DataFrame(rows | times), {})
    return planned


def test_a_units_seconds_are_those_from_its_first_frame_to_its_last() -> None:
    assert unit().unit_id == "v-0-9"
    assert unit_seconds(unit()) == 3.6


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.DECODE])
def test_a_video_that_can_not_be_read_is_given_up(stage: Stage) -> None:
    assert next_unit_leases(Lease(unit()), Failure(stage, "Missing", "gone", "")) == []


def test_what_stopped_its_worker_is_tried_with_another_decoder() -> None:
    lease = Lease(unit())
    for attempt in range(2, ATTEMPTS + 1):
        (lease,) = next_unit_leases(lease, Failure(Stage.PROCESS, "ActorDied", "killed", ""))
        assert (lease.attempt, lease.decoder) == (attempt, last_resort())
    assert next_unit_leases(lease, Failure(Stage.PROCESS, "ActorDied", "killed", "")) == []


def test_a_bug_is_tried_again_as_it_was() -> None:
    (lease,) = next_unit_leases(Lease(unit()), Failure(Stage.PROCESS, "KeyError", "'x'", ""))
    assert (lease.attempt, lease.decoder) == (2, "")
