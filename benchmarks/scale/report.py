"""`python -m benchmarks.scale.report [--faces 450k] [--out docs/evidence]`: how `lpff-ray report` grows, as a page."""

from __future__ import annotations

import importlib
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import polars as pl
import typer

import lpff_ray
from benchmarks.scale.__main__ import count_of, table
from benchmarks.scale.measure import alone
from benchmarks.scale.synthetic import make_run
from lpff_ray.reports.html.report import write_report
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.thumbnails import commit_thumbnails

HELPERS = Path(__file__).resolve().parents[2] / "tests" / "helpers" / "pages"
JPEG_BYTES = 4_200
"""Of a thumbnail, about the mean of the shared clips'."""
PRESETS = {"flat": "uniform", "large-pose": "lpff"}
PAGE = """# The report: how large, how long

    python -m benchmarks.scale.report --out docs/evidence

Made-up runs of [videos](../../benchmarks/scale/synthetic.py), not compacted, deduped, with the selections
{selections} and a thumbnail of {jpeg} bytes for every face. Seconds are of a clock, CPU seconds of all
threads together: on a busy machine those tell more. MiB: peak of the process that makes the page, of which {idle:.0f}
are there before it begins. shown: faces that the page shows one by one. opened s: until Chromium has loaded it and
drawn what is seen first.

{table}

## Size

`reports.html.samples.PICTURE_BYTES` bounds the pictures of a page, those at the end of each row and cell left out
first. All else is aggregates, and hardly grows: so no page reaches 15 MB.
"""
COLUMNS = {"faces": ",.0f", "parts": ",.0f", "seconds": ".1f", "cpu": ".1f", "peak_mb": ",.0f"}
COLUMNS |= {"page MB": ".1f", "shown": ",.0f", "pictures": ",.0f", "opened s": ".1f"}


def main(
    faces: Annotated[str, typer.Option(help="How many faces.")] = "10k,450k",
    out: Annotated[Path | None, typer.Option(help="Folder to write report.md into.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Keep the runs here, and use those that are.")] = None,
) -> None:
    """Print (and write) the table."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in faces.split(","):
            run = str((runs or Path(temporary)) / f"report-{size}")
            if not Path(run, "selections", "large-pose.parquet").exists():
                alone(curated_run, run, count_of(size))
            rows.append(alone(measured, run) | {"opened s": opened_in(Path(run, "report.html"))})
            print(rows[-1], flush=True)
    page = PAGE.format(
        selections=" and ".join(f"`{name}` ({preset})" for name, preset in PRESETS.items()),
        jpeg=f"{JPEG_BYTES:,}",
        idle=rows[0]["idle_mb"],
        table=table(rows, COLUMNS),
    )
    print(page)
    if out is not None:
        (out / "report.md").write_text(page, encoding="utf-8")


def curated_run(out: str, faces: int) -> None:
    """Write a run with identities, duplicates, selections and thumbnails."""
    make_run(out, faces)
    lpff_ray.dedupe(out, executor="local")
    for name, preset in PRESETS.items():
        lpff_ray.select(out, name, preset)
    folder, random = Folder(out), np.random.default_rng(0)
    pictures = [_jpeg(random) for _ in range(256)]
    of_segments = lpff_ray.scan(out).select("segment_id", "face_id", "bbox").collect()
    for (name,), rows in of_segments.partition_by("segment_id", as_dict=True).items():
        ends = random.bytes(8 * len(rows))  # after a JPEG's end: no two are the same
        jpegs = [pictures[i % 256] + ends[8 * i : 8 * i + 8] for i in range(len(rows))]
        commit_thumbnails(
            folder,
            str(name),
            rows.select("face_id", pl.Series("jpeg", jpegs), pl.col("bbox").alias("region")).select(
                schema.THUMBNAILS.names()
            ),
        )


def _jpeg(random: np.random.Generator) -> bytes:
    """A picture of some blobs, of JPEG_BYTES bytes."""
    noise = cv2.resize(
        random.integers(0, 256, (26, 26, 3), np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC
    )
    encoded = [
        cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        for quality in (95, 85, 70, 50, 30)
    ]
    fitting = next(one for one in encoded if len(one) <= JPEG_BYTES)
    return bytes(fitting).ljust(JPEG_BYTES, b"\0")


def measured(out: str) -> dict[str, Any]:
    """What making the page takes, in a process of its own."""
    idle_mb = _peak_mb()
    began, cpu = time.perf_counter(), time.process_time()
    done = write_report(out)
    return {
        "faces": done.faces,
        "parts": len(Folder(out).names("parts", ".parquet")),
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "idle_mb": idle_mb,
        "peak_mb": _peak_mb(),
        "page MB": done.size_bytes / 1e6,
        "shown": done.shown,
        "pictures": done.pictures,
    }


def opened_in(page: Path) -> float:
    """Seconds that a browser takes to show a page; NaN without one."""
    sys.path.append(str(HELPERS))
    browser = importlib.import_module("browser")
    if browser.missing():
        return float("nan")
    with (
        tempfile.TemporaryDirectory() as profile,
        browser.running_browser(Path(profile)) as running,
        running.page() as tab,
    ):
        began = time.perf_counter()
        tab.open(page)
        tab.wait("return document.querySelector('#map img')")
        return time.perf_counter() - began


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
