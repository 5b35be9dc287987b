"""The sheet of samples that every export makes of what it wrote, so that nobody uses a data set unseen."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Mapping, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.exports.format import ExportFormat, OutputFile, Record
from lpff_ray.exports.imaging.contact_sheet import Cell, Section, contact_sheet
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.thumbnails import thumbnails

SAMPLES = 64
COLUMNS = 8
SIDE = 144
PICTURES, CLIPS = (".png", ".jpg"), (".mp4",)
NAME = "SHEET"
log = logging.getLogger(__name__)
SVG_QUALITY = 90


def sample_sheet(
    run: str, made: Folder, records: Sequence[Record], labels: Mapping[str, str], as_svg: bool
) -> OutputFile | None:
    """SHEET.png: SAMPLES of the things made, drawn by a hash of their faces' ids; None where nothing can be shown.

    run: its thumbnails stand in for what is no picture, such as tables. made: where the units' files are. labels: what
    to write below, by face id. as_svg: SHEET.svg, for data sets whose training code takes every picture in the folder.
    The same records give the same bytes.
    """
    of_faces = [record for record in records if _faces(record)]  # not of tables beside them
    drawn = sorted(sorted(of_faces, key=_draw)[:SAMPLES], key=lambda record: int(record["index"]))
    stand_ins = _thumbnails(run, [_face(record) for record in drawn if not _shown(record)])
    cells = []
    for record in drawn:
        face = _face(record)
        shown = _shown(record)
        picture = _picture(made, shown) if shown else stand_ins.get(face)
        label = next((labels[one] for one in _faces(record) if one in labels), "")
        cells.append(Cell(picture, [f"{record['index']}  {label}"]))
    if all(cell.picture is None for cell in cells):
        return None
    title = (
        f"{len(cells)} of {len(records)}, drawn at random"
        if len(cells) < len(records)
        else f"all {len(cells)}"
    )
    sheet = contact_sheet([Section("", cells)], SIDE, min(COLUMNS, len(cells)), title)
    content = io.BytesIO()
    if not as_svg:
        sheet.save(content, "PNG")
        return OutputFile(f"{NAME}.png", content.getvalue())
    sheet.save(content, "JPEG", quality=SVG_QUALITY)
    data = base64.b64encode(content.getvalue()).decode()
    width, height = sheet.size
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{data}"/></svg>\n'
    )
    return OutputFile(f"{NAME}.svg", svg.encode())


def taken_for_data(export_format: ExportFormat, records: Sequence[Record]) -> bool:
    """Whether training code may take a picture in DEST for one of the data set: where others lie there, too."""
    beside = (name for record in records for name in record["files"] if "/" not in name)
    pictures = not export_format.packed and any(name.endswith(PICTURES) for name in beside)
    return export_format.every_picture_counts or pictures


def _draw(record: Record) -> bytes:
    return hashlib.sha256(f"{_face(record)} {record['index']}".encode()).digest()


def _face(record: Record) -> str:
    """The face that a record is of; of many, the one in the middle."""
    faces = _faces(record)
    return faces[(len(faces) - 1) // 2]


def _faces(record: Record) -> list[str]:
    faces = record["face_id"]
    return faces if isinstance(faces, list) else [faces]


def _shown(record: Record) -> str:
    """The file of a record that is shown, "" if it has none: of many, the one in the middle."""
    for endings in (PICTURES, CLIPS):
        files = [name for name in record["files"] if name.endswith(endings)]
        if files:
            return str(files[(len(files) - 1) // 2])
    return ""


def _picture(made: Folder, name: str) -> NDArray[np.uint8] | None:
    """A picture, or the frame in the middle of a clip, about as small as it is shown; None if it can not be read."""
    content = made.read(name)
    if content is None:
        return None
    if name.endswith(CLIPS):
        try:
            return _middle_frame(content)
        except (av.FFmpegError, IndexError) as error:  # what is copied as it was need not be decodable here
            log.warning("%s/%s: not shown on the sheet: %s", made.root, name, error)
            return None
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else _reduced(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8))


def _middle_frame(content: bytes) -> NDArray[np.uint8] | None:
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        if stream.duration:
            container.seek((stream.start_time or 0) + stream.duration // 2, stream=stream)
        for frame in container.decode(stream):
            return _reduced(frame.to_ndarray(format="rgb24"))
    return None


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _thumbnails(run: str, faces: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    found: dict[str, NDArray[np.uint8]] = {}
    if not faces:
        return found
    try:
        table = thumbnails(run, faces)
    except UserError as error:  # a damaged side file does not keep anybody from exporting
        log.warning("not shown on the sheet: %s", error)
        return found
    for face, jpeg, _ in table.iter_rows():
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if pixels is not None:
            found[face] = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8)
    return found
