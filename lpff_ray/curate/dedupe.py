"""Identities and duplicates over a whole run, as tables beside its faces.

The steps: pieces of tracks are joined across segments, tracks are grouped into identities (average linkage of their
embeddings), near-duplicate faces of each identity are marked, clips that repeat others are found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lpff_ray.curate.config import DedupeConfig, dedupe_record, distances_of
from lpff_ray.curate.dedupe_tables import (
    OTHER_VIDEO,
    DedupeTables,
    identity_rows,
    mark_rows,
    video_duplicate_rows,
    with_uris,
)
from lpff_ray.curate.duplicates.clips import repeated_clips
from lpff_ray.curate.duplicates.faces import keepers
from lpff_ray.curate.faces import CLEAR, COLUMNS, NEEDED, face_arrays
from lpff_ray.curate.identity.average_linkage import Groups, average_linkage
from lpff_ray.curate.identity.known_people import known_people
from lpff_ray.curate.identity.names import identity_names
from lpff_ray.curate.identity.tracks import whole_tracks
from lpff_ray.curate.neighbours.pooled import search_on
from lpff_ray.curate.neighbours.search import MapTasks
from lpff_ray.errors import UserError
from lpff_ray.models.torch_runtime import torch_device
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.executors import AUTO, LOCAL, chosen_executor, work_pool
from lpff_ray.run.local import available_cpus, chosen_device
from lpff_ray.storage.lock import locked
from lpff_ray.tables import curated, read, schema
from lpff_ray.tables.run_folder import BUSY, LOCKS, WAIT_S, open_run_folder, read_plan


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


def dedupe(
    out: str,
    config: DedupeConfig | None = None,
    *,
    executor: str = AUTO,
    address: str = "",
    workers: int | None = None,
    device: str = "auto",
) -> DedupeSummary:
    """Find the identities of a run and mark duplicates: writes `tables/identities.parquet`, `tables/dedupe.parquet`,
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
    local_device = "cpu"  # on Ray the driver only prepares the search, and needs no GPU
    if chosen_executor(executor, address) == LOCAL:
        device = local_device = chosen_device(device)
        torch_device(device)
        workers = workers or available_cpus()
    before = curated.earlier_marks(folder)
    mined = read.scan(out)
    with Phase("reading", 1, "tables") as phase:
        try:  # in batches, as of the landmarks only the expression is kept
            faces = mined.select(COLUMNS).collect(engine="streaming")
        except (pl.exceptions.ColumnNotFoundError, pl.exceptions.SchemaError) as error:
            raise _too_old(out, str(error).partition(",")[0]) from error
        missing = [name for name in NEEDED if faces[name].null_count()]
        if missing:
            raise _too_old(out, f"without {', '.join(missing)}")
        phase.advance()
    with work_pool(executor, address=address, workers=workers, device=device) as pool:
        found = dedupe_faces(
            faces,
            settings,
            embedding,
            before,
            stated=read_plan(folder),
            device=local_device,
            map_tasks=search_on(pool),
        )
    clips = with_uris(found.video_duplicates, mined.group_by("video_id").agg(pl.col("uri").first()).collect())
    with locked(folder, f"{LOCKS}/dedupe", BUSY, wait_s=WAIT_S):  # so that they are all of one `dedupe`
        # Marks last: readers take them for the sign that the other tables are there.
        folder.commit(curated.DEDUPE_RECORD, dedupe_record(settings, schema.SCHEMA_VERSION, embedding))
        for name, table in (
            ("video_duplicates", clips),
            ("identities", found.identities),
            ("dedupe", found.marks),
        ):
            folder.commit(curated.table_file(name), schema.parquet_bytes(table))
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


def _too_old(out: str, why: str) -> UserError:
    return UserError(
        f"{out}: not the faces of this version of lpff-ray ({why}); mine again into a new folder"
    )


def dedupe_faces(
    table: pl.DataFrame,
    config: DedupeConfig,
    embedding: str,
    before: pl.DataFrame | None = None,
    *,
    stated: pl.DataFrame | None = None,
    device: str = "cpu",
    map_tasks: MapTasks | None = None,
) -> DedupeTables:
    """Identities and duplicates of faces (a table with `faces.COLUMNS`, its rows in any order), as tables.

    config: a resolved one. embedding: the run's setting. before: the marks of the last `dedupe`, whose ids identities
    keep: nothing else depends on it. stated: the plan, whose `identity` says who a manifest names: one name
    is one person, two names are two. Nothing at all depends on the order of rows or on the borders of segments.
    """
    faces = face_arrays(table)
    if not len(faces.ids):
        return DedupeTables(
            identities=schema.frame({}, schema.IDENTITIES),
            marks=schema.frame({}, schema.DEDUPE),
            video_duplicates=schema.frame({}, schema.VIDEO_DUPLICATES),
        )
    with Phase("dedupe", 4, "steps: tracks, identities, duplicates, clips") as phase:
        tracks = whole_tracks(faces, distances_of(embedding).stitch)
        phase.advance()
        assert config.unclear_cost is not None
        assert config.video_distance is not None
        person = average_linkage(
            tracks.embedding,
            1 - np.minimum(tracks.clarity / CLEAR, 1).astype(np.float64),
            tracks.apart,
            config.distance_among(len(tracks.names)),
            unclear_cost=config.unclear_cost,
            groups=Groups(tracks.video, config.video_distance),
            people=None if stated is None else known_people(faces, tracks, stated),
            device=device,
            map_tasks=map_tasks,
        )
        person = np.unique(person, return_inverse=True)[1]
        identity = person[tracks.of_face]
        names, known = identity_names(identity, faces.ids["face_id"], before)
        phase.advance()
        keeper = keepers(faces, identity, config)
        phase.advance()
        clips = repeated_clips(faces, identity, keeper, config)
        phase.advance()
    return DedupeTables(
        identities=identity_rows(faces, tracks, person, names),
        marks=mark_rows(faces, tracks, identity, names, keeper),
        video_duplicates=video_duplicate_rows(faces, clips),
        stitched=tracks.pieces - len(tracks.names),
        known=known,
    )
