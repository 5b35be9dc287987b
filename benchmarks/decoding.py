"""Where decord can be relied on, and where it can not: the figures of docs/evidence/decoding.md.

    PYTHONPATH=.:tests/helpers python -m benchmarks.decoding --data ../shared/data

All but the real clips is made on the way. Needs decord.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clips import CLIPS, paint, read_index, write_clip
from numpy.typing import NDArray

from lpff_ray.decode import open_source
from lpff_ray.decode.decord_source import DecordSource
from lpff_ray.errors import SegmentError

WRONG_LEVELS = 20
"""A delivered picture counts as damaged if more than 1 % of its values are off by more than this many levels of 255."""

# Run in a process of its own: decode every 20th frame of a clip in two threads, and print the peak memory in MB.
MEMORY = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from lpff_ray.decode.decord_source import DecordSource
from lpff_ray.decode.pyav_source import PyavSource
path, decoder, pause_s = sys.argv[1:]

def read(_):
    with {"decord": DecordSource, "pyav": PyavSource}[decoder](path) as source:
        for frame in source.frames(range(0, len(source.table), 20)):
            time.sleep(float(pause_s))

with ThreadPoolExecutor(2) as pool:
    list(pool.map(read, range(2)))
status = open("/proc/self/status").read()  # ru_maxrss would count the process that started this one
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024 // 10**6)
"""


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder, or any folder of videos.")],
    copies: Annotated[int, typer.Option(help="Damaged copies per real clip.")] = 50,
) -> None:
    """Print what decord alone delivers of numbered clips, how it compares with PyAV on real ones, and its memory."""
    folder = data / "videos" if (data / "videos").is_dir() else data
    real = sorted(path for path in folder.iterdir() if path.suffix in (".mp4", ".mov"))
    with tempfile.TemporaryDirectory() as scratch:
        numbered(Path(scratch))
        usable = equal_pixels(real)
        speed(usable)
        damaged(usable[:2], copies, Path(scratch))
        memory(Path(scratch))


def numbered(scratch: Path) -> None:
    """decord without its rule, on clips whose frames show their number."""
    # Before decord is loaded: with its own copy of libvpx about, FFmpeg can not encode VP9.
    paths = [write_clip(scratch / name, 60, **options) for name, options in CLIPS.items()]  # type: ignore[arg-type]
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    print(
        "decord alone: frames off, at most, of 60 in sequence, and of every 7th from the 4th on, with seeks"
    )
    for path in paths:
        objection = DecordSource.objection(str(path)) or "none"
        try:
            reader = decord.VideoReader(str(path), num_threads=1)
            in_sequence = _off((index, reader.next()) for index in range(len(reader)))
            sparse = _off((index, _sought(reader, index)) for index in range(3, len(reader), 7))
        except (decord.DECORDError, RuntimeError):
            in_sequence = sparse = "fails"
        print(f"  {path.name:20} {in_sequence:>8} {sparse:>8}   objection: {objection}")


def _sought(reader: Any, index: int) -> Any:
    reader.seek_accurate(index)
    return reader.next()


def _off(pictures: Iterator[tuple[int, Any]]) -> str:
    """The largest difference between the number shown and the frame asked for; "rubbish" for no such picture."""
    most = 0
    for index, picture in pictures:
        rgb = picture.asnumpy()
        shown = read_index(rgb) if rgb.ndim == 3 and rgb.shape[2] == 3 else -1
        if shown < 0:
            return "rubbish"
        most = max(most, abs(shown - index))
    return str(most)


def equal_pixels(real: list[Path]) -> list[Path]:
    """The clips that decord may read; prints how far its pixels are from PyAV's."""
    usable = []
    most = 0
    for path in real:
        try:
            with (
                open_source(str(path), "video", "decord") as one,
                open_source(str(path), "video", "pyav") as other,
            ):
                wanted = range(0, len(one.table), 10)
                for mine, theirs in zip(one.frames(wanted), other.frames(wanted), strict=True):
                    most = max(most, int(np.abs(mine.rgb.astype(int) - theirs.rgb).max()))
        except SegmentError as error:
            print(f"  {path.name}: {error.failure.message}")
            continue
        usable.append(path)
    print(
        f"{len(usable)} of {len(real)} real clips are read by decord; their pixels differ from PyAV's by {most} levels"
    )
    return sorted(usable, key=lambda path: path.stat().st_size)


