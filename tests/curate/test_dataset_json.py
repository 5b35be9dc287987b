"""Camera labels of other data sets, read back as poses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lpff_ray.curate.dataset_json import SCHEMA, read_dataset_json
from lpff_ray.errors import UserError
from lpff_ray.geometry.eg3d_camera import camera_label
from lpff_ray.geometry.rotation import matrix_from_angles

ANGLES = np.array([[40.0, 10.0, -5.0], [-75.0, 0.0, 20.0], [0.0, -30.0, 0.0]])
LABELS = camera_label(matrix_from_angles(*ANGLES.T)).tolist()
NAMES = ["00000/img00000000.png", "00000/img00000001.png", "00000/img00000002.png"]
INDEX: dict[str, Any] = {"labels": list(zip(NAMES, LABELS, strict=True))}


def places(folder: Path) -> list[Path]:
    """The same labels in every form that is read."""
    (folder / "set").mkdir()
    (folder / "set" / "dataset.json").write_text(json.dumps(INDEX))
    (folder / "ffhq").mkdir()
    (folder / "ffhq" / "dataset-ffhq.json").write_text(json.dumps(INDEX))
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        archive.writestr("dataset.json", json.dumps(INDEX))
    (folder / "camera_parameters.json").write_text(json.dumps(dict(INDEX["labels"])))
    return [folder / "set", folder / "ffhq", folder / "set.zip", folder / "camera_parameters.json"]


def test_every_form_gives_the_poses(tmp_path: Path) -> None:
    for place in places(tmp_path):
        table = read_dataset_json(str(place))
        assert table.schema == SCHEMA
        assert table["file"].to_list() == NAMES
        assert table.select("yaw", "pitch", "roll").to_numpy() == pytest.approx(ANGLES, abs=1e-4)
        assert table["label"].to_list() == LABELS


def test_an_empty_set_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"labels": []}')
    table = read_dataset_json(str(tmp_path))
    assert (len(table), table.schema) == (0, SCHEMA)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"labels": null}', "no labels"),
        ('{"labels": [["a.png", 5]]}', "no cameras"),
        ('{"labels": [["a.png", [1, 2, 3]]]}', "no cameras"),
        ('{"labels": [["a.png", "b", "c"]]}', "list of"),
        ('{"labels": "all"}', "list of"),
        ("[1, 2", "no JSON"),
        (json.dumps({"labels": [["a.png", [0.0] * 25]]}), "a.png is no camera"),
    ],
)
def test_what_holds_no_cameras_is_said_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=complaint) as caught:
        read_dataset_json(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 torn")
    for place, complaint in (("torn.zip", "zip"), ("none.json", "none.json"), (".", "holds none of")):
        with pytest.raises(UserError, match=complaint):
            read_dataset_json(str(tmp_path / place))
