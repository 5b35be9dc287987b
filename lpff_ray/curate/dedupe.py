"""Identities and duplicates over a whole run, as tables beside its faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.config import DedupeConfig, as_json, scale_of
from lpff_ray.curate.duplicates.clips import ClipPair, repeated
from lpff_ray.curate.duplicates.faces import keepers
from lpff_ray.curate.faces import CLEAR, COLUMNS, Faces, faces_of
from lpff_ray.curate.identity.identities import cluster, named, spreads
from lpff_ray.curate.identity.tracks import Tracks, tracks_of
from lpff_ray.curate.neighbours.pooled import search_on
from lpff_ray.curate.neighbours.search import MapTasks
from lpff_ray.errors import UserError
from lpff_ray.models.runtimes import torch_device
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.executors import AUTO, LOCAL, chosen_executor, work_pool
from lpff_ray.run.local import available_cpus, chosen_device
from lpff_ray.tables import curated, read, schema
from lpff_ray.tables.run import open_run_folder

SAME_VIDEO, OTHER_VIDEO = "same_video", "other_video"  # the rules by which a face is a duplicate


@dataclass(frozen=True)
class DedupeSummary:
    """What `dedupe` found. Counts; near_duplicates: columns as in `schema.VIDEO_DUPLICATES`.

    tracks: after stitching; stitched: joints across segment borders. known: identities that kept an earlier id.
    """

    out: str
    faces: int
    tracks: int
    stitched: int
    identities: int
    known: int
    duplicates: int
    across_videos: int
    near_duplicates: pl.DataFrame


@dataclass(frozen=True)
class Curated:
    """The tables that `dedupe` writes: columns as in `schema.IDENTITIES`, `DEDUPE`, `VIDEO_DUPLICATES`; and counts."""

    identities: pl.DataFrame
    marks: pl.DataFrame
    video_duplicates: pl.DataFrame
    stitched: int = 0
    known: int = 0


def dedupe(
    out: str,
    config: DedupeConfig | None = None,
    *,
    executor: str = AUTO,
    address: str = "",
    workers: int | None = None,
    device: str = "auto",
) -> DedupeSummary:
    """Tell the people of a run apart and mark duplicates: writes `tables/identities.parquet`, `tables/dedupe.parquet`,
    `tables/video_duplicates.parquet` and `tables/dedupe.json`, never changes a face.

    config: what is one person and what a duplicate; distances that are None fit the run's embedding. executor, address,
    workers: who searches for neighbours, as for `mine`. device: "auto" (the GPU if torch sees one), "cpu", "cuda" or
    "cuda:N", where they are searched. Run again after mining more: identities keep their ids.

    Raises UserError if `out` holds no run, or faces without a column that this reads, or can not be written, or if the
    device is absent.
    """
    folder = open_run_folder(out)
    embedding = curated.embedding_of(folder)
    settings = (config or DedupeConfig()).resolved(embedding)
    here = "cpu"  # on Ray the driver only prepares the search, and needs no GPU
    if chosen_executor(executor, address) == LOCAL:
        device = here = chosen_device(device)
        torch_device(device)
        workers = workers or available_cpus()
    before = curated.earlier_marks(folder)
    mined = read.scan(out)
    with Phase("reading", 1, "tables") as phase:
        try:  # in batches, as of the landmarks only the expression is kept
            faces = mined.select(COLUMNS).collect(engine="streaming")
        except (pl.exceptions.ColumnNotFoundError, pl.exceptions.SchemaError) as error:
            said = str(error).partition(",")[0]
            raise UserError(
                f"{out}: not the faces of this version of lpff-ray ({said}); mine again into a new folder"
            ) from error
        phase.advance()
    with work_pool(executor, address=address, workers=workers, device=device) as pool:
        found = tell_apart(faces, settings, embedding, before, device=here, map_tasks=search_on(pool))
    clips = _with_uris(
        found.video_duplicates, mined.group_by("video_id").agg(pl.col("uri").first()).collect()
    )
    # Marks last: they are what says that there are identities at all.
    folder.commit(curated.DEDUPE_RECORD, as_json(settings, schema.SCHEMA_VERSION, embedding))
    for name, table in (
        ("video_duplicates", clips),
        ("identities", found.identities),
        ("dedupe", found.marks),
    ):
        folder.commit(curated.table_file(name), curated.parquet(table))
    return DedupeSummary(
        out=folder.root,
        faces=len(found.marks),
        tracks=found.marks["stitched_track_id"].n_unique(),
        stitched=found.stitched,
        identities=len(found.identities),
        known=found.known,
        duplicates=int((~found.marks["keep"]).sum()),
        across_videos=int((found.marks["rule"] == OTHER_VIDEO).sum()),
        near_duplicates=clips,
    )


def tell_apart(
    table: pl.DataFrame,
    config: DedupeConfig,
    embedding: str,
    before: pl.DataFrame | None = None,
    *,
    device: str = "cpu",
    map_tasks: MapTasks | None = None,
) -> Curated:
    """The tables that belong to faces (a table with `faces.COLUMNS`, its rows in any order).

    config: a resolved one. embedding: the run's setting. before: marks of the last time, for the ids of identities.
    Nothing but ids depends on `before`; nothing at all depends on the order of rows or on where segments were cut.
    """
    faces = faces_of(table)
    if not len(faces.ids):
        return Curated(
            identities=schema.frame({}, schema.IDENTITIES),
            marks=schema.frame({}, schema.DEDUPE),
            video_duplicates=schema.frame({}, schema.VIDEO_DUPLICATES),
        )
    with Phase("dedupe", 4, "steps: tracks, identities, duplicates, clips") as phase:
        tracks = tracks_of(faces, scale_of(embedding).stitch)
        phase.advance()
        assert config.identity_distance is not None
        assert config.unclear_cost is not None
        costs = config.unclear_cost * (1 - np.minimum(tracks.clarity.astype(np.float64) / CLEAR, 1))
        person = cluster(
            tracks.embedding,
            costs,
            tracks.apart,
            config.identity_distance,
            device=device,
            map_tasks=map_tasks,
        )
        person = np.unique(person, return_inverse=True)[1]
        label = person[tracks.of_face]
        names, known = named(label, faces.ids["face_id"], before)
        phase.advance()
        keeper = keepers(faces, label, config)
        phase.advance()
        clips = repeated(faces, label, keeper, config)
        phase.advance()
    return Curated(
        identities=_identities(faces, tracks, person, names),
        marks=_marks(faces, tracks, label, names, keeper),
        video_duplicates=_video_duplicates(faces, clips),
        stitched=tracks.pieces - len(tracks.names),
        known=known,
    )


def _marks(
    faces: Faces, tracks: Tracks, label: NDArray[np.int64], names: list[str], keeper: NDArray[np.int64]
) -> pl.DataFrame:
    """One row per face, columns as in `schema.DEDUPE`."""
    keep = keeper == np.arange(len(keeper))
    repeats = np.flatnonzero(~keep)
    similarity = np.full(len(keeper), np.nan, np.float32)
    similarity[repeats] = np.einsum("ij,ij->i", faces.embedding[repeats], faces.embedding[keeper[repeats]])
    same = faces.video == faces.video[keeper]
    face_id = faces.ids["face_id"]
    marked = pl.DataFrame({"keep": keep, "same": same})
    return pl.DataFrame(
        {
            "face_id": face_id,
            "identity_id": pl.Series(names).gather(label),
            "stitched_track_id": tracks.names.gather(tracks.of_face),
            "keep": keep,
            "duplicate_of": marked.select(pl.when(~pl.col("keep")).then(face_id.gather(keeper))).to_series(),
            "similarity": pl.Series(similarity).fill_nan(None),
            "rule": marked.select(
                pl.when(pl.col("keep"))
                .then(None)
                .when(pl.col("same"))
                .then(pl.lit(SAME_VIDEO))
                .otherwise(pl.lit(OTHER_VIDEO))
            ).to_series(),
        },
        schema=schema.DEDUPE,
    )


def _identities(faces: Faces, tracks: Tracks, person: NDArray[np.int64], names: list[str]) -> pl.DataFrame:
    """One row per identity, the one with most faces first, columns as in `schema.IDENTITIES`."""
    order = np.argsort(person, kind="stable")
    bounds = np.searchsorted(person[order], np.arange(1, len(names)))
    spread = spreads(tracks.embedding, np.split(order, bounds))
    rows = pl.DataFrame(
        {
            "person": person[tracks.of_face],
            "track": tracks.of_face,
            "video": faces.video,
            "face_id": faces.ids["face_id"],
            "quality": faces.quality,
            "yaw": faces.yaw,
        }
    )
    table = rows.group_by("person").agg(
        pl.len().cast(pl.Int64).alias("faces"),
        pl.col("track").n_unique().cast(pl.Int32).alias("tracks"),
        pl.col("video").n_unique().cast(pl.Int32).alias("videos"),
        pl.col("face_id").get(pl.col("quality").arg_max()).alias("best_face_id"),
        pl.col("yaw").min().alias("yaw_min"),
        pl.col("yaw").max().alias("yaw_max"),
    )
    return (
        table.with_columns(
            pl.Series("identity_id", names).gather(table["person"]),
            pl.Series("spread", spread).gather(table["person"]),
        )
        .sort(["faces", "identity_id"], descending=[True, False])
        .select(schema.IDENTITIES.names())
    )


def _video_duplicates(faces: Faces, clips: list[ClipPair]) -> pl.DataFrame:
    """One row per pair, columns as in `schema.VIDEO_DUPLICATES`, the uris still to come."""
    first = faces.ids["video_id"].unique(maintain_order=True)
    return schema.frame(
        [
            {
                "video_id": first[pair.copy],
                "duplicate_of": first[pair.original],
                "offset_s": pair.offset_s,
                "overlap_s": pair.overlap_s,
                "faces": pair.faces,
                "agreement": pair.agreement,
            }
            for pair in clips
        ],
        schema.VIDEO_DUPLICATES,
    )


def _with_uris(clips: pl.DataFrame, uris: pl.DataFrame) -> pl.DataFrame:
    copies = uris.rename({"uri": "copy_uri"})
    originals = uris.rename({"video_id": "duplicate_of", "uri": "original_uri"})
    joined = clips.join(copies, "video_id", "left", maintain_order="left")
    joined = joined.join(originals, "duplicate_of", "left", maintain_order="left")
    return joined.with_columns(
        pl.col("copy_uri").alias("uri"), pl.col("original_uri").alias("duplicate_of_uri")
    ).select(schema.VIDEO_DUPLICATES.names())