def speed(paths: list[Path]) -> None:
    """Frames per second of CPU time, as RGB, in one thread: decord as it is, without a look for damage, and PyAV."""
    import decord

    seconds = dict.fromkeys(("decord", "pyav"), 0.0)
    frames = 0
    for path in paths:
        start = time.process_time()
        reader = decord.VideoReader(str(path), num_threads=1)
        for _ in range(len(reader)):
            reader.next().asnumpy()
        seconds["decord"] += time.process_time() - start
        del reader
        start = time.process_time()
        with open_source(str(path), "video", "pyav") as source:
            frames += sum(1 for _ in source.frames(range(len(source.table))))
        seconds["pyav"] += time.process_time() - start
    rates = ", ".join(f"{name} {frames / spent:.0f}" for name, spent in seconds.items())
    print(f"frames per second of CPU time, all {frames} frames of these clips: {rates}")


def damaged(paths: list[Path], copies: int, scratch: Path) -> None:
    """Copies with 8, 512 or 20,000 bytes overwritten: in how many a decoder hands out a damaged picture."""
    rng = np.random.default_rng(0)
    spoiled = dict.fromkeys(("decord", "pyav"), 0)
    refused = dict.fromkeys(("decord", "pyav"), 0)
    for path in paths:
        with open_source(str(path), "video", "pyav") as source:
            wanted = range(0, len(source.table), 3)
            sound = {frame.index: frame.rgb for frame in source.frames(wanted)}
        data = path.read_bytes()
        start, stop = _media_data(data)
        for copy in range(copies):
            length = (8, 512, 20_000)[copy % 3]
            at = int(rng.integers(start, stop - length))
            target = scratch / f"damaged{path.suffix}"
            target.write_bytes(data[:at] + rng.bytes(length) + data[at + length :])
            for decoder in spoiled:
                try:
                    spoiled[decoder] += _delivers_damage(target, decoder, wanted, sound)
                except SegmentError:
                    refused[decoder] += 1
            target.unlink()
    names = " and ".join(path.name for path in paths)
    print(f"{copies * len(paths)} damaged copies of {names}:")
    for decoder in spoiled:
        print(
            f"  {decoder}: damaged pictures delivered of {spoiled[decoder]}, an error from {refused[decoder]}"
        )


def _delivers_damage(path: Path, decoder: str, wanted: range, sound: dict[int, NDArray[np.uint8]]) -> bool:
    with open_source(str(path), "video", decoder) as source:
        return any(_differs(frame.rgb, sound[frame.index]) for frame in source.frames(wanted))


def _media_data(data: bytes) -> tuple[int, int]:
    """Where an mp4's pictures lie: the largest `mdat` box."""
    found, at = (0, len(data)), 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big") or len(data) - at
        if data[at + 4 : at + 8] == b"mdat":
            found = (at + 8, at + size)
        at += size
    return found


def _differs(rgb: NDArray[np.uint8], sound: NDArray[np.uint8]) -> bool:
    return bool((np.abs(rgb.astype(np.int16) - sound) > WRONG_LEVELS).mean() > 0.01)


def memory(scratch: Path) -> None:
    """Peak memory of every 20th frame of a 1080p clip with 250 frames between keyframes, in two threads."""
    path = write_clip(scratch / "long.mp4", 500, size=(1920, 1080), gop=250, picture_of=paint)
    for pause_s in (0.0, 0.3):  # how long each frame is measured, while the decoder goes on
        for decoder in ("decord", "pyav"):
            command = [sys.executable, "-c", MEMORY, str(path), decoder, str(pause_s)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"peak memory with {decoder}, {pause_s} s per frame: {done.stdout.strip()} MB")


if __name__ == "__main__":
    typer.run(main)
