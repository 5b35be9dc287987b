"""What can be stated of an image from what was measured on it, and captions that a user brings along."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.redaction import redacted
from lpff_ray.storage.uri import absolute

COLUMNS = ("yaw", "pitch", "roll", "sharpness", "brightness")
"""What `pose_phrase` reads of the faces table."""

# Degrees. EFHQ's frontal bin ends at 45 of yaw and 30 of pitch; the words within are finer.
FRONT, PROFILE, UP_DOWN, TILT = 15.0, 60.0, 15.0, 15.0
# Of the table's 0..1 and 0..255: only the ends of what real clips hold are named. Evidence:
# docs/evidence/exports.md#prompt-words
BLURRED, SHARP, DARK, BRIGHT = 0.6, 0.8, 80.0, 170.0

KEYS = ("face_id", "clip_id", "uri")
"""Columns of a captions file, the more exact one first."""

ATTRIBUTES = ("emotion", "race", "gender")
"""What EFHQ's prompts state of a person. Nothing here measures it: a user's file says it."""


def pose_phrase(face: Mapping[str, Any]) -> str:
    """A phrase on pose, sharpness and light of a row of COLUMNS; nothing about the person."""
    yaw, pitch, roll = face["yaw"], face["pitch"], face["roll"]
    side = "image-left" if yaw > 0 else "image-right"
    if abs(yaw) < FRONT:
        words = ["front view"]
    elif abs(yaw) < PROFILE:
        words = [f"three-quarter view facing {side}"]
    else:
        words = [f"profile view facing {side}"]
    if abs(yaw) < PROFILE:  # near 90 degrees of yaw, pitch and roll can not be distinguished
        if abs(pitch) >= UP_DOWN:
            words.append("looking up" if pitch > 0 else "looking down")
        if abs(roll) >= TILT:
            words.append("head tilted")
    if face["sharpness"] >= SHARP:
        words.append("sharp focus")
    elif face["sharpness"] < BLURRED:
        words.append("blurred")
    if face["brightness"] < DARK:
        words.append("dark lighting")
    elif face["brightness"] >= BRIGHT:
        words.append("bright lighting")
    return ", ".join(words)


def prompt(face: Mapping[str, Any], caption: str | None) -> str:
    """The caption, or else "a portrait photo of a person", and what `pose_phrase` says of the face."""
    return f"{(caption or 'a portrait photo of a person').strip().rstrip('.')}, {pose_phrase(face)}"


def mirrored_face(face: Mapping[str, Any]) -> dict[str, Any]:
    """The row of COLUMNS of a face's mirror image."""
    return {**face, "yaw": -face["yaw"], "roll": -face["roll"]}


def efhqs_prompt(attributes: Mapping[str, str], profile: bool) -> str:
    """EFHQ's prompt: "A profile portrait image of a happy asian woman."; "person" where no gender is known.

    profile: False for a mirror image, which EFHQ calls a portrait image only (`1_attributes_extraction/
    generate_prompt.py`), and for a frontal face, of which EFHQ has none.
    """
    words = [attributes.get(name, "").strip().lower() for name in ("emotion", "race")]
    who = " ".join([*filter(None, words), attributes.get("gender", "").strip().lower() or "person"])
    return f"A {'profile ' if profile else ''}portrait image of a {who}."


def captions_for(faces: pl.DataFrame, uri: str) -> list[str | None]:
    """A caption per face, or None, from a CSV or JSON-lines file or fsspec URI with `caption` and one or more of KEYS.

    Where several speak of a face the one with the more exact key counts. faces: `face_id`, `clip_id`, `uri`.
    Raises UserError if the file can not be read or speaks of none of the faces.
    """
    return [known.get("caption") for known in _said_of(faces, uri, ("caption",), "caption")]


def attributes_for(faces: pl.DataFrame, uri: str) -> list[dict[str, str]]:
    """What a user's file says of each face's ATTRIBUTES; as `captions_for`, with one or more columns of these."""
    return _said_of(faces, uri, ATTRIBUTES, "attribute")


def _said_of(faces: pl.DataFrame, uri: str, columns: Sequence[str], what: str) -> list[dict[str, str]]:
    known: dict[str, dict[str, dict[str, str]]] = {key: {} for key in KEYS}
    for row in _rows(uri, columns):
        key = next((key for key in KEYS if row.get(key)), None)
        said = {name: str(row[name]) for name in columns if row.get(name)}
        if key and said:
            value = redacted(absolute(str(row[key]))) if key == "uri" else str(row[key])
            known[key][value] = said
    found = [
        next((known[key][row[key]] for key in KEYS if row[key] in known[key]), {})
        for row in faces.select(KEYS).iter_rows(named=True)
    ]
    if len(found) and not any(found):
        raise UserError(
            f"{uri}: no {what} of any selected face; it takes the columns {' or '.join(columns)} and face_id, clip_id "
            "or uri, with values as in the faces table"
        )
    return found


def captions_hash(uri: str) -> str:
    """What tells the content of a captions file from others. Raises UserError if it can not be read."""
    return hashlib.sha256(_text(uri).encode()).hexdigest()[:16]


def _text(uri: str) -> str:
    try:
        with opened(absolute(uri)) as (file, _):
            return file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{uri}: captions can not be read: {explain(error, uri)}") from None


def _rows(uri: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
    text = _text(uri)
    if not uri.endswith((".jsonl", ".json")):
        table = csv.DictReader(io.StringIO(text))
        columns = table.fieldnames or ()
        if not set(wanted).intersection(columns) or not set(KEYS).intersection(columns):
            raise UserError(
                f"{uri}: needs the columns {' or '.join(wanted)} and face_id, clip_id or uri, separated by commas; its "
                f"first line has {', '.join(map(repr, columns)) or 'nothing'}"
            )
        return list(table)
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(f"{uri}: line {number} is no JSON object; write one object a line, and no array")
        rows.append(row)
    return rows
