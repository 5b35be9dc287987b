"""`python -m benchmarks.speed.contestant KIND EVERY THREADS CLIP...`: one of our own contestants, once.

KIND: floor (PyAV, nothing converted), pyav, decord (frames that are looked at, as RGB), local, ray (mining). The last
line that it prints is JSON: frames looked at, faces, and for mining the seconds of each stage, summed over threads, and
until the first part was committed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl


def decoded(kind: str, every: int, threads: int, clips: list[str]) -> dict[str, Any]:
    """Decode only. Clips that a decoder can not read count for nothing."""
    from lpff_ray.decode import open_source
    from lpff_ray.errors import SegmentError

    def drain(clip: str) -> int:
        try:
            with open_source(clip, "video", "pyav" if kind == "floor" else kind) as source:
                wanted = list(range(0, len(source.table), every))
                if kind == "floor":
                    return len(source.sound(wanted))  # type: ignore[attr-defined]
                return sum(1 for _ in source.frames(wanted))
        except SegmentError:
            return 0

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        looked = sum(pool.map(drain, clips))
    return {"looked": looked, "faces": 0, "work_s": time.perf_counter() - start}


def mined(executor: str, every: int, threads: int, clips: list[str]) -> dict[str, Any]:
    """Mine into a temporary folder."""
    import lpff_ray

    os.environ["COLUMNS"] = "100"
    start, first = time.perf_counter(), [0.0]
    with tempfile.TemporaryDirectory() as out:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                if any(Path(out, "parts").rglob("*.parquet")):
                    first[0] = time.perf_counter() - start
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        config = lpff_ray.MineConfig(every=every)
        lpff_ray.mine(clips, out, config, workers=threads, executor=executor)
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
        segments = lpff_ray.segments(out)
    names = [name for name in segments.columns if name.startswith("seconds_")]
    stages = dict(zip(names, segments.select(pl.col(names).sum()).row(0), strict=True))
    return {
        "looked": int(segments["frames_looked_at"].sum()),
        "faces": int(segments["faces"].sum()),
        "work_s": seconds,
        "first_commit_s": first[0],
        "stages": {name.removeprefix("seconds_"): value for name, value in stages.items() if value},
    }


if __name__ == "__main__":
    kind, every, threads, clips = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    run = mined if kind in ("local", "ray") else decoded
    print(json.dumps(run(kind, every, threads, clips)))
