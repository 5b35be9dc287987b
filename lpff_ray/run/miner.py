"""The worker that mines: decodes and measures one segment, links its faces to tracks, and commits the segment's part.

All executors use it: local threads share one, each Ray actor has one.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode import DecodingPass, Frame, passes
from lpff_ray.errors import Failure, SegmentError, UserError, segment_error
from lpff_ray.measure import tracking as track
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.measure.thumbnail import Thumbnail, thumbnail
from lpff_ray.plan.content import content_of
from lpff_ray.plan.sampling import first_of_span, wanted_indices
from lpff_ray.plan.segment import Segment
from lpff_ray.run.lease import Lease
from lpff_ray.run.segment_result import SegmentResult
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.local_copy import drop_idle_copies, local_copy, local_pictures
from lpff_ray.storage.places import of_place, suspected_place
from lpff_ray.tables import parts, schema
from lpff_ray.tables.thumbnails import commit_thumbnails
from lpff_ray.types import MediaKind, SegmentStatus, Stage

FRAMES_PER_BATCH = 16
BATCH_BYTES = 64 << 20
"""Decoded frames held at once, by one thread: at most so many, and so many bytes."""


class SegmentMiner:
    """Mines segments into an output folder. Threads may share one."""

    def __init__(self, config: MineConfig, out: str, device: str, thumbnails: bool = True) -> None:
        """device: "cpu", "cuda" or "cuda:N". thumbnails: whether to write those, too.

        Raises UserError if a model's file is missing, the device is absent, or `out` can not be opened.
        """
        self.config = config
        self.folder = Folder(out)
        self.thumbnails = thumbnails
        self.measurer = FaceMeasurer(config, device)
        weakref.finalize(self, drop_idle_copies, wait=False)  # frees the disk that they take

    def check(self) -> None:
        """Raises what a model raises on a picture that is known to be good; see FaceMeasurer.check."""
        self.measurer.check()

    def run(self, lease: Lease[Segment]) -> SegmentResult:
        """Mine one segment and commit its part.

        Raises SegmentError about the segment, and then nothing is written; UserError for what concerns the whole run,
        such as a full disk, its own or that of the copies of remote videos.
        """
        start = time.perf_counter()
        outcome = _Outcome()
        try:
            self._mine(lease, outcome)
        except UserError:
            raise
        except SegmentError as error:
            raise of_place(error, lease.item.video.uri) from error
        except OSError as error:  # the source can not be reached
            place = suspected_place(lease.item.video.uri, error)
            raise segment_error(Stage.OPEN, error, lease.decoder, place=place) from error
        except (cv2.error, RuntimeError, MemoryError) as error:  # a picture that a model can not take
            raise segment_error(Stage.MEASURE, error, outcome.decoder) from error
        except Exception as error:  # a bug: names the decoder in use, so that a retry takes another one
            raise segment_error(Stage.PROCESS, error, outcome.decoder) from error
        outcome.taken.seconds["total"] = time.perf_counter() - start
        faces, record = self._tables(lease, outcome)
        segment = lease.item
        if outcome.thumbnails:  # before the part: from then on, nothing would make them
            commit_thumbnails(
                self.folder, segment.segment_id, _thumbnails(faces["face_id"], outcome.thumbnails)
            )
        parts.commit_part(
            self.folder, segment.segment_id, faces, SegmentStatus.MINED, record, self.config.hash()
        )
        return SegmentResult(
            faces=len(faces),
            frames_looked_at=outcome.taken.frames,
            frames_missing=len(outcome.wanted) - outcome.taken.frames,
            decoder=outcome.decoder,
            seconds=dict(outcome.taken.seconds),
        )

    def _mine(self, lease: Lease[Segment], outcome: _Outcome) -> None:
        video = lease.item.video
        decoder = lease.decoder or self.config.decoder
        at_hand = local_pictures if video.kind == MediaKind.SEQUENCE else local_copy
        with at_hand(video.address, content_of(video.video_id)) as path:  # clips of one video share it
            # A lease that names its decoder is a retry with that decoder only.
            for decoding in passes(path, video.kind, decoder, fallback=not lease.decoder, fps=video.fps):
                self._decode(decoding, lease.item, outcome)
        missing = len(outcome.wanted) - outcome.taken.frames
        if missing and (place := suspected_place(video.uri)):  # a disk that went away on the way is no damage
            raise segment_error(Stage.OPEN, f"{missing} frames not read", outcome.decoder, "Away", place)
        if len(outcome.wanted) and not outcome.taken.frames:
            message = f"none of {len(outcome.wanted)} frames could be decoded"
            raise SegmentError(Failure(Stage.DECODE, "NoFrames", message, outcome.decoder))

    def _decode(self, decoding: DecodingPass, segment: Segment, outcome: _Outcome) -> None:
        """Measure a segment as one decoder delivers it; the results of an earlier decoder are discarded."""
        outcome.restart()
        outcome.decoder = decoding.decoder
        taken = outcome.taken
        outcome.first_frame = first_of_span(decoding.table.pts_ns, segment)
        outcome.wanted = wanted_indices(decoding.table.pts_ns, segment, self.config.every, self.config.fps)
        for frames in _batches(decoding.frames(outcome.wanted.tolist())):
            outcome.pts_ns.extend(frame.pts_ns for frame in frames)
            outcome.signatures.extend(track.shot_signature(frame.rgb) for frame in frames)
            outcome.positions.extend(frame.index for frame in frames)
            height, width = frames[0].rgb.shape[:2]
            measured = len(taken.columns["frame_index"])
            self.measurer.measure(frames, taken, segment.video.crop_in(width, height))
            if self.thumbnails:
                outcome.thumbnails.extend(_pictures_of(frames, taken, measured))
            frames.clear()  # not to be kept while the next ones are decoded
        self.measurer.finish(taken)
        outcome.note = decoding.remarks
        for stage, seconds in decoding.seconds.items():
            taken.seconds[stage] += seconds

    def _tables(self, lease: Lease[Segment], outcome: _Outcome) -> tuple[pl.DataFrame, dict[str, Any]]:
        segment, taken = lease.item, outcome.taken
        video, columns = segment.video, taken.columns
        count = len(columns["frame_index"])
        shot_starts = np.array(
            [False]
            + [
                track.is_shot_boundary(*pair)
                for pair in zip(outcome.signatures, outcome.signatures[1:], strict=False)
            ]
        )
        if count:
            tracks = track.link(
                np.array(outcome.pts_ns),
                shot_starts,
                np.array(columns["bbox"], np.float64),
                np.array(columns["embedding"]),
                np.searchsorted(outcome.positions, columns["frame_index"]),
                self.measurer.embedding.likeness,
            )
            columns["track_id"] = [f"{segment.segment_id}:{number}" for number in tracks]
        columns["face_id"] = [
            f"{video.video_id}:{frame}:{face}"
            for frame, face in zip(columns["frame_index"], columns["face_index"], strict=True)
        ]
        for name, value in (
            ("video_id", video.video_id),
            ("uri", video.uri),
            ("clip_id", video.clip_id),
            ("segment_id", segment.segment_id),
        ):
            columns[name] = [value] * count
        record = {
            "segment_id": segment.segment_id,
            "video_id": video.video_id,
            "start_ns": segment.start_ns,
            "end_ns": segment.end_ns,
            "decoder": outcome.decoder,
            "attempt": lease.attempt,
            "frames_wanted": len(outcome.wanted),
            "frames_looked_at": taken.frames,
            "frames_missing": len(outcome.wanted) - taken.frames,
            "faces": count,
            "faces_rejected": taken.rejected,
            "shots": int(shot_starts.sum()) + bool(taken.frames),
            "note": outcome.note,
            "first_frame": outcome.first_frame,
            **{f"seconds_{stage}": round(seconds, 4) for stage, seconds in taken.seconds.items()},
        }
        return schema.frame(
            columns, schema.faces(self.measurer.embedding.width, self.measurer.extra_columns)
        ), record


class _Outcome:
    """The results of one decoder's pass over a segment."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.note = ""
        self.first_frame: int | None = None
        self.taken = Measurements()
        self.decoder = ""
        self.wanted: NDArray[np.int64] = np.zeros(0, np.int64)
        self.pts_ns: list[int] = []
        self.positions: list[int] = []
        self.signatures: list[track.ShotSignature] = []
        self.thumbnails: list[Thumbnail] = []


def _thumbnails(face_ids: pl.Series, made: list[Thumbnail]) -> pl.DataFrame:
    columns = {
        "face_id": face_ids.to_list(),
        "jpeg": [thumbnail.jpeg for thumbnail in made],
        "region": [thumbnail.region for thumbnail in made],
    }
    return schema.frame(columns, schema.THUMBNAILS)


def _pictures_of(frames: Sequence[Frame], taken: Measurements, since: int) -> Iterator[Thumbnail]:
    """Thumbnails of the faces measured from number `since` on, which are in some of `frames`."""
    pictures = {frame.index: frame.rgb for frame in frames}
    new = zip(taken.columns["frame_index"][since:], taken.columns["bbox"][since:], strict=True)
    return (thumbnail(pictures[index], box) for index, box in new)


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """Group frames of one size; a stream that changes size starts a new group."""
    batch: list[Frame] = []
    for frame in frames:
        room = max(1, min(FRAMES_PER_BATCH, BATCH_BYTES // max(frame.rgb.nbytes, 1)))
        if batch and (len(batch) >= room or frame.rgb.shape != batch[0].rgb.shape):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch
