"""Published metadata of a data set of frames, as EFHQ's: which faces, in which frames of which clips, in which bins.

EFHQ (github.com/VinAIResearch/EFHQ) publishes tables, Parquet or CSV, one row per face: `video_id` (the clip),
`frameid`, `idx`, `x1 y1 x2 y2`, points, angles, `hardbin`, `softbin`, `iqa`; CSVs may be one per clip and lie in a
folder per bin. Its sampled sets are `metadata.json` files,

    {"00000000.png": {"original_path": ".../<clip>/<frameid>_<face>.png", "original_csv": "...", "row_index": 17}}

and its lists of clips texts with a clip's name a line (`3_align_sample/cli_sample_gan.py`, `data/idlist`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.plan.clip_lists import is_vfhq
from lpff_ray.plan.sources import files_of
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import PARQUET_ERRORS
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import file_name
from lpff_ray.types import PoseBin

PUBLISHED = pl.Schema(
    {
        "clip": pl.String(),
        "frameid": pl.Int64(),
        "idx": pl.Int64(),
        **{name: pl.Float64() for name in ("x1", "y1", "x2", "y2")},
        "bin": pl.String(),
        "iqa": pl.Float64(),
        "user_id": pl.String(),
        "file": pl.String(),
        "row": pl.Int64(),
    }
)
"""One row per published face. frameid, x1 ... y2: as published, null where they are not. bin: `softbin`, or else
`hardbin`, or the folder's name. file, row: where it stands."""
_BINS = {str(name) for name in PoseBin}
_ALIGNED = re.compile(r"(?P<clip>[^/\\]+)[/\\](?P<frame>\d+)_(?P<face>\d+)\.\w+")


@dataclass
class Metadata:
    """What was published. faces: columns as in PUBLISHED, in its order. annotations: files among it that are clip
    lists."""

    faces: pl.DataFrame
    annotations: list[str] = field(default_factory=list)


def read_metadata(names: Sequence[str]) -> Metadata:
    """The published faces that files, folders or zips hold: the tables' rows, of which samples and lists keep some.

    Tables are read as they are found, by name; a face that stands in several counts once. With `metadata.json` files
    only their faces are left, in their order; those of which no table tells a box are there without one. With lists of
    clips, or of YouTube's ids, only theirs. Raises UserError for a file that can not be read, and if nothing is left.
    """
    tables, samples, lists, annotations = [], [], [], []
    for name in names:
        found = files_of(name)
        for uri in found:
            ending = file_name(uri).rpartition(".")[2].lower()
            if is_vfhq(uri):
                annotations.append(uri)
            elif ending in ("csv", "parquet"):
                table = _table(uri, ending, alone=len(found) == 1)
                tables += [] if table is None else [table]
            elif ending == "json":
                content = _json(uri)
                if isinstance(content, dict) and "clips" in content:
                    annotations.append(uri)
                elif _is_sample(content):
                    samples.append(_sample(uri, content))
                elif len(found) == 1:
                    raise UserError(f"{uri}: neither EFHQ's metadata.json nor a list of clips")
            elif ending == "txt":
                lists.append({_clip_name(line) for line in _text(uri).splitlines() if line.strip()})
    if not tables and not samples:
        raise UserError(
            f"{', '.join(names)}: no table (.parquet, .csv) and no metadata.json of published faces in it"
        )
    faces = pl.concat(tables) if tables else pl.DataFrame(schema=PUBLISHED)
    faces = faces.unique(["clip", "frameid", "idx"], keep="first", maintain_order=True)
    if samples:
        faces = _sampled(faces, pl.concat(samples))
    for wanted in lists:
        youtube = faces["clip"].map_elements(youtube_id, pl.String)
        faces = faces.filter(pl.col("clip").is_in(list(wanted)) | youtube.is_in(list(wanted)))
    if faces.is_empty():
        raise UserError(
            f"{', '.join(names)}: no published face is left; do its lists speak of the same clips?"
        )
    return Metadata(faces, annotations)


def youtube_id(clip: str) -> str:
    """The id of the YouTube video that a clip of VFHQ or CelebV-HQ is cut from."""
    parts = clip.split("+")
    return parts[1] if len(parts) == 5 and parts[0] == "Clip" else clip.rpartition("_")[0] or clip


def _clip_name(line: str) -> str:
    return file_name(line.strip().replace("\\", "/")).removesuffix(".txt").removesuffix(".mp4")


