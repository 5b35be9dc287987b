"""How a worker pool treats the units of an export: what it calls them, how long they may take, how they are retried."""

from __future__ import annotations

from lpff_ray.decode.frame_source import NS
from lpff_ray.decode.registry import last_resort
from lpff_ray.errors import Failure
from lpff_ray.exports.units import ExportUnit
from lpff_ray.run.lease import Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.retry import LOSSES
from lpff_ray.types import Stage

ATTEMPTS = 3
SECONDS_PER_ROW = 5.0


def unit_name(unit: ExportUnit) -> str:
    """What the pool calls a unit."""
    return unit.unit_id


def unit_uri(unit: ExportUnit) -> str:
    """Where a unit's video was seen last."""
    return unit.source.uris[0]


def unit_video(unit: ExportUnit) -> str:
    """The id of a unit's video."""
    return unit.source.video_id


def unit_seconds(unit: ExportUnit) -> float:
    """Seconds of video from a unit's first frame to its last."""
    times = unit.rows["pts_ns"].to_numpy()
    return float(times.max() - times.min()) / NS


def unit_extra_s(unit: ExportUnit) -> float:
    """Seconds that a unit may take beside decoding."""
    return SECONDS_PER_ROW * len(unit.rows)


def next_unit_leases(lease: Lease[ExportUnit], failure: Failure) -> list[Lease[ExportUnit]]:
    """The lease that follows one that failed; none: the unit is given up.

    A video that can not be opened or decoded would fail again: `opened_video` has tried every URI and decoder. What
    stopped its worker is tried with another decoder.
    """
    if failure.stage in (Stage.OPEN, Stage.DECODE) or lease.attempt == ATTEMPTS:
        return []
    decoder = last_resort() if failure.kind in LOSSES else lease.decoder
    return [Lease(lease.item, lease.attempt + 1, decoder)]


UNIT_POLICY: Policy[ExportUnit] = Policy(
    worker="exporter",
    items="units",
    name_of=unit_name,
    retry=next_unit_leases,
    seconds_of=unit_seconds,
    extra_s=unit_extra_s,
    uri_of=unit_uri,
    group_of=unit_video,
)
