"""What `dedupe` and `select` show in a terminal."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from rich.table import Table

from lpff_ray.curate.dedupe import DedupeSummary
from lpff_ray.curate.selection.histograms import yaw_shares
from lpff_ray.monitoring.console import counted

BAR = 16  # characters of the longest bar


def dedupe_lines(found: DedupeSummary) -> list[str]:
    """What `dedupe` found, for a person."""
    if not found.faces:
        return [f"no faces in {found.out}: nothing to tell apart"]
    kept = found.faces - found.duplicates
    return [
        f"{counted(found.faces, 'face')} in {counted(found.tracks, 'track')}"
        + (f", {found.stitched} of them joined across segment borders" if found.stitched else ""),
        counted(found.identities, "identity", "identities")
        + (f", {found.known} of them known before" if found.known else ""),
        f"{counted(found.duplicates, 'duplicate')} of a better face, {found.across_videos} of them in another video; "
        f"{kept} kept",
        *(
            f"{_file_name(row['uri'])} repeats {_file_name(row['duplicate_of_uri'])}: {row['overlap_s']:.1f} s, "
            f"at {row['offset_s']:+.1f} s, {row['agreement']:.0%} of {row['faces']} faces agree"
            for row in found.near_duplicates.iter_rows(named=True)
        ),
    ]


def _file_name(uri: str | None) -> str:
    return (uri or "?").rstrip("/").rsplit("/", 1)[-1]


def funnel_table(counts: pl.DataFrame) -> Table:
    """How many faces each step of a selection leaves, by bin; bins without their "profile_"."""
    shown = Table(title="How many faces are left, by pose bin")
    shown.add_column("after", no_wrap=True)
    for name in counts.columns[1:]:
        shown.add_column(name.removeprefix("profile_"), justify="right")
    for row in counts.iter_rows():
        shown.add_row(*(str(value) for value in row))
    return shown


def yaw_histogram(before: pl.DataFrame, after: pl.DataFrame) -> Table:
    """Yaw before and after a selection in steps of 15 degrees, as shares and bars."""
    edges, stages = yaw_shares(before, after)
    longest = max(float(shares.max()) for shares in stages.values()) or 1.0
    headers = [header for name in stages for header in (name, "")]
    table = Table("yaw", *headers, title="Share of the faces by yaw (> 0: faces image-left)")
    for step, (low, high) in enumerate(pairwise(edges)):
        row = [float(shares[step]) for shares in stages.values()]
        cells = [text for share in row for text in (f"{share:6.1%}", "█" * round(BAR * share / longest))]
        table.add_row(f"{low:4.0f} .. {high:4.0f}", *cells)
    return table
