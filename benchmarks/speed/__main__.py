"""`python -m benchmarks.speed --data ../shared/data [--every 5 --every 1]`: one table, all ratios from one run."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.speed.rates import decode_rate, mine_once


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
        # In a process of its own, so that peak memory is of mining alone.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            looked, total, seconds, peak_mb, stages = pool.submit(mine_once, clips, step, threads).result()
        print(f"\n--every {step}, {threads} threads, {len(clips)} clips, {total} frames, {looked} looked at")
        print(f"decord only   {decord:8.1f} frames/s")
        print(f"PyAV only     {pyav:8.1f} frames/s   {pyav / decord:.2f} of decord")
        rate = total / seconds
        print(
            f"mine          {rate:8.1f} frames/s   {rate / decord:.2f} of decord   {looked / seconds:.1f} looked at/s"
        )
        print(f"peak memory   {peak_mb:8.0f} MiB")
        print(stages)


if __name__ == "__main__":
    typer.run(main)
