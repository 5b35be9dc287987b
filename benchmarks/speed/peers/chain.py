"""A chain of scripts as EFHQ's: frames to PNG files, then pass by pass over the files: faces and pose, then identity.

python chain.py EVERY PROCESSES CLIP...
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile

import cv2

sys.path.insert(0, os.path.dirname(__file__))
import naive


def extract(work: tuple[str, str, int]) -> int:
    """Write a clip's frames as PNG files."""
    clip, folder, every = work
    os.makedirs(folder)
    reader, number = cv2.VideoCapture(clip), 0
    while reader.grab():
        if number % every == 0:
            cv2.imwrite(f"{folder}/{number:06d}.png", reader.retrieve()[1])
        number += 1
    return number


def faces_of(path: str) -> list:
    """First pass over a file: faces, pose, identity."""
    return naive.measure(cv2.imread(path))


def sharpness_of(path: str) -> float:
    """Second pass over a file."""
    return float(cv2.Laplacian(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


if __name__ == "__main__":
    every, processes, clips = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    with (
        tempfile.TemporaryDirectory() as place,
        multiprocessing.get_context("spawn").Pool(processes, naive.start) as pool,
    ):
        pool.map(
            extract, [(clip, f"{place}/{index}", every) for index, clip in enumerate(clips)], chunksize=1
        )
        paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)
        found = pool.map(faces_of, paths, chunksize=8)
        pool.map(sharpness_of, paths, chunksize=8)
    print(json.dumps({"looked": len(paths), "faces": sum(map(len, found))}))
