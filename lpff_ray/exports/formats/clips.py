"""The selected tracks as video clips of their own, trimmed to the frames in which the face is seen.

Layout: `NAME-TRACK.mp4` per track, whole frames, from the track's first face to its last, with its sound; `clips.csv`.
Frames and their times are exactly the video's. A clip is a copy of the video's own packets where its first frame is a
keyframe and no B-frame loses a frame that it refers to; else it is encoded anew: H.264 (crf 18), yuv420p, BT.709,
upright.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import polars as pl
from pydantic import Field

from lpff_ray.decode import Frame
from lpff_ray.decode.frame_source import NS, FrameTable
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.exports.format import ExportFormat, File, OutputFile, Record
from lpff_ray.exports.imaging.mp4 import Mp4Writer, copy_span, frame_end_ns, mean_fps
from lpff_ray.exports.lists.tracks import (
    Stretch,
    by_track,
    csv_of,
    in_one_pass,
    track_faces,
    track_notes,
    track_number,
)
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.storage.folder import Folder
from lpff_ray.types import MediaKind

_COLUMNS = {
    "file": pl.String(),
    "identity": pl.String(),
    "split": pl.String(),
    "how": pl.String(),
    "frames": pl.Int64(),
    "first_frame": pl.Int64(),
    "last_frame": pl.Int64(),
    "start_s": pl.Float64(),
    "end_s": pl.Float64(),
    "faces": pl.Int64(),
    "track": pl.String(),
    "video_id": pl.String(),
    "uri": pl.String(),
}


class Clips(ExportFormat):
    """`--format clips`.

    min_frames: shorter tracks are left out (and photos with them).
    copy_packets: False to encode every clip. crf: x264's quality of those encoded, 0 (best) .. 51.
    sound: keep the sound, copied as it is.
    """

    min_frames: int = Field(
        default=2, ge=2, description="fewest frames of a track; shorter ones are left out"
    )
    copy_packets: bool = Field(default=True, description="copy the video's own packets where that is exact")
    crf: int = Field(default=18, ge=0, le=51, description="x264's quality of clips encoded anew, 0 is best")
    sound: bool = Field(default=True, description="keep the sound, copied as it is")

    name: ClassVar[str] = "clips"
    loading: ClassVar[str] = "`clips.csv` names every clip, with its person, split, frames and source."

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """All faces of the selected tracks."""
        return track_faces(run, selection, ())

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """The clips of one video: copied ones first, then, in one pass over its frames, encoded ones."""
        assert video is not None
        if video.kind != MediaKind.VIDEO:
            return
        with video.timed("open"):
            table = read_frame_table(video.path)
        to_encode = []
        for faces in by_track(rows):
            clip = _Clip(faces, table, video, self)
            if clip.last - clip.first + 1 < self.min_frames:
                continue
            with video.timed("copy"):
                copied = clip.copied() if self.copy_packets else None
            if copied is None:
                to_encode.append(clip)
            else:
                yield clip.made(copied, "copied")
        for clip in in_one_pass(video, to_encode):
            with video.timed("encode"):
                content = clip.encoded()
            yield clip.made(content, "encoded")

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """How many tracks are too short, and whose faces the rows are."""
        frames = pl.col("frame_index")
        lengths = rows.group_by("track").agg(length=frames.max() - frames.min() + 1)["length"]
        short = int((lengths < self.min_frames).sum())
        left_out = [f"left out: {short} tracks shorter than min_frames {self.min_frames}"] if short else []
        return [*track_notes(selection, rows), *left_out]

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """clips.csv: a line per clip, times in seconds on the video's own clock."""
        named = [{**record, "file": record["files"][0]} for record in records]
        yield OutputFile("clips.csv", csv_of(named, _COLUMNS))


class _Clip(Stretch):
    """A track on its way into an MP4."""

    def __init__(
        self, faces: pl.DataFrame, table: FrameTable, video: OpenedVideo, export_format: Clips
    ) -> None:
        super().__init__(faces)
        self._table, self._video, self._format = table, video, export_format
        self._writer: Mp4Writer | None = None

    def copied(self) -> bytes | None:
        content = copy_span(self._video.path, self._table, self.first, self.last, self._format.sound)
        if content is not None:
            self.frames = list(range(self.first, self.last + 1))
            self.pts_ns = self._table.pts_ns[self.first : self.last + 1].tolist()
        return content

    def take(self, frame: Frame) -> None:
        with self._video.timed("encode"):
            if self._writer is None:
                height, width = frame.rgb.shape[:2]
                fps = mean_fps(self._table, self.first, self.last)
                end_ns = frame_end_ns(self._table, self.last)
                sound = (self._video.path, frame.pts_ns, end_ns) if self._format.sound else None
                self._writer = Mp4Writer((width, height), fps, self._format.crf, sound)
            self._writer.add(frame.rgb, frame.pts_ns)

    def encoded(self) -> bytes:
        assert self._writer is not None
        return self._writer.close()

    def made(self, content: bytes, how: str) -> tuple[list[File], Record]:
        record = self.record()
        name = f"{self.faces['clip'][0]}-{track_number(record['track'], record['video_id'])}.mp4"
        start_s, end_s = self.pts_ns[0] / NS, frame_end_ns(self._table, self.frames[-1]) / NS
        record |= {"how": how, "start_s": round(start_s, 6), "end_s": round(end_s, 6)}
        return [OutputFile(name, content)], record
