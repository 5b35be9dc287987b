"""Contact sheets of a run's faces: pictures with boxes, points, axes and numbers, in pages."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import polars as pl
from PIL import Image

from lpff_ray.errors import UserError
from lpff_ray.exports.imaging.contact_sheet import Cell, Section, contact_sheet
from lpff_ray.exports.imaging.drawing import draw_face
from lpff_ray.monitoring.wording import counted, escaped
from lpff_ray.reports.sheets.choice import SHOWN, Choice, Group, chosen_faces, grouped, with_columns_of
from lpff_ray.reports.sheets.pictures import Pictures, pictures_of
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.uri import file_name
from lpff_ray.tables import curated
from lpff_ray.tables.review.state import with_reviewed_identities

LIMIT = 512
"""Faces on all pages of a sheet, unless more are asked for."""
SHORT_ID = 8
"""Digits of an identity's id that are shown."""


@dataclass(frozen=True)
class Layout:
    """How a sheet looks. columns: cells in a row. size: side of a picture, pixels. plain: nothing drawn, no numbers.

    per_group: most faces of a group; None for one row of an identity, two of others. per_page: most faces on a page.
    """

    columns: int = 8
    size: int = 160
    plain: bool = False
    per_group: int | None = None
    per_page: int = 64


@dataclass
class SheetSummary:
    """What `write_sheets` wrote. found: faces that were asked for; shown: of them. notes: why some are not, or have no
    picture."""

    files: list[str] = field(default_factory=list)
    found: int = 0
    shown: int = 0
    notes: list[str] = field(default_factory=list)


def sheet(
    faces: pl.DataFrame | pl.LazyFrame,
    out: str,
    *,
    by: str = "",
    columns: int = 8,
    size: int = 160,
    plain: bool = False,
    per_group: int | None = None,
    limit: int = LIMIT,
    from_sources: bool = False,
    title: str = "",
) -> Image.Image:
    """A contact sheet of some faces of the run `out`, in their order, as one PIL image, which a notebook shows.

    faces: any table with `face_id`, such as a filtered `scan(out)`. by: "identity", "bin" or "video" for groups.
    columns: pictures in a row, of `size` pixels. plain: nothing is drawn and written. per_group: most faces of a group.
    limit: most faces shown; the title says how many there are. from_sources: decode the frames, where a run has no
    thumbnails, or for larger pictures. title: a line above.

    Raises UserError if the run holds no such face, or no thumbnail of any.
    """
    if isinstance(faces, pl.LazyFrame):
        faces = faces.collect()
    if "face_id" not in faces.columns:
        raise UserError(f"a sheet needs a table with the column face_id, not {', '.join(faces.columns)}")
    found = len(faces)
    complete = with_columns_of(out, faces if by else faces.head(limit), SHOWN)
    if "identity_id" not in complete.columns:
        complete = _with_identities(out, complete, needed=by == "identity")
    layout = Layout(columns, size, plain, per_group)
    groups = _limited(_groups(complete, by, layout), limit)
    shown = sum(len(group.faces) for group in groups)
    if shown < found:
        title = f"{title + ': ' if title else ''}{shown} of {counted(found, 'face')}"
    return _page(groups, pictures_of(out, _all(groups), size, from_sources), layout, title, Choice(by=by))


def write_sheets(
    out: str,
    dest: str = "",
    choice: Choice | None = None,
    layout: Layout | None = None,
    *,
    limit: int = LIMIT,
    from_sources: bool = False,
) -> SheetSummary:
    """Write contact sheets of a run as PNG: DEST, or, where there are several pages, DEST with their numbers.

    dest: a file that ends in .png, any fsspec URI; OUT/sheet.png if it is empty. limit: most faces on all pages.
    Raises UserError as `chosen_faces` and `pictures_of` do, and where nothing is found.
    """
    choice, layout = choice or Choice(), layout or Layout()
    place, _, name = (dest or f"{out.rstrip('/')}/sheet.png").rpartition("/")
    if not name.endswith(".png"):
        raise UserError(f"{dest}: name a file that ends in .png")
    faces = chosen_faces(out, choice)
    if faces.is_empty():
        raise UserError(f"{out}: no face is left to show; {_found_nothing(choice)}")
    groups = _limited(_groups(faces, choice.by, layout), limit - limit % 2 if choice.duplicates else limit)
    pictures = pictures_of(out, _all(groups), layout.size, from_sources)
    done = SheetSummary(
        found=len(faces), shown=sum(len(group.faces) for group in groups), notes=pictures.notes
    )
    pages = list(_pages(groups, layout))
    folder = Folder(place or ".")
    for number, page in enumerate(pages, 1):
        file = name if len(pages) == 1 else f"{name.removesuffix('.png')}-{number:03d}.png"
        title = (
            f"{_title(choice)}: {done.shown} of {counted(done.found, 'face')}, page {number} of {len(pages)}"
        )
        content = io.BytesIO()
        _page(page, pictures, layout, title, choice).save(content, "PNG")
        folder.commit(file, content.getvalue())
        done.files.append(f"{folder.root}/{file}")
    return done


