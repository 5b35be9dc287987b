"""Manifests: lists of videos, clips and photos, as text, CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lpff_ray.decode.formats import PHOTO_NAMES, VIDEO_NAMES, ending_of
from lpff_ray.errors import UserError
from lpff_ray.plan.crop import Crop
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import PARQUET_ERRORS
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute, file_name, split_chain
from lpff_ray.types import CropUnit, MediaKind

CROP = ("x0", "y0", "x1", "y1")
COLUMNS = ("uri", "start_s", "end_s", *CROP, "crop_unit", "clip_id", "identity", "kind", "fps")
Value = str | int | float | bool


@dataclass(frozen=True)
class Source:
    """A video, a photo or a clip of a video that somebody asked for, not looked at yet.

    uri: absolute local path, or a URI that fsspec can open
    start_s, end_s: span in seconds from the first frame, or None
    crop: the part of the frame to look at, None for all of it
    identity: who is to be seen, "" if not said
    kind: "sequence" for a folder or zip of numbered pictures; else "", and the file says what it is
    fps: frames per second of a sequence, None if not said
    frames: numbers of the only frames to look at, ascending, counted from the first one of the span; empty for all
    columns: what else is known of it (licence, author, labels): names and values, sorted by name
    """

    uri: str
    clip_id: str = ""
    start_s: float | None = None
    end_s: float | None = None
    crop: Crop | None = None
    identity: str = ""
    kind: str = ""
    fps: float | None = None
    frames: tuple[int, ...] = ()
    columns: tuple[tuple[str, Value], ...] = ()


def is_manifest(uri: str) -> bool:
    """Whether the name is that of a manifest: .txt, .csv, .jsonl or .parquet."""
    return _suffix(uri) in _READERS


def read_manifest(uri: str) -> list[Source]:
    """The sources that a manifest lists, in its order; whether they exist is not looked at.

    uri: absolute local path or fsspec URI. Relative uris inside are read from the manifest's folder.
    Text: one uri per line, blank lines and lines that start with # are skipped. The others: a column `uri` and any of
    `start_s`, `end_s`, `x0`, `y0`, `x1`, `y1`, `crop_unit`, `clip_id`, `identity`, `kind`, `fps`; all other columns
    are kept as they are, as columns of the source.
    A uri that is a folder or a zip, or has `kind` "sequence", is a clip of numbered pictures, `fps` of them a second.
    `crop_unit`, "fraction" or "pixel", says what x0 ... y1 count; where it is not given, four numbers none of which
    exceeds 1 are fractions of the frame, and others are pixels.

    Raises UserError naming the manifest, and the line where one is at fault.
    """
    try:
        with opened(uri) as (file, _):
            data = file.read()
    except OSError as error:
        raise UserError(f"{uri}: the manifest cannot be read: {explain(error, uri)}") from None
    rows = _READERS[_suffix(uri)](uri, data)
    sources = [source_of_row(where, row, uri) for where, row in rows]
    if not sources:
        raise UserError(f"{uri}: the manifest lists nothing: put one uri on each line")
    return sources


def source_of_row(where: str, row: dict[str, Any], manifest: str = "") -> Source:
    """One row with columns of COLUMNS as a Source. Raises UserError about a value that makes no sense.

    where: "manifest, line n", the start of every complaint. manifest: its uri, from whose folder a relative `uri` is
        read; "" if `uri` is absolute.
    """
    uri = row.get("uri")
    if not isinstance(uri, str) or not uri.strip():
        raise UserError(f"{where}: 'uri' is empty or not text")
    start, end = _number(where, row, "start_s"), _number(where, row, "end_s")
    if start is not None and start < 0:
        raise UserError(f"{where}: start_s is {start:g}; it must not be negative")
    if end is not None and end <= (start or 0.0):
        raise UserError(f"{where}: end_s is {end:g}; it must be greater than start_s ({start or 0.0:g})")
    uri = _resolve(manifest, uri.strip()) if manifest else uri
    fps = _number(where, row, "fps")
    is_sequence = row.get("kind") == MediaKind.SEQUENCE or _holds_pictures(uri)
    if is_sequence and fps is not None and fps <= 0:
        raise UserError(f"{where}: fps is {fps:g}; it must be greater than 0")
    return Source(
        uri=uri,
        clip_id=_text(row.get("clip_id")),
        start_s=start,
        end_s=end,
        crop=_crop(where, row),
        identity=_text(row.get("identity")),
        kind=MediaKind.SEQUENCE if is_sequence else "",
        fps=fps if is_sequence else None,
        columns=further_columns(row),
    )


def further_columns(row: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
    """The values of a row in columns that are not COLUMNS, sorted by name; empty ones are left out.

    Lists and objects become JSON texts, and dates ISO's.
    """
    found: dict[str, Value] = {}
    for name, value in row.items():
        if name in COLUMNS or not name or value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, (list, dict)):
            value = json.dumps(value, default=str)
        elif not isinstance(value, (str, int, float, bool)):
            value = str(value)
        if value != "":
            found[name] = value
    return tuple(sorted(found.items()))


def _holds_pictures(uri: str) -> bool:
    """Whether a uri is a zip, a folder of one, or a folder: by its name, and, if it is local, by what is there."""
    ending = ending_of(file_name(uri))
    if ending in PHOTO_NAMES or ending in VIDEO_NAMES:
        return False
    in_archive = bool(split_chain(uri)[1])
    return ending == "zip" or uri.endswith("/") or (in_archive and not ending) or os.path.isdir(uri)


def _crop(where: str, row: dict[str, Any]) -> Crop | None:
    numbers = [_number(where, row, name) for name in CROP]
    given = [number for number in numbers if number is not None]
    if not given:
        return None
    if len(given) < 4:
        missing = [name for name, number in zip(CROP, numbers, strict=True) if number is None]
        raise UserError(f"{where}: a crop needs x0, y0, x1 and y1; {', '.join(missing)} not given")
    x0, y0, x1, y1 = given
    if x1 <= x0 or y1 <= y0:
        raise UserError(f"{where}: the crop is empty: x1 must be greater than x0, y1 greater than y0")
    unit = _text(row.get("crop_unit"))
    if unit and unit not in tuple(CropUnit):
        raise UserError(f"{where}: crop_unit is {unit!r}; it must be fraction or pixel")
    return Crop.of((x0, y0, x1, y1), CropUnit(unit) if unit else None)


def _number(where: str, row: dict[str, Any], name: str) -> float | None:
    value = row.get(name)
    # pandas writes a missing number as NaN.
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise UserError(f"{where}: {name} is {value!r}; it must be a number")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _resolve(manifest: str, uri: str) -> str:
    """Make a manifest's uri absolute, reading it from the manifest's folder."""
    if os.path.isabs(manifest):
        return absolute(uri, os.path.dirname(manifest))
    if os.path.isabs(uri) or "://" in uri:
        return absolute(uri)
    head, archive = split_chain(manifest)
    protocol, _, path = head.partition("?")[0].partition("://")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(path), uri))
    return f"{protocol}://{path}::{archive}" if archive else f"{protocol}://{path}"


def _text_lines(uri: str, data: bytes) -> Iterator[str]:
    """Lines as editors count them; str.splitlines would also split at rarer characters inside names."""
    try:
        return io.StringIO(data.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError:
        raise UserError(f"{uri}: the manifest is not UTF-8 text; save it as UTF-8") from None


def _read_txt(uri: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_text_lines(uri, data), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield f"{uri}, line {number}", {"uri": text}


def _read_csv(uri: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    # Not Polars: only a reader of lines can say which line is at fault.
    reader = csv.DictReader(_text_lines(uri, data), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        _require_uri(uri, reader.fieldnames)
        for row in reader:
            if None in row:
                raise UserError(
                    f"{uri}, line {reader.line_num}: more fields than columns; quote names that hold a comma"
                )
            yield (
                f"{uri}, line {reader.line_num}",
                {name: (value or "").strip() for name, value in row.items()},
            )
    except csv.Error as error:
        raise UserError(f"{uri}, line {reader.line_num}: not readable as CSV: {error}") from None


def _read_jsonl(uri: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_text_lines(uri, data), 1):
        if not line.strip():
            continue
        where = f"{uri}, line {number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UserError(f"{where}: not readable as JSON: {error}") from None
        if not isinstance(row, dict):
            raise UserError(f'{where}: each line must be an object such as {{"uri": "a.mp4"}}')
        _require_uri(where, list(row))
        yield where, row


def _read_parquet(uri: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        columns = list(pl.read_parquet_schema(io.BytesIO(data)))
        _require_uri(uri, columns)
        table = pl.read_parquet(io.BytesIO(data))
    except PARQUET_ERRORS as error:
        raise UserError(f"{uri}: not readable as Parquet: {str(error).splitlines()[0]}") from None
    for number, row in enumerate(table.iter_rows(named=True), 1):
        yield f"{uri}, row {number}", row


def _require_uri(where: str, columns: list[str]) -> None:
    if "uri" not in columns:
        raise UserError(f"{where}: no column 'uri'; found {', '.join(columns) or 'no columns'}")


_READERS = {".txt": _read_txt, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}


def _suffix(uri: str) -> str:
    return posixpath.splitext(file_name(uri))[1].lower()
