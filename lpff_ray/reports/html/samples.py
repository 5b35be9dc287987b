"""The faces that a page shows one by one: each once, with its measurements and its picture, within a limit of bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import ANGLES, MEASURED, Gathered
from lpff_ray.tables.thumbnails import thumbnails

PICTURE_BYTES = 9_500_000
"""Most that all pictures may take in the page, as base64: with all else, a page stays below 15 MB.
Evidence: docs/evidence/report.md#size"""
_NUMBERS = ("yaw", "pitch", "roll", *ANGLES, *MEASURED)


class Samples:
    """Collects what the sections of a page want to show. A face is known by its number, in the order of asking."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._place: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def add(self, face_ids: Iterable[str]) -> list[int]:
        """The numbers of the faces of one group, the most telling first: where room is scarce, it has a picture."""
        numbers = []
        for place, name in enumerate(face_ids):
            numbers.append(self._number.setdefault(name, len(self._number)))
            self._place[name] = min(place, self._place.get(name, place))
        return numbers

    def records(self, run: Gathered) -> SampleRecords:
        """Everything that the page says of the faces that were asked for."""
        names = pl.DataFrame(
            {"face_id": list(self._number), "number": range(len(self))},
            schema={"face_id": pl.String, "number": pl.Int64},
        )
        rows = run.faces.join(names.lazy(), on="face_id", how="inner").collect().sort("number")
        pictures = self._pictures(run.out, rows.select("face_id", "segment_id"))
        uris = rows["uri"].fill_null("").unique(maintain_order=True).to_list()
        at = {uri: number for number, uri in enumerate(uris)}
        faces: list[Any] = [None] * len(self)  # null: a face that is no longer in the run
        for row in rows.iter_rows(named=True):
            picture, region = pictures.get(row["face_id"], (None, None))
            faces[row["number"]] = {
                "id": row["face_id"],
                "source": at[row["uri"] or ""],
                "clip": row["clip_id"] or "",
                "frame": row["frame_index"],
                "time": None if row["pts_ns"] is None else round(row["pts_ns"] / 1e9, 2),
                "bin": row["pose_bin"],
                "identity": row["identity_id"],
                "duplicateOf": row["duplicate_of"],
                "votes": _votes(row["pose_votes"]),
                "picture": picture,
                "box": _box_in(row["bbox"], region),
                **{name: _rounded(row[name]) for name in _NUMBERS},
            }
        return SampleRecords(faces, uris, len(pictures))

    def _pictures(self, out: str, faces: pl.DataFrame) -> dict[str, tuple[str, list[float]]]:
        """Of each face that has one: the JPEG in base64, and its region, x0, y0, x1, y1 in pixels of the frame."""
        found = thumbnails(out, faces)
        found = found.sort(pl.col("face_id").replace_strict(self._place, return_dtype=pl.Int64, default=0))
        room, pictures = PICTURE_BYTES, {}
        for face_id, jpeg, region in found.iter_rows():
            text = base64.b64encode(jpeg).decode("ascii")
            room -= len(text)
            if room < 0:
                break
            pictures[face_id] = (text, region)
        return pictures


class SampleRecords:
    """The faces of a page. faces: one object each, None for one that the run no longer has; sources: their URIs.

    pictures: how many have one.
    """

    def __init__(self, faces: list[Any], sources: list[str], pictures: int) -> None:
        self.faces, self.sources, self.pictures = faces, sources, pictures


def _box_in(box: list[float] | None, region: list[float] | None) -> list[float] | None:
    """A box as shares of the width and height of a picture of a region: left, top, width, height."""
    if box is None or region is None:
        return None
    width, height = max(region[2] - region[0], 1.0), max(region[3] - region[1], 1.0)
    shares = (box[0] - region[0]) / width, (box[1] - region[1]) / height
    return [round(share, 3) for share in (*shares, (box[2] - box[0]) / width, (box[3] - box[1]) / height)]


def _votes(votes: list[dict[str, Any]] | None) -> list[list[Any]]:
    return [
        [vote["estimator"], *(_rounded(vote[angle]) for angle in ("yaw", "pitch", "roll"))]
        for vote in votes or []
    ]


def _rounded(value: float | None) -> float | None:
    """A number as a person reads it, None where it was not measured: JSON knows no NaN."""
    return None if value is None or value != value else round(value, 3 if abs(value) < 2 else 1)
