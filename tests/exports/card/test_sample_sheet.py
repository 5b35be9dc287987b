"""The sheet of samples shows what was written, whatever it is, and the same every time."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from numbered import Numbered
from PIL import Image
from runs import make_run

from lpff_ray.exports.card.sample_sheet import SAMPLES, SIDE, sample_sheet, taken_for_data
from lpff_ray.exports.format import OutputFile, Record
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.imaging.contact_sheet import GAP, TITLE_LINE
from lpff_ray.exports.imaging.encoding import encode_image
from lpff_ray.measure.thumbnail import thumbnail
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.thumbnails import commit_thumbnails

RED, BLUE = (220, 20, 20), (20, 20, 220)


@pytest.fixture
def run(tmp_path: Path) -> str:
    return make_run(tmp_path / "run", {}).folder.root


@pytest.fixture
def made(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "made"))


def picture(made: Folder, name: str, colour: tuple[int, int, int]) -> None:
    made.commit(name, encode_image(np.full((300, 300, 3), colour, np.uint8), name))


def record(index: int, *files: str) -> Record:
    return {"index": index, "face_id": f"v:{index}:0", "files": list(files)}


def pixels(sheet: OutputFile | None) -> np.ndarray:
    assert sheet is not None
    assert isinstance(sheet.content, bytes)
    return np.asarray(Image.open(io.BytesIO(sheet.content)))


def cell(sheet: np.ndarray, number: int) -> tuple[int, ...]:
    """The colour in the middle of a cell of the first row."""
    return tuple(
        sheet[GAP + TITLE_LINE + SIDE // 2, GAP + number * (SIDE + GAP + GAP // 2) + SIDE // 2].tolist()
    )


def test_pictures_are_shown_by_index(run: str, made: Folder) -> None:
    for index, colour in enumerate((RED, BLUE, RED)):
        picture(made, f"{index}.png", colour)
    sheet = sample_sheet(run, made, [record(index, f"{index}.png") for index in (2, 0, 1)], {}, as_svg=False)
    assert sheet is not None
    assert sheet.name == "SHEET.png"
    assert [cell(pixels(sheet), number) for number in range(3)] == [RED, BLUE, RED]


def test_many_are_sampled_the_same_every_time(run: str, made: Folder) -> None:
    picture(made, "one.jpg", RED)
    records = [record(index, "one.jpg") for index in range(SAMPLES + 40)]
    sheets = [sample_sheet(run, made, some, {}, as_svg=False) for some in (records, records[::-1])]
    assert sheets[0] == sheets[1]
    assert pixels(sheets[0]).shape[0] < 8 * (SIDE + 30) + 100


def test_of_a_clip_the_frame_in_the_middle_is_shown(run: str, made: Folder, tmp_path: Path) -> None:
    def turning(index: int, width: int, height: int) -> np.ndarray:
        return np.full((height, width, 3), RED if index < 8 else BLUE, np.uint8)

    clip = write_clip(tmp_path / "a.mp4", 25, picture_of=turning)
    made.commit("a.mp4", clip.read_bytes())
    shown = cell(pixels(sample_sheet(run, made, [record(0, "a.mp4")], {}, as_svg=False)), 0)
    assert shown[2] > 150 > shown[0]


def test_tables_are_shown_by_the_thumbnails_of_their_faces(run: str, made: Folder) -> None:
    records: list[Record] = [{"index": 0, "face_id": ["v:0:0", "v:1:0", "v:2:0"], "files": ["a.parquet"]}]
    assert sample_sheet(run, made, records, {}, as_svg=False) is None
    shown = thumbnail(np.full((200, 200, 3), RED, np.uint8), np.array([50, 50, 150, 150]))
    rows = {"face_id": ["v:1:0"], "jpeg": [shown.jpeg], "region": [shown.region]}
    commit_thumbnails(Folder(run), "v-00000", schema.frame(rows, schema.THUMBNAILS))
    assert cell(pixels(sample_sheet(run, made, records, {}, as_svg=False)), 0) == pytest.approx(RED, abs=4)


def test_what_can_not_be_shown_ends_no_export(
    run: str, made: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    made.commit("a.mp4", b"no clip")
    picture(made, "b.png", BLUE)
    shown = pixels(sample_sheet(run, made, [record(0, "a.mp4"), record(1, "b.png")], {}, as_svg=False))
    assert cell(shown, 1) == BLUE
    assert "a.mp4: not shown on the sheet" in caplog.text
    Folder(run).commit("thumbnails/v-00000.parquet", b"damaged")
    assert sample_sheet(run, made, [record(0, "a.parquet")], {}, as_svg=False) is None
    assert "thumbnails/v-00000.parquet" in caplog.text


def test_where_pictures_lie_beside_it_the_sheet_is_none() -> None:
    assert taken_for_data(StyleGan(), [record(0, "00000/0.png")])
    assert not taken_for_data(StyleGan(zip=True), [record(0, "00000/0.png")])
    assert taken_for_data(Numbered(), [record(0, "0.txt", "0.png")])
    assert not taken_for_data(Numbered(), [record(0, "images/0.png")])


def test_where_every_picture_counts_the_sheet_is_none_that_loaders_take(run: str, made: Folder) -> None:
    """StyleGAN's ImageFolderDataset takes every file below its folder whose ending Pillow knows."""
    picture(made, "0.png", RED)
    sheet = sample_sheet(run, made, [record(0, "0.png")], {}, as_svg=True)
    assert sheet is not None
    Image.init()
    assert Path(sheet.name).suffix not in Image.EXTENSION
    assert isinstance(sheet.content, bytes)
    data = re.search(rb'href="data:image/jpeg;base64,([^"]+)"', sheet.content)
    assert data is not None
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1]))))
    assert cell(shown, 0) == pytest.approx(RED, abs=4)
