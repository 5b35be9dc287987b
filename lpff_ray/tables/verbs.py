"""The command line's verb on tables."""

from __future__ import annotations

from lpff_ray.console import console
from lpff_ray.options import Out


def compact(out: Out) -> None:
    """Gather many small parts into few big Parquet files."""
    from lpff_ray.tables.compact import compact as run_compact

    done = run_compact(out)
    console.print(
        f"gathered {done.parts_gathered} parts; {done.faces} faces in {done.files} files below {out}/tables"
    )
