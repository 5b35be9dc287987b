"""The command line's verb on tables."""

from __future__ import annotations

from lpff_ray.cli.options import Out
from lpff_ray.monitoring.console import console


def compact(out: Out) -> None:
    """Gather many small parts into few big Parquet files."""
    from lpff_ray.tables.compact import compact as run_compact

    done = run_compact(out)
    console.print(
        f"gathered {done.parts_gathered} parts; {done.faces} faces in {done.files} files below {out}/tables"
    )
