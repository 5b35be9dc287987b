"""What is measured: decoders alone, and a whole run.

In a module of its own, because a spawned process can not import what `python -m` runs.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl


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
