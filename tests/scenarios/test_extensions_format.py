"""An export format of another package: one file and one line, and it is exported like ours."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from clips import write_clip
from command import call
from numbered import SELECTION, numbered_run
from other_package import install, source_of

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.registry import FORMATS, format_class


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with that format, and with one that is none."""
    install(
        tmp_path / "installed",
        monkeypatch,
        {"mean_colour": source_of("mean_colour")},
        {"lpff_ray.formats": "mean_colour = mean_colour:MeanColour\nwrong = json:JSONDecoder"},
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    clip = write_clip(tmp_path / "a.mp4", 20, size=(96, 96))
    return numbered_run(tmp_path / "run", [clip], [0, 7, 19])


def test_it_is_exported_like_ours(package: None, run: Path, tmp_path: Path) -> None:
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
    with pytest.raises(UserError, match=r"no option 'sides'; its options: side, max_upsampling$"):
        lpff_ray.export(str(run), SELECTION, "mean_colour", str(tmp_path / "other"), {"sides": 4})


def test_the_command_line_knows_it(package: None, run: Path, tmp_path: Path) -> None:
    command = ("export", run, "--selection", SELECTION, "--format", "mean_colour")
    done = call(*command, "--dest", tmp_path / "dest", "--set", "side=4")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "dest" / "colours.json").read_text())) == 3


def test_what_is_no_format_is_one_clear_line(package: None) -> None:
    with pytest.raises(UserError, match=r"--format wrong: <class 'json.decoder.JSONDecoder'> is no class of"):
        format_class("wrong")