def _groups(faces: pl.DataFrame, by: str, layout: Layout) -> list[Group]:
    if not by:
        return [Group("", faces)]
    rows = 1 if by == "identity" else 2
    return grouped(faces, by, layout.per_group or rows * layout.columns)


def _limited(groups: Sequence[Group], limit: int) -> list[Group]:
    kept = []
    for group in groups:
        if limit <= 0:
            break
        kept.append(replace(group, faces=group.faces.head(limit)))
        limit -= len(group.faces)
    return kept


def _pages(groups: Sequence[Group], layout: Layout) -> Iterator[list[Group]]:
    """Groups divided into pages, by rows; a group that does not fit goes on on the next page."""
    rows = max(1, layout.per_page // layout.columns)
    page: list[Group] = []
    left = rows
    for group in groups:
        start = 0
        while start < len(group.faces):
            if not left:
                yield page
                page, left = [], rows
            some = group.faces.slice(start, left * layout.columns)
            page.append(replace(group, faces=some))
            start += len(some)
            left -= math.ceil(len(some) / layout.columns)
    if page:
        yield page


def _page(
    groups: Sequence[Group], pictures: Pictures, layout: Layout, title: str, choice: Choice
) -> Image.Image:
    sections = [
        Section(
            group.title, [_cell(row, pictures, layout, choice) for row in group.faces.iter_rows(named=True)]
        )
        for group in groups
    ]
    return contact_sheet(sections, layout.size, layout.columns, title, set_size=2 if choice.duplicates else 1)


def _cell(row: dict[str, Any], pictures: Pictures, layout: Layout, choice: Choice) -> Cell:
    found = pictures.by_face.get(row["face_id"])
    pixels = None
    if found is not None:
        pixels = found.pixels
        if pixels.shape[0] != layout.size:  # before drawing: lines stay sharp
            enlarged = layout.size > pixels.shape[0]
            how = cv2.INTER_CUBIC if enlarged else cv2.INTER_AREA
            pixels = cv2.resize(pixels, (layout.size, layout.size), interpolation=how).astype(pixels.dtype)
        if not layout.plain:
            pixels = pixels.copy()
            draw_face(pixels, found.region, row)
    return Cell(pixels, () if layout.plain else _lines(row, choice))


def _lines(row: dict[str, Any], choice: Choice) -> list[str]:
    identity = row.get("identity_id")
    name = _short(identity) if identity else row["clip_id"] or file_name(row["uri"])
    if choice.by == "identity":  # its name is the group's title
        name = row.get("bin") or row["pose_bin"]
    angles = {"yaw": row["yaw"], "az": row["azimuth"], "el": row["elevation"]}
    third = f"iqa {row['iqa']:.0f}   score {row['det_score']:.2f}"
    if choice.duplicates:
        repeats = row.get("duplicate_of") is not None
        third = f"repeats it, {row['similarity']:.3f}" if repeats else "kept"
    elif choice.column not in ("", "iqa", "det_score", "yaw", "azimuth", "elevation"):
        value = row[choice.column]
        third = f"{choice.column} {value:.3g}" if isinstance(value, float) else f"{choice.column} {value}"
    known = (f"{name} {round(value)}" for name, value in angles.items() if value is not None)
    return [escaped(name), "   ".join(known), third]


def _short(identity: str) -> str:
    """An identity's name; of one that `dedupe` made, as many digits as tell it apart on a sheet."""
    return identity.removeprefix("id-")[:SHORT_ID] if identity.startswith("id-") else identity


def _all(groups: Sequence[Group]) -> pl.DataFrame:
    return pl.concat([group.faces for group in groups])


def _with_identities(out: str, faces: pl.DataFrame, needed: bool) -> pl.DataFrame:
    try:
        marks = with_reviewed_identities(out, curated.dedupe_marks(out).select("face_id", "identity_id"))
    except UserError:
        if needed:
            raise
        return faces
    return faces.join(marks, "face_id", "left", maintain_order="left")


def _title(choice: Choice) -> str:
    """What a sheet shows, in a few words."""
    said = [
        f"selection {choice.selection}" if choice.selection else "",
        choice.where,
        f"by {choice.by}" if choice.by else "",
        f"worst {choice.worst}" if choice.worst else "",
        f"largest {choice.top}" if choice.top else "",
        f"smallest {choice.bottom}" if choice.bottom else "",
        "duplicates" if choice.duplicates else "",
        f"{choice.random} at random, seed {choice.seed}" if choice.random is not None else "",
    ]
    return ", ".join(part for part in said if part) or "all faces"


def _found_nothing(choice: Choice) -> str:
    if choice.duplicates:
        return "no face repeats another one" + (" under this condition" if choice.where else "")
    return f"the condition {choice.where!r} holds for none" if choice.where else "the run holds no face"
