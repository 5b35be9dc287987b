"""The same as naive.py as a pipeline of Ray Data: frames flow from a decoding stage to a stage that measures.

python ray_data.py EVERY PROCESSES CLIP...
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import ray

sys.path.insert(0, os.path.dirname(__file__))
import naive


def decode(batch: dict[str, np.ndarray], every: int) -> Iterator[dict[str, list]]:
    """The frames looked at of each clip, one at a time."""
    for clip in batch["item"]:
        reader, number = cv2.VideoCapture(str(clip)), 0
        while reader.grab():
            if number % every == 0:
                yield {"clip": [str(clip)], "number": [number], "frame": [reader.retrieve()[1]]}
            number += 1


class Measure:
    """A process with the models."""

    def __init__(self) -> None:
        naive.start()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list]:
        return {"faces": [len(naive.measure(np.asarray(frame))) for frame in batch["frame"]]}


if __name__ == "__main__":
    every, processes, clips = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ray.init("local", num_cpus=processes + 1, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = (
        ray.data.from_items(clips, override_num_blocks=len(clips))
        .map_batches(decode, batch_size=1, fn_kwargs={"every": every}, num_cpus=0.5)
        .map_batches(Measure, batch_size=16, concurrency=processes, num_cpus=1)
        .take_all()
    )
    print(json.dumps({"looked": len(rows), "faces": int(sum(row["faces"] for row in rows))}))
