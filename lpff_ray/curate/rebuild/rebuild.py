"""A published data set of frames made again out of downloaded videos: exactly its frames, its faces, its bins."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.curate.rebuild.clips import Annotations, Library, PixelFrame, PublishedClip, find_clip
from lpff_ray.curate.rebuild.matching import MIN_IOU, Outcome, matched
from lpff_ray.curate.rebuild.metadata import Metadata, read_metadata, youtube_id
from lpff_ray.curate.selection.sampling import splits
from lpff_ray.decode.pictures.sequence import DEFAULT_FPS
from lpff_ray.plan.sources import files_of
from lpff_ray.run.mine import MineSummary, mine
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked
from lpff_ray.tables import curated, schema
from lpff_ray.tables.read import scan, segments
from lpff_ray.tables.review.table import REVIEW_TABLE, handwritten_marks
from lpff_ray.tables.run_folder import BUSY, LOCKS, WAIT_S, read_plan
from lpff_ray.types import VideoStatus

MISSING_FILE = "missing.txt"
NAME = "published"
TEST_SHARE, SEED = 0.1, 0
"""The split of the selection, as the presets have it."""
_OUTCOMES = {"missing": Outcome.NO_VIDEO, "no annotation": Outcome.NO_ANNOTATION}
"""What becomes of the faces of a clip that `find_clip` does not find."""


@dataclass(frozen=True)
class RebuildSummary:
    """The result of `rebuild`.

    published: faces that the metadata names. outcomes: of them, by `Outcome`. clips: that they are of; frames: wanted
    of the clips at hand. missing: YouTube ids of the videos that are not there, as `missing.txt` lists them.
    unreadable: clips whose video can not be read. unannotated: clips of CelebV-HQ whose span and box no annotation
    tells. selection: the name of the selection of the matched faces, "" if there is none. mined: what mining did, None
    if no video is there.
    """

    out: str
    published: int
    clips: int
    frames: int
    outcomes: dict[str, int]
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unannotated: tuple[str, ...] = ()
    selection: str = ""
    mined: MineSummary | None = field(default=None, repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether mining was interrupted: then nothing was matched yet."""
        return self.mined is not None and self.mined.interrupted


def rebuild(
    metadata: Sequence[str] | str,
    videos: str,
    out: str,
    config: MineConfig | None = None,
    *,
    annotations: Sequence[str] = (),
    name: str = NAME,
    min_iou: float = MIN_IOU,
    fps: float = DEFAULT_FPS,
    **placement: Any,
) -> RebuildSummary:
    """Mine exactly the frames that published metadata names, and select the faces that it means.

    metadata: files, folders or zips of EFHQ's tables, samples and lists, see `metadata.read_metadata`. videos: folder
    or fsspec URI with the downloaded videos, at any depth; clips as files of their own and as folders or zips of frames
    are found by the clip's name. annotations: CelebV-HQ's celebvhq_info.json and VFHQ's texts, if they are not among
    the metadata. config: of the run; its `every` and `fps` mean nothing here. min_iou: least overlap with the published
    box. fps: frames per second of folders of frames. placement: executor, workers and the like, as for `mine`.

    Writes, into the run `out`: `tables/rebuilt.parquet` (what became of every published face, `schema.REBUILT`), the
    published bins as review marks of faces that have none yet, the selection `name`, and `missing.txt`.
    Run it again when more videos are there. Raises UserError for metadata or annotations that can not be read.
    """
    published = read_metadata([metadata] if isinstance(metadata, str) else metadata)
    curated.checked_name(name)
    empty = os.path.isdir(videos) and not os.listdir(videos)  # nothing downloaded yet: all are missing
    library = Library(videos.rstrip("/"), [] if empty else files_of(videos))
    listed = Annotations([*published.annotations, *(uri for given in annotations for uri in files_of(given))])
    clips, lacking = _clips(published, library, listed, fps)
    sources = [clip.source for clip in clips.values() if clip.source.frames]
    frames = sum(len(source.frames) for source in sources)
    mined = mine(sources, out, config or MineConfig(), **placement) if sources else None
    missing = sorted({youtube_id(clip) for clip, why in lacking.items() if why == "missing"})
    summary = RebuildSummary(
        out=out if mined is None else mined.out,
        published=len(published.faces),
        clips=published.faces["clip"].n_unique(),
        frames=frames,
        outcomes={},
        missing=tuple(missing),
        unannotated=tuple(sorted(clip for clip, why in lacking.items() if why == "no annotation")),
        mined=mined,
    )
    folder = Folder(out)
    folder.commit(MISSING_FILE, "".join(f"{video}\n" for video in missing).encode())
    if mined is None:
        reasons = Counter(
            str(_OUTCOMES[lacking[clip]].value) for clip in published.faces["clip"] if clip in lacking
        )
        return replace(summary, outcomes=dict(reasons))
    if mined.interrupted:
        return summary
    table, unreadable = _rebuilt(folder, published, clips, lacking, min_iou)
    with locked(folder, f"{LOCKS}/select-{name}", BUSY, wait_s=WAIT_S):
        folder.commit(curated.REBUILT_FILE, schema.parquet_bytes(table))
        _mark(folder, table)
        selected = _select(folder, table, name, min_iou)
    return replace(
        summary,
        outcomes=dict(Counter(table["outcome"].to_list())),
        unreadable=tuple(unreadable),
        selection=name if selected else "",
    )


