"""`python -m benchmarks.exports_evidence RUN [--yunet FILE]`: measurements behind the constants of lpff_ray.exports.

Prints the figures that docs/evidence/exports.md is about. RUN: a run over real clips, deduped.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

import lpff_ray
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop
from lpff_ray.exports.imaging.head_view import fit_head
from lpff_ray.exports.imaging.mp4 import REPEATABLE, Mp4Writer
from lpff_ray.exports.imaging.squares import face_boxes
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.types import PoseBin

TRACKS, FACES_PER_TRACK, SEED = 28, 14, 0
PNG_SETTINGS = {
    "runs only (Z_RLE), level 3": [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 3],
    "runs only (Z_RLE), no level": [cv2.IMWRITE_PNG_STRATEGY, 3],
    "zlib's search, level 1": [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 0],
    "zlib's search, level 3": [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 0],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="folder of a run over real clips")
    parser.add_argument("--yunet", type=Path, help="face_detection_yunet_2023mar.onnx; without it no boxes")
    parser.add_argument("--encodings", type=int, default=300, help="how often the same MP4 is encoded")
    options = parser.parse_args()
    faces = lpff_ray.scan(options.run).collect()
    drawn = drawn_faces(faces)
    pictures = list(with_frames(drawn))
    png(pictures)
    if options.yunet:
        whole_face_boxes(pictures, options.yunet)
    head_size(faces)
    same_mp4(options.encodings)
    words(faces)


def drawn_faces(faces: pl.DataFrame) -> pl.DataFrame:
    """Some faces of some long tracks."""
    long = faces.group_by("track_id").len().sort("len", "track_id", descending=True).head(TRACKS)
    of_track = faces.join(long, "track_id").filter(pl.col("uri").str.contains("://").not_())
    return of_track.filter(pl.int_range(pl.len()).over("track_id") < FACES_PER_TRACK).sort(
        "uri", "frame_index"
    )


def with_frames(faces: pl.DataFrame) -> Iterator[tuple[dict[str, Any], NDArray[np.uint8]]]:
    """Rows with their frames, RGB [h, w, 3], as stored: of clips that are not to be turned."""
    for (uri,), rows in faces.group_by("uri", maintain_order=True):
        wanted = {row["frame_index"]: row for row in rows.iter_rows(named=True)}
        with av.open(str(uri)) as source:
            for index, frame in enumerate(source.decode(video=0)):
                if index in wanted and (frame.width, frame.height) == (
                    wanted[index]["frame_width"],
                    wanted[index]["frame_height"],
                ):
                    yield wanted[index], frame.to_ndarray(format="rgb24")
                if index >= max(wanted):
                    break


def png(pictures: list[tuple[dict[str, Any], NDArray[np.uint8]]]) -> None:
    """Time and size of PNG files of FFHQ's crops, by the encoder's settings."""
    cv2.setNumThreads(1)
    for size in (512, 2400):
        crops = [
            ffhq_crop(frame, face_quad(np.array(row["keypoints"])), size) for row, frame in pictures[::40]
        ]
        for name, settings in PNG_SETTINGS.items():
            start = time.perf_counter()
            sizes = [len(cv2.imencode(".png", crop, settings)[1]) for crop in crops]
            milliseconds = 1e3 * (time.perf_counter() - start) / len(crops)
            print(f"png: {size} px, {name}: {milliseconds:.0f} ms, {np.mean(sizes) / 1e3:.0f} kB")


def whole_face_boxes(pictures: list[tuple[dict[str, Any], NDArray[np.uint8]]], weights: Path) -> None:
    """`face_boxes` and the table's `bbox` against YuNet's boxes, which are WIDER FACE's."""
    from lpff_ray.models.optional.yunet import SIDE, YuNet

    network = YuNet(weights, "cpu")
    found: list[tuple[float, float, float]] = []
    for row, frame in pictures:
        ours = face_boxes(np.array(row["landmarks"], np.float64)[None])[0]
        centre, side = (ours[:2] + ours[2:]) / 2, 2.5 * float((ours[2:] - ours[:2]).max())
        scale = SIDE / side
        warp = np.array([[scale, 0, SIDE / 2 - scale * centre[0]], [0, scale, SIDE / 2 - scale * centre[1]]])
        boxes = network(cv2.warpAffine(frame, warp, (SIDE, SIDE))[None], 0.5)[0][:, :4]
        boxes = (boxes.reshape(-1, 2, 2) - warp[:, 2]) / scale
        if not len(boxes):
            continue
        boxes = boxes.reshape(-1, 4)
        best = boxes[iou(ours, boxes).argmax()]
        above = (best[1] - ours[1]) / (best[3] - best[1])
        found.append((iou(ours, best[None])[0], iou(np.array(row["bbox"]), best[None])[0], above))
    ours_iou, bbox_iou, above = np.array(found).T
    print(f"face boxes: {len(found)} faces; median IoU with YuNet's boxes {np.median(ours_iou):.2f}", end="")
    print(f" (bbox: {np.median(bbox_iou):.2f}); top edges differ by {above.std():.2f} of the height (s.d.)")


def iou(box: NDArray, boxes: NDArray) -> NDArray[np.float64]:
    """Intersection over union of a box [4] with boxes [n, 4]."""
    inside = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)
    return inside / ((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - inside)


def head_size(faces: pl.DataFrame) -> None:
    """How much the size of the head, as EG3D's crop needs it, scatters within tracks of profiles."""
    profiles = faces.filter(
        pl.col("pose_bin").is_in([PoseBin.LEFT.value, PoseBin.RIGHT.value]),
        pl.len().over("track_id") >= 8,
    )
    for (track,), rows in profiles.group_by("track_id", maintain_order=True):
        if len(rows) < 8:
            continue
        sizes = []
        for row in rows.iter_rows(named=True):
            rotation = matrix_from_angles(*np.array([row["yaw"], row["pitch"], row["roll"]], np.float64))
            sizes.append(fit_head(np.array(row["keypoints"]), np.array(row["landmarks"]), rotation)[1])
        print(f"head size: {track}: {len(rows)} profiles, scatter {np.std(sizes) / np.mean(sizes):.1%}")


def same_mp4(times: int) -> None:
    """Whether the same pictures always give the same MP4: with x264's macroblock tree, and without."""
    rng = np.random.default_rng(SEED)
    pictures = rng.integers(0, 256, (34, 32, 32, 3), np.uint8)
    kept = dict(REPEATABLE)
    for name, settings in (("without mbtree", kept), ("with mbtree", {})):
        REPEATABLE.clear()
        REPEATABLE.update(settings)
        digests: Counter[str] = Counter()
        for _ in range(times):
            writer = Mp4Writer((32, 32), 25.0, 18)
            for number, picture in enumerate(pictures):
                writer.add(picture, number * 40_000_000)
            digests[hashlib.sha256(writer.close()).hexdigest()] += 1
        other = times - max(digests.values())
        print(f"mp4: {name}: {other} of {times} encodings differ from the others")
    REPEATABLE.update(kept)


def words(faces: pl.DataFrame) -> None:
    """Where the sharpness and brightness of real faces lie, between which the prompts' words change."""
    for column in ("sharpness", "brightness"):
        values = [faces[column].quantile(share) for share in (0.05, 0.25, 0.75, 0.95)]
        print(f"{column}: 5%, 25%, 75%, 95% of the faces are below {', '.join(f'{v:.2f}' for v in values)}")


if __name__ == "__main__":
    main()
