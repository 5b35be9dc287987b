"""The data card says what is there, where it came from, and what to beware of; the same rows make the same card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from runs import make_run, table_of

from lpff_ray.exports.card.data_card import data_card
from lpff_ray.exports.format import Record
from lpff_ray.exports.formats.imagefolder import ImageFolder
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.formats.webdataset import WebDataset
from lpff_ray.tables import schema

SELECTED: list[dict[str, Any]] = [
    {"face_id": "v:0:0", "identity_id": "ann", "bin": "frontal", "split": "train", "rank": 0, "copies": 1},
    {
        "face_id": "v:1:0",
        "identity_id": "ann",
        "bin": "profile_left",
        "split": "train",
        "rank": 1,
        "copies": 1,
    },
    {
        "face_id": "w:0:0",
        "identity_id": "bob",
        "bin": "profile_left",
        "split": "test",
        "rank": 2,
        "copies": 1,
    },
    {"face_id": "w:9:0", "identity_id": "bob", "bin": "confused", "split": "test", "rank": 3, "copies": 1},
]


def record(index: int, face: str, scale: float = 1.0) -> Record:
    return {
        "index": index,
        "face_id": face,
        "video_id": face[0],
        "uri": f"/videos/{face[0]}|.mp4",
        "files": [f"{index}.png"],
        "transform": [[scale, 0, 0], [0, scale, 0]],
    }


RECORDS = [record(0, "v:0:0"), record(1, "v:1:0", 2.5), record(2, "w:0:0")]


@pytest.fixture
def run(tmp_path: Path) -> str:
    made = make_run(tmp_path / "run", {}, selections={"turned": SELECTED})
    return made.folder.root


def card(run: str, export_format: Any, records: list[Record] = RECORDS) -> str:
    chosen = table_of(SELECTED, schema.SELECTION)
    return data_card(run, "turned", chosen, export_format, records, "SHEET.png").decode()


def test_it_counts_what_was_made(run: str) -> None:
    text = card(run, StyleGan())
    assert "3 selected faces of 2 people from 2 sources: 3 records, 3 files" in text
    assert "| profile_left | 2 | 2 |" in text
    assert "| frontal | 1 | 1 |" in text
    assert "confused" not in text, "its face was not made"
    assert "| train | 2 | 1 |" in text
    assert "![3 samples, drawn at random](SHEET.png)" in text
    assert text.startswith("---\nlicense: other\n")


def test_it_warns_of_enlarged_crops_and_of_limited_licences(run: str) -> None:
    assert "**Warning.** Crops are enlarged: 1 of 3 crops, the most 2.5 times" in card(run, StyleGan())
    assert "Warning" not in card(run, StyleGan(), [RECORDS[0], RECORDS[2]])


def test_it_names_sources_models_and_settings(run: str) -> None:
    text = card(run, StyleGan(size=512))
    assert "| v%7C.mp4 | 2 |" in text
    assert "size = 512" in text
    assert re.search(r"^\| facemesh \| Apache-2.0 \|$", text, re.MULTILINE)
    assert "personal data" in text
    assert str(Path(run).parent) not in text, "nothing of this machine"


@pytest.mark.parametrize(
    ("export_format", "paths"),
    [
        (ImageFolder(), ["test/**", "train/**"]),
        (WebDataset(), ["test-*.tar", "train-*.tar"]),
        (StyleGan(), []),
    ],
)
def test_hugging_face_is_told_which_files_are_which_split(
    run: str, export_format: Any, paths: list[str]
) -> None:
    head = card(run, export_format).split("---\n")[1]
    assert re.findall(r'path: "(.*)"', head) == paths
    assert re.findall(r"split: (.*)", head) == ["test", "train"][: len(paths)]


def test_the_same_rows_make_the_same_card(run: str) -> None:
    assert card(run, StyleGan()) == card(run, StyleGan())
    assert pl.DataFrame(SELECTED).height == 4
