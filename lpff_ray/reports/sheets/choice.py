"""Which faces a contact sheet shows, in which order, in which groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lpff_ray.curate.selection.sampling import draws
from lpff_ray.errors import UserError
from lpff_ray.exports.imaging.drawing import COLUMNS as DRAWN
from lpff_ray.monitoring.wording import counted, escaped
from lpff_ray.storage.uri import file_name
from lpff_ray.tables import curated, schema
from lpff_ray.tables.read import scan
from lpff_ray.tables.review.state import with_reviewed_identities
from lpff_ray.types import PoseBin

VIDEO = "video"
GROUPS = ("identity", "bin", VIDEO)
WORST = {"disagreement": "pose_spread", "quality": "iqa"}
"""What `worst` names, by column: where its largest value is worst, but for quality."""
_LARGE = ("landmarks", "embedding", "rotvec", "translation", "pose_votes")
SHOWN = (
    *("face_id", "segment_id", "video_id", "uri", "clip_id", "frame_index", "pose_bin"),
    *(*DRAWN, "azimuth", "elevation", "iqa", "det_score", "pose_spread"),
)
"""Columns of the faces table that a sheet needs."""
_OF_DEDUPE = ("identity_id", "keep", "duplicate_of", "similarity", "rule", "track_bin")


@dataclass(frozen=True)
class Choice:
    """What to show of a run; what is empty is not asked for.

    where: a condition on a face in SQL, such as "abs(yaw) > 60 and iqa > 50". selection: only faces of this one.
    by: one of GROUPS. worst: one of WORST. top, bottom: a column to sort by, largest or smallest first. duplicates:
    pairs of a kept face and one that repeats it. random: so many faces, drawn with `seed`.
    """

    where: str = ""
    selection: str = ""
    by: str = ""
    worst: str = ""
    top: str = ""
    bottom: str = ""
    duplicates: bool = False
    random: int | None = None
    seed: int = 0

    @property
    def column(self) -> str:
        """The column that faces are sorted by, "" for none."""
        return self.top or self.bottom or WORST.get(self.worst, "")


@dataclass(frozen=True)
class Group:
    """Faces that are shown together, in their order, with SHOWN and what is known of identities. title: may be ""."""

    title: str
    faces: pl.DataFrame


def chosen_faces(out: str, choice: Choice) -> pl.DataFrame:
    """The faces of a run that `choice` asks for, in its order: SHOWN and the columns that it names.

    Pairs of duplicates follow each other: the kept face, then the one that repeats it, least alike first.
    Raises UserError for orders that exclude each other, a condition that is none, a column that there is not, and for
    what needs identities before `dedupe`.
    """
    _check(choice)
    faces = _joined(out, choice)
    known = faces.collect_schema()
    if choice.where:
        faces = faces.filter(_condition(choice.where, known))
    if choice.column:
        if choice.column not in known:
            raise UserError(f"there is no column {choice.column!r}; there are {', '.join(known.names())}")
        if isinstance(known[choice.column], (pl.Array, pl.List)):
            raise UserError(f"column {choice.column!r} holds lists, which have no order")
        descending = not choice.bottom and choice.worst != "quality"
        value = pl.col(choice.column)
        known_value = value.is_not_nan() if known[choice.column].is_float() else value.is_not_null()
        faces = faces.filter(known_value)
        faces = faces.sort(choice.column, "face_id", descending=[descending, False])
    wanted = [name for name in known if name in (*SHOWN, *_OF_DEDUPE, "bin", choice.column)]
    if choice.duplicates:
        return _pairs(out, faces.select(wanted).collect())
    found = faces.select(wanted).collect()
    if choice.random is not None:
        drawn = draws(found["face_id"], choice.seed).arg_sort().head(choice.random)
        found = found[drawn.sort()]  # in their order
    return found


def grouped(faces: pl.DataFrame, by: str, per_group: int) -> list[Group]:
    """Faces in groups, each with at most so many, spread evenly over what the group is sorted by.

    by "identity": those of one person from left to right profile, people with most faces first. "bin": likewise, the
    bins in the order of PoseBin. "video": by time, in the order of the faces.
    """
    if by not in GROUPS:
        raise UserError(f"faces are grouped by {', '.join(GROUPS)}, not by {by!r}")
    bins = "bin" if "bin" in faces.columns else "pose_bin"
    column = {"identity": "identity_id", "bin": bins, VIDEO: "video_id"}[by]
    if column not in faces.columns:
        raise UserError(
            "faces have no identity_id: run lpff-ray dedupe, or join lpff_ray.dedupe_marks to the table"
        )
    known = faces.filter(pl.col(column).is_not_null())
    sizes = known.group_by(column, maintain_order=True).len()
    if by == "identity":
        sizes = sizes.sort("len", column, descending=[True, False])
    elif by == "bin":
        order = {str(name): number for number, name in enumerate(PoseBin)}
        number = pl.col(column).replace_strict(order, default=len(order), return_dtype=pl.Int32)
        sizes = sizes.sort(number, column)
    # Runs of older releases have no azimuth.
    place = pl.col("frame_index") if by == VIDEO else -pl.coalesce("azimuth", "yaw")
    parts = known.with_columns(place.alias("_place")).sort("_place").partition_by(column, as_dict=True)
    groups = []
    for name, count in sizes.iter_rows():
        of_group = parts[(name,)]
        shown = of_group[spread(of_group["_place"].to_numpy(), per_group).tolist()].drop("_place")
        title = escaped(of_group["clip_id"][0] or file_name(of_group["uri"][0])) if by == VIDEO else name
        rest = f", {per_group} shown" if count > per_group else ""
        groups.append(Group(f"{title}: {counted(count, 'face')}{rest}", shown))
    return groups


def spread(values: np.ndarray, count: int) -> np.ndarray:
    """Indices, ascending, of `count` of the sorted values that are spread over their range as evenly as they allow."""
    if len(values) <= count:
        return np.arange(len(values))
    free = np.ones(len(values), bool)
    for target in np.linspace(values[0], values[-1], count):
        free[np.argmin(np.where(free, np.abs(values - target), np.inf))] = False
    return np.flatnonzero(~free)


def _check(choice: Choice) -> None:
    orders = {
        "by": choice.by,
        "worst": choice.worst,
        "top": choice.top,
        "bottom": choice.bottom,
        "duplicates": choice.duplicates,
    }
    given = [name for name, value in orders.items() if value]
    if len(given) > 1:
        raise UserError(f"--{given[0]} and --{given[1]} exclude each other: a sheet has one order")
    if choice.duplicates and choice.random is not None:
        raise UserError("--duplicates and --random exclude each other")


def _joined(out: str, choice: Choice) -> pl.LazyFrame:
    """Faces with what is known of their identities, and of their selection."""
    faces = scan(out).drop(_LARGE)
    try:
        marks = with_reviewed_identities(out, curated.dedupe_marks(out))
    except UserError:
        if choice.by == "identity" or choice.duplicates:
            raise
    else:
        faces = faces.join(
            marks.lazy().select("face_id", *_OF_DEDUPE), "face_id", "left", maintain_order="left"
        )
    if choice.selection:
        chosen = curated.selection(out, choice.selection).lazy().drop("identity_id")
        faces = faces.join(chosen, "face_id", "inner").sort("rank")
    return faces


def _condition(text: str, known: pl.Schema) -> pl.Expr:
    """A condition in SQL as an expression. Raises UserError if it is none, or names a column that there is not."""
    try:
        condition = pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise UserError(
            f"--where {text!r}: {str(error).splitlines()[0]}; write it as in SQL, abs(yaw) > 60"
        ) from None
    unknown = [name for name in condition.meta.root_names() if name not in known]
    if unknown:
        raise UserError(
            f"--where {text!r}: there is no column {unknown[0]!r}; there are {', '.join(known.names())}"
        )
    try:
        kind = pl.DataFrame(schema=known).select(condition.alias("condition")).schema["condition"]
    except pl.exceptions.PolarsError as error:
        raise UserError(f"--where {text!r}: {str(error).splitlines()[0]}") from None
    if kind != pl.Boolean:
        raise UserError(f"--where {text!r} is a {kind}, no condition; write abs(yaw) > 60, for example")
    return condition


def _pairs(out: str, faces: pl.DataFrame) -> pl.DataFrame:
    """Kept faces and those among `faces` that repeat them, in turns."""
    repeats = faces.filter(pl.col("duplicate_of").is_not_null()).sort("similarity", "face_id")
    kept = with_columns_of(out, pl.DataFrame({"face_id": repeats["duplicate_of"]}), SHOWN)
    kept = kept.with_columns(repeats["identity_id"])
    numbered = [
        table.with_columns(pl.Series("_pair", range(len(table)), pl.Int64), pl.lit(place).alias("_place"))
        for place, table in enumerate((kept, repeats))
    ]
    return pl.concat(numbered, how="diagonal").sort("_pair", "_place").drop("_pair", "_place")


def with_columns_of(out: str, faces: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """A table with `face_id` and the columns of the faces table that it lacks, in its order.

    Raises UserError for faces that the run does not hold.
    """
    missing = [name for name in columns if name not in faces.columns]
    if not missing:
        return faces
    ids = faces["face_id"].unique()
    there = scan(out).select("face_id", *missing).filter(pl.col("face_id").is_in(ids.implode())).collect()
    if len(there) < len(ids):
        lost = ids.filter(~ids.is_in(there["face_id"].implode()))[0]
        raise UserError(f"{out}: has no face {lost!r}: the table is of another run")
    return faces.join(there, "face_id", "left", maintain_order="left").select(
        *faces.columns, *(name for name in missing if name in schema.FACES)
    )
