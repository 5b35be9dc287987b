"""What manifests say of sources on its way into data sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import write_clip
from command import call, complaint
from numbered import SELECTION, Numbered, row_of, select
from runs import make_run

from lpff_ray.exports.job import export
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, of which one has a licence; a face of each is selected."""
    folder = tmp_path_factory.mktemp("columns")
    clips = [write_clip(folder / f"{name}.mp4", 5 + at) for at, name in enumerate("ab")]
    columns = (("author", "Ann | Bob"), ("caption", "a dog"), ("licence", "CC0"))
    videos = plan_videos([Source(str(clips[0]), columns=columns), Source(str(clips[1]))])
    segments = {f"{video.video_id}-00000": [row_of(video, 2, 0)] for video in videos}
    make_run(folder / "run", segments, videos=videos)
    select(folder / "run", [f"{video.video_id}:2:0" for video in videos])
    select(folder / "run", [f"{videos[0].video_id}:2:0"], "licensed")
    return folder / "run"


def test_provenance_and_card(run: Path, tmp_path: Path) -> None:
    export(str(run), SELECTION, Numbered(), str(tmp_path / "made"), workers=1)
    lines = [json.loads(line) for line in (tmp_path / "made" / "PROVENANCE.jsonl").read_text().splitlines()]
    assert [line.get("source") for line in lines] == [
        {"author": "Ann | Bob", "caption": "a dog", "licence": "CC0"},
        None,
    ]
    card = (tmp_path / "made" / "SOURCES.md").read_text()
    assert "## licence\n\n| value | records |\n|---|---|\n| (not given) | 1 |\n| CC0 | 1 |\n" in card
    assert "| Ann &#124; Bob | 1 |" in card


def test_an_export_refuses_faces_without_a_licence(run: Path, tmp_path: Path) -> None:
    arguments = ("--format", "stylegan", "--dest", tmp_path / "made", "--require", "licence")
    said = complaint(call("export", run, "--selection", SELECTION, *arguments))
    assert "1 of 2 selected faces come from sources without licence" in said
    assert f"{run.parent}/b.mp4" in said
    assert not (tmp_path / "made").exists()
    done = export(str(run), "licensed", Numbered(), str(tmp_path / "made"), workers=1, require=["licence"])
    assert done.made == 1
