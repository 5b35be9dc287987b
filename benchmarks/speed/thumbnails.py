"""What thumbnails cost: CPU seconds of mining some clips with and without them, their own share, and bytes per face.

python -m benchmarks.speed.thumbnails CLIP...
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.run import miner

EVERY = 15
ROUNDS = 3


def main() -> None:
    """Mine each clip in turns with and without; the fastest round of each counts."""
    spent = [0.0]
    for name in ("thumbnail", "commit_thumbnails"):
        setattr(miner, name, _timed(getattr(miner, name), spent))
    for clip in sys.argv[1:]:
        _mined(clip, True)  # loads what is loaded once
        cpu: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for wanted in (True, False):
                spent[0] = 0.0
                start = time.process_time()
                faces, stored = _mined(clip, wanted)
                cpu[wanted].append(time.process_time() - start)
                if wanted:
                    own, size = spent[0], stored
        share = own / min(cpu[True])
        print(
            f"{Path(clip).name}: {faces} faces; with {min(cpu[True]):.2f} s, without {min(cpu[False]):.2f} s of CPU; "
            f"thumbnails {1000 * own / faces:.2f} ms a face, {share:.2%}; {size / faces / 1000:.1f} kB a face",
            flush=True,
        )


def _mined(clip: str, thumbnails: bool) -> tuple[int, int]:
    """Faces, and bytes of their side files."""
    with tempfile.TemporaryDirectory() as folder:
        done = lpff_ray.mine(clip, folder, MineConfig(every=EVERY), workers=1, thumbnails=thumbnails)
        return done.faces, sum(path.stat().st_size for path in Path(folder).glob("thumbnails/*"))


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*arguments)
        finally:
            spent[0] += time.thread_time() - start

    return timed


if __name__ == "__main__":
    main()
