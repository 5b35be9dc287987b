"""`python -m benchmarks.speed --data ../shared/data [--every 5 --every 1]`: one table, all ratios from one run."""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import polars as pl
import typer


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder, or any folder of videos.")],
    every: Annotated[list[int] | None, typer.Option(help="Sampling steps to measure [5, 1].")] = None,
    threads: Annotated[int, typer.Option(help="Threads of every contestant.")] = 2,
) -> None:
    """Print source frames per second of decoding alone and of mining, and what each stage costs."""
    folder = data / "videos" if (data / "videos").is_dir() else data
    clips = sorted(str(path) for path in folder.iterdir() if path.suffix in (".mp4", ".mov", ".mkv", ".webm"))
    for step in every or [5, 1]:
        decord, pyav = (decode_rate(clips, name, step, threads) for name in ("decord", "pyav"))
        with multiprocessing.get_context("spawn").Pool(
            1
        ) as pool:  # its own process: peak memory is of mining alone
            looked, total, seconds, peak_mb, stages = pool.apply(mine_once, (clips, step, threads))
        print(f"\n--every {step}, {threads} threads, {len(clips)} clips, {total} frames, {looked} looked at")
        print(f"decord only   {decord:8.1f} frames/s")
        print(f"PyAV only     {pyav:8.1f} frames/s   {pyav / decord:.2f} of decord")
        rate = total / seconds
        print(
            f"mine          {rate:8.1f} frames/s   {rate / decord:.2f} of decord   {looked / seconds:.1f} looked at/s"
        )
        print(f"peak memory   {peak_mb:8.0f} MiB")
        print(stages)


def decode_rate(clips: list[str], decoder: str, step: int, threads: int) -> float:
    """Source frames per second that `decoder` gets through; clips that it can not read count for neither."""
    from lpff_ray.decode import open_source
    from lpff_ray.errors import SegmentError

    def drain(clip: str) -> int:
        try:
            with open_source(clip, "video", decoder) as source:
                for _ in source.frames(list(range(0, len(source.table), step))):
                    pass
                return len(source.table)
        except SegmentError:
            return 0

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        frames = sum(pool.map(drain, clips))
    return frames / (time.perf_counter() - start)


def mine_once(clips: list[str], step: int, threads: int) -> tuple[int, int, float, float, str]:
    """Mine into a temporary folder; frames looked at, frames in the clips, seconds, peak MiB, costs by stage."""
    import lpff_ray

    os.environ["COLUMNS"] = "100"
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        lpff_ray.mine(clips, out, lpff_ray.MineConfig(every=step), workers=threads)
        seconds = time.perf_counter() - start
        segments, total = lpff_ray.segments(out), int(lpff_ray.videos(out)["frames_expected"].sum())
    faces, looked = int(segments["faces"].sum()), int(segments["frames_looked_at"].sum())
    names = [name for name in segments.columns if name.startswith("seconds_")]
    spent = segments.select(pl.col(names).sum()).row(0)
    stages = "\n".join(
        f"  {name.removeprefix('seconds_'):10} {1e3 * s / looked:7.2f} ms/frame {1e3 * s / max(faces, 1):7.2f} ms/face"
        for name, s in zip(names, spent, strict=True)
        if s
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return looked, total, seconds, peak_mb, f"stages, in seconds of one thread, {faces} faces:\n{stages}"


if __name__ == "__main__":
    typer.run(main)