def _table(uri: str, ending: str, alone: bool) -> pl.DataFrame | None:
    """A table in the columns of PUBLISHED; None for one, among others, that is of something else."""
    content = io.BytesIO(_bytes(uri))
    try:
        read = (
            pl.read_parquet(content)
            if ending == "parquet"
            else pl.read_csv(content, infer_schema_length=None)
        )
    except PARQUET_ERRORS as error:
        raise UserError(f"{uri}: not readable as a table: {str(error).splitlines()[0]}") from None
    if "frameid" not in read.columns:
        if alone:
            raise UserError(
                f"{uri}: no column 'frameid'; it has {', '.join(read.columns[:8])}: not EFHQ's table"
            )
        return None
    stem, folder = file_name(uri).rpartition(".")[0], uri.rpartition("/")[0].rpartition("/")[2]
    at_hand = {name: pl.col(name) for name in PUBLISHED if name in read.columns}
    bins = [pl.col(name) for name in ("softbin", "hardbin") if name in read.columns]
    values: dict[str, pl.Expr] = {
        **at_hand,
        "clip": pl.col("video_id") if "video_id" in read.columns else pl.lit(stem),
        "bin": pl.coalesce(bins) if bins else pl.lit(folder if folder in _BINS else None),
        "file": pl.lit(uri),
        "row": pl.int_range(pl.len()),
    }
    values.setdefault("idx", pl.lit(0))
    columns = [values.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in PUBLISHED.items()]
    try:
        table = read.select(columns)
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{uri}: not EFHQ's table: {str(error).splitlines()[0]}") from None
    return _with_corners(table)


def _with_corners(table: pl.DataFrame) -> pl.DataFrame:
    """Boxes as corners. Some of VFHQ's annotations have width and height in place of x2 and y2: then all x2 of a clip
    lie before x1 (EFHQ's `2_merging/vfhq/cli.py` tells them likewise)."""
    sizes = (pl.col("x2") < pl.col("x1")).all().over("clip")
    return table.with_columns(
        pl.when(sizes).then(pl.col("x1") + pl.col("x2")).otherwise("x2").alias("x2"),
        pl.when(sizes).then(pl.col("y1") + pl.col("y2")).otherwise("y2").alias("y2"),
    )


def _is_sample(content: Any) -> bool:
    if not isinstance(content, dict) or not content:
        return False
    first = next(iter(content.values()))
    return isinstance(first, dict) and "original_path" in first


def _sample(uri: str, content: dict[str, Any]) -> pl.DataFrame:
    """A metadata.json as clip, frameid, idx and the place in the tables: file name and row."""
    return pl.DataFrame(
        list(_sample_rows(uri, content)),
        schema={
            "clip": pl.String(),
            "frameid": pl.Int64(),
            "listed_name": pl.String(),
            "listed_row": pl.Int64(),
        },
        orient="row",
    )


def _sample_rows(uri: str, content: dict[str, Any]) -> Iterator[tuple[str, int, str, int | None]]:
    for name, entry in content.items():
        path = str(entry.get("original_path", "")) if isinstance(entry, dict) else ""
        found = _ALIGNED.search(path)
        if found is None or found.end() != len(path):
            raise UserError(f"{uri}, {name}: original_path {path!r} does not end with CLIP/FRAME_FACE.png")
        row = entry.get("row_index")
        table = file_name(str(entry.get("original_csv", "")).replace("\\", "/"))
        yield found["clip"], int(found["frame"]), table, row if isinstance(row, int) else None


def _sampled(faces: pl.DataFrame, sample: pl.DataFrame) -> pl.DataFrame:
    """The faces that a sample names, in its order. Of several in one frame the one whose row it names, else the first:
    the sampling's own file names number every face 0."""
    names = faces["file"].map_elements(file_name, pl.String).alias("table_name")
    joined = sample.with_row_index("place").join(
        faces.with_columns(names), on=["clip", "frameid"], how="left", maintain_order="left_right"
    )
    listed = (pl.col("listed_name") == pl.col("table_name")) & (pl.col("listed_row") == pl.col("row"))
    best = joined.with_columns(listed.fill_null(False).alias("listed")).sort(
        "place", pl.col("listed").not_(), maintain_order=True
    )
    chosen = best.unique("place", keep="first", maintain_order=True)
    return chosen.select(list(PUBLISHED)).unique(
        ["clip", "frameid", "idx"], keep="first", maintain_order=True
    )


def _bytes(uri: str) -> bytes:
    try:
        with opened(uri) as (file, _):
            return file.read()
    except OSError as error:
        raise UserError(f"{uri}: can not be read: {explain(error, uri)}") from None


def _text(uri: str) -> str:
    try:
        return _bytes(uri).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{uri}: not UTF-8 text") from None


def _json(uri: str) -> Any:
    try:
        return json.loads(_text(uri))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{uri}: not readable as JSON: {error}") from None