def _clips(
    published: Metadata, library: Library, annotations: Annotations, fps: float
) -> tuple[dict[str, PublishedClip], dict[str, str]]:
    """The clips at hand, and why the others are not."""
    clips, lacking = {}, {}
    frames = published.faces.group_by("clip", maintain_order=True).agg(pl.col("frameid").unique().sort())
    for name, frameids in frames.iter_rows():
        found = find_clip(name, frameids, library, annotations, fps)
        if isinstance(found, str):
            lacking[name] = found
        else:
            clips[name] = found
    return clips, lacking


def _rebuilt(
    folder: Folder,
    published: Metadata,
    clips: Mapping[str, PublishedClip],
    lacking: Mapping[str, str],
    min_iou: float,
) -> tuple[pl.DataFrame, list[str]]:
    """What became of every published face, and the clips whose video can not be read."""
    plan = read_plan(folder)
    assert plan is not None
    planned = {row["clip_id"]: row for row in plan.iter_rows(named=True) if row["clip_id"] in clips}
    parts = (
        segments(folder.root)
        .group_by("video_id")
        .agg(pl.col("first_frame").min(), pl.col("frames_wanted").sum())
    )
    mined = {row["video_id"]: row for row in parts.iter_rows(named=True)}
    rows, unreadable = [], set()
    for key, face in enumerate(published.faces.iter_rows(named=True)):
        row: dict[str, Any] = {**face, "key": key, "outcome": None}
        clip, at_hand = clips.get(face["clip"]), planned.get(face["clip"], {})
        segment = mined.get(at_hand.get("video_id", ""))
        if clip is None:
            row["outcome"] = _OUTCOMES[lacking[face["clip"]]]
        elif at_hand and at_hand["status"] not in (VideoStatus.PLANNED, VideoStatus.DUPLICATE):
            unreadable.add(face["clip"])
            row["outcome"] = Outcome.UNREADABLE
        elif face["frameid"] not in clip.numbers:
            row["outcome"] = Outcome.NO_FRAME
        elif segment is None:  # given up: see the table quarantine
            unreadable.add(face["clip"])
            row["outcome"] = Outcome.UNREADABLE
        else:
            number = clip.numbers[face["frameid"]]
            inside = segment[
                "frames_wanted"
            ]  # frames ascend: those that are missing are beyond the end of the video
            if not inside or number > clip.source.frames[inside - 1]:
                row["outcome"] = Outcome.NO_FRAME
            else:
                placed = clip.placement(at_hand["width"], at_hand["height"])
                row |= {
                    "video_id": at_hand["video_id"],
                    "frame_index": segment["first_frame"] + number,
                    "origin": placed.origin,
                    "scale": placed.scale,
                    "box": _in_frame(face, placed),
                }
        rows.append(row)
    table = schema.frame(rows, pl.Schema({"key": pl.Int64(), **schema.REBUILT}))
    faces = scan(folder.root).select("face_id", "video_id", "frame_index", "bbox")
    wanted = pl.LazyFrame({"video_id": table["video_id"].drop_nulls().unique()})
    found = matched(
        table.drop("face_id", "iou"), faces.join(wanted, on="video_id", how="semi").collect(), min_iou
    )
    return schema.conformed(found.sort("key"), schema.REBUILT), sorted(unreadable)


def _in_frame(face: Mapping[str, Any], placed: PixelFrame) -> list[float] | None:
    """A published box in pixels of the frame."""
    box = [face[name] for name in ("x1", "y1", "x2", "y2")]
    if None in box:
        return None
    return [placed.origin[place % 2] + value * placed.scale[place % 2] for place, value in enumerate(box)]


def _mark(folder: Folder, table: pl.DataFrame) -> None:
    """Keep the published bins as review marks; what a person has decided on a face stays."""
    known = handwritten_marks(folder)
    new = table.filter(pl.col("face_id").is_not_null() & pl.col("bin").is_not_null()).select(
        "face_id",
        pl.lit("accept").alias("decision"),
        "bin",
        pl.format("published: {} frame {}", "clip", "frameid").alias("note"),
    )
    new = new.unique("face_id", keep="first", maintain_order=True).join(known, on="face_id", how="anti")
    if len(new):
        marks = pl.concat([known, schema.conformed(new, schema.HANDWRITTEN_REVIEW)])
        folder.commit(REVIEW_TABLE, schema.parquet_bytes(marks))


def _select(folder: Folder, table: pl.DataFrame, name: str, min_iou: float) -> bool:
    """Write the selection of the matched faces in the order of the metadata. Returns whether there is any."""
    chosen = table.filter(pl.col("face_id").is_not_null())
    if chosen.is_empty():
        return False
    people = [user or youtube_id(clip) for user, clip in chosen.select("user_id", "clip").iter_rows()]
    identities = pl.Series("identity_id", people, pl.String)
    selection = chosen.select("face_id", "bin").with_columns(
        identities,
        splits(identities, TEST_SHARE, SEED),
        pl.lit(1.0).alias("weight"),
        pl.lit(1, pl.Int32).alias("copies"),
        pl.int_range(pl.len()).alias("rank"),
        chosen.select(
            pl.format(
                "{} frame {} as published, IoU {}", "clip", "frameid", pl.col("iou").round(2).fill_null(-1)
            )
        )
        .to_series()
        .str.replace(", IoU -1.0", "", literal=True)
        .alias("reason"),
    )
    rules = {
        "name": name,
        "preset": None,
        "rules": {"method": "published", "min_iou": min_iou, "test_share": TEST_SHARE, "seed": SEED},
        "found": dict(Counter(table["outcome"].to_list())),
    }
    curated.write_selection(folder, name, schema.conformed(selection, schema.SELECTION), rules)
    return True
