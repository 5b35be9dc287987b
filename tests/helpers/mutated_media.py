"""Photos and videos with mutated metadata: what they are told to be, and whether looking at them ends anything.

    python tests/helpers/mutated_media.py 10000 --seed 1

prints how many of the files were read, how many have a reason, and every exception that got through, with the seed and
the file that repeat it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from clips import paint, write_clip
from pictures import ODD_EXIF, write_animation, write_odd_exif, write_tiff
from PIL import Image, ImageCms

from lpff_ray.decode import open_source
from lpff_ray.errors import SegmentError
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.video import Video
from lpff_ray.types import VideoStatus

METADATA = 2048
"""Bytes at either end of a file that hold its metadata: there, most mutations fall."""
WORDS = [
    bytes.fromhex(word) for word in ("00000000", "ffffffff", "7fffffff", "80000000", "00000001", "01000000")
]
"""Numbers that programs stumble over, in either order of bytes."""


def write_seeds(folder: Path) -> list[Path]:
    """A small sound file of each format, most with EXIF, a profile, XMP or a rotation."""
    picture = Image.fromarray(paint(1234, 64, 48))
    exif = Image.Exif()
    exif[0x0112], exif[0x0131], exif[0x011A] = 6, "a program's name", 72.5
    exif.get_ifd(0x8769)[0x9204] = 0.5
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for ending in ("jpg", "png", "webp", "tif", "avif"):
        picture.save(folder / f"exif.{ending}", exif=exif, icc_profile=profile)
    for ending in ("bmp", "gif", "jp2", "ppm", "tga", "qoi"):
        picture.save(folder / f"plain.{ending}")
    for number, odd in enumerate(ODD_EXIF):
        write_odd_exif(folder / f"odd{number}.jpg", odd)
    for ending in ("gif", "png", "webp", "avif"):
        write_animation(folder / f"moving.{ending}", 4)
    write_tiff(folder / "deep.tif", np.full((48, 64, 3), 1000, np.uint16), 6)
    write_tiff(folder / "float.tif", np.full((48, 64), 0.5, np.float32))
    write_clip(folder / "turned.mp4", 12, rotation=90)
    write_clip(folder / "b.mov", 12, b_frames=2)
    write_clip(folder / "a.mkv", 12)
    write_clip(folder / "a.webm", 12, codec="vp9")
    write_clip(folder / "a.avi", 12, codec="mpeg4")
    write_clip(folder / "a.ts", 12)
    return sorted(folder.iterdir())


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file with one to eight faults: bytes, words, stretches copied, dropped or zeroed; now and then cut off."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        span = min(len(changed), METADATA if chance.random() < 0.9 else len(changed))
        at = chance.randrange(max(1, span))
        if chance.random() < 0.3:  # the index of many a container is at the end
            at = max(0, len(changed) - 1 - at)
        kind = chance.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            changed[at : at + 1] = (
                bytes([changed[at] ^ (1 << chance.randrange(8))]) if at < len(changed) else b""
            )
        elif kind == 2:
            changed[at : at + 4] = chance.choice(WORDS)
        elif kind == 3:
            changed[at : at + chance.randint(1, 16)] = b""
        elif kind == 4:
            start = chance.randrange(max(1, len(changed)))
            changed[at:at] = changed[start : start + chance.randint(1, 64)]
        else:
            changed[at : at + chance.randint(1, 32)] = bytes(chance.randint(1, 32))
    return bytes(changed[: chance.randrange(len(changed))] if changed and chance.random() < 0.05 else changed)


def looked_at(video: Video) -> str:
    """What came of planning a file and decoding its frames: "frames", or the stage that gave a reason.

    What a decoder raises is counted by its name: `SegmentMiner.run` makes a failure of the segment of it. Any other
    exception goes on.
    """
    if video.status != VideoStatus.PLANNED:
        assert video.reason, video
        return str(video.status)
    try:
        with open_source(video.uri, video.kind) as source:
            count = sum(1 for _ in source.frames(range(min(len(source.table), 4))))
    except SegmentError as error:
        return f"{error.failure.stage} failed"
    except Exception as error:  # noqa: BLE001  # as the miner does
        return f"a decoder's {type(error).__name__}"
    return "frames" if count else "no frames"


def run(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Make and look at so many files. Returns what came of them, and the exceptions that got through."""
    seeds = write_seeds(folder)
    found: Counter[str] = Counter()
    escaped = []
    for number in range(count):
        chance = random.Random(f"{seed}:{number}")
        original = chance.choice(seeds)
        path = folder / f"mutated{original.suffix}"
        path.write_bytes(mutated(original.read_bytes(), chance))
        try:
            (video,) = plan_videos([Source(str(path))], workers=1)
            found[looked_at(video)] += 1
        except Exception as error:  # noqa: BLE001  # the count of these is what it is about
            escaped.append(f"--seed {seed}, file {number} ({original.name}): {type(error).__name__}: {error}")
    return found, escaped


def main() -> Iterator[str]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found, escaped = run(chosen.count, chosen.seed, Path(folder))
    yield f"{chosen.count} files in {time.monotonic() - began:.0f} s: {dict(found.most_common())}"
    yield f"{len(escaped)} ended more than themselves"
    yield from escaped


if __name__ == "__main__":
    for line in main():
        print(line, file=sys.stdout, flush=True)
