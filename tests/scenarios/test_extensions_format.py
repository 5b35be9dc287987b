"""An export format of another package: one file and one line, and it is exported like ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from clips import write_clip
from command import call
from numbered import SELECTION, make_run

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.registry import FORMATS, format_class

THE_FILE = '''
"""The mean colour of a square around each nose, a line of numbers per face."""

import json

from lpff_ray.exports.format import FaceFormat, OutputFile, OutputImage


class MeanColour(FaceFormat):
    """`--format mean_colour`. side: of the square, pixels."""

    side: int = 8

    name = "mean_colour"
    columns = ("keypoints",)

    def make(self, frame, row):
        x, y = (int(value) - self.side // 2 for value in row["keypoints"][2])
        square = frame[y : y + self.side, x : x + self.side]
        image = OutputImage(f"{row['index']:04d}.png", square)
        return [image], {"transform": [[1, 0, -x], [0, 1, -y]], "colour": square.mean((0, 1)).tolist()}

    def finish(self, made, records):
        colours = {record["face_id"]: record["colour"] for record in records}
        yield OutputFile("colours.json", json.dumps(colours).encode())
'''
THE_LINE = "mean_colour = a_package_of_formats:MeanColour"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an installed package with that format, and with one that is none."""
    folder = tmp_path / "installed"
    info = folder / "a_package_of_formats-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "a_package_of_formats.py").write_text(THE_FILE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package-of-formats\nVersion: 1.0\n")
    wrong = "wrong = json:JSONDecoder"
    (info / "entry_points.txt").write_text(f"[lpff_ray.formats]\n{THE_LINE}\n{wrong}\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("a_package_of_formats", None)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    clip = write_clip(tmp_path / "a.mp4", 20, size=(96, 96))
    return make_run(tmp_path / "run", [clip], [0, 7, 19])


def test_it_is_exported_like_ours(package: Path, run: Path, tmp_path: Path) -> None:
    assert FORMATS.names()[-2:] == ["mean_colour", "wrong"]
    dest = tmp_path / "dest"
    summary = lpff_ray.export(
        str(run), SELECTION, "mean_colour", str(dest), {"side": 4}, executor="local", workers=1
    )
    assert (summary.faces, summary.made, summary.lost, summary.failures) == (3, 3, 0, {})
    chosen = pl.read_parquet(run / "selections" / f"{SELECTION}.parquet")
    assert list(json.loads((dest / "colours.json").read_text())) == chosen["face_id"].to_list()
    assert sorted(path.name for path in dest.glob("*.png")) == ["0000.png", "0001.png", "0002.png"]
    assert len((dest / "PROVENANCE.jsonl").read_text().splitlines()) == 3
    again = lpff_ray.export(
        str(run), SELECTION, "mean_colour", str(dest), {"side": 4}, executor="local", workers=1
    )
    assert (again.made, again.made_before) == (3, 3)
    with pytest.raises(UserError, match=r"no option 'sides'; its options: side$"):
        lpff_ray.export(str(run), SELECTION, "mean_colour", str(tmp_path / "other"), {"sides": 4})


def test_the_command_line_knows_it(package: Path, run: Path, tmp_path: Path) -> None:
    command = ("export", run, "--selection", SELECTION, "--format", "mean_colour")
    done = call(*command, "--dest", tmp_path / "dest", "--set", "side=4")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "dest" / "colours.json").read_text())) == 3


def test_what_is_no_format_is_one_clear_line(package: Path) -> None:
    with pytest.raises(UserError, match=r"--format wrong: <class 'json.decoder.JSONDecoder'> is no class of"):
        format_class("wrong")
