"""The export itself: which frames, once each, under which names, and what becomes of what can not be had."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import fsspec
import numpy as np
import polars as pl
import pytest
from clips import overwrite, read_index, write_clip
from command import call, complaint
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered import FIVE, SELECTION, Numbered, numbered_run, select, tree
from PIL import Image

from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.exports import units
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.index_files import PROVENANCE
from lpff_ray.exports.job import export
from lpff_ray.exports.units import ROWS_PER_UNIT, plan_units
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.tables.run import Run

FRAMES = [3, 4, 11, 25, 26, 40]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces in each of six frames of two clips, one read by decord and one by PyAV."""
    folder = tmp_path_factory.mktemp("clips")
    clips = [write_clip(folder / "a.mp4", 48), write_clip(folder / "b.webm", 60, codec="vp9")]
    return numbered_run(folder / "run", clips, FRAMES, faces_per_frame=2)


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    """The export of it that nothing disturbed."""
    dest = run.parent / "made"
    summary = export(str(run), SELECTION, Numbered(), str(dest), workers=1)
    assert (summary.faces, summary.made, summary.made_before, summary.lost) == (24, 24, 0, 0)
    assert not summary.failures
    files = {name: content for name, content in tree(dest).items() if not name.startswith(".")}
    assert (summary.files, summary.size_bytes) == (len(files), sum(map(len, files.values())))
    assert set(summary.seconds) == {"open", "decode", "crop", "encode", "write", "total"}
    return dest


def test_every_face_comes_from_its_own_frame_and_is_named_by_its_rank(run: Path, made: Path) -> None:
    chosen = pl.read_parquet(run / "selections" / f"{SELECTION}.parquet")
    seen = json.loads((made / "seen.json").read_text())
    assert [face_id for face_id, _, _ in seen] == chosen["face_id"].to_list()
    for rank, (face_id, number, five) in enumerate(seen):
        _, frame, face = face_id.split(":")
        assert number == int(frame)
        assert np.array_equal(five, FIVE + int(face))
        assert read_index(cv2.imread(str(made / f"{rank:04d}.png"))) == int(frame)
        assert (made / f"{rank:04d}.txt").read_text() == "text"


def test_provenance_names_every_file_and_where_it_came_from(run: Path, made: Path) -> None:
    lines = [json.loads(line) for line in (made / "PROVENANCE.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(24))
    named = [name for line in lines for name in line["files"]]
    assert len(set(named)) == len(named)
    files = {name for name in tree(made) if not name.startswith(".")}
    assert files == {*named, "seen.json", "PROVENANCE.jsonl", "SHEET.svg", "README.md"}
    for line in lines:
        assert line.keys() == set(PROVENANCE) - {"transform", "transforms", "source"}, (
            "this format has no transform"
        )
        assert line["face_id"].startswith(f"{line['video_id']}:{line['frame_index']}:")
        assert line["pts_ns"] == line["frame_index"] * 40_000_000
        assert Path(line["uri"]).is_file()
        assert line["tool"].startswith("lpff_ray")


def test_each_frame_is_decoded_once_in_order(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lpff_ray.decode import fallback

    asked: list[list[int]] = []
    open_source = fallback.open_source

    def spy(*arguments: str, fps: float) -> object:
        source = open_source(*arguments, fps=fps)
        frames = source.frames
        source.frames = lambda indices: asked.append(list(indices)) or frames(indices)  # type: ignore[method-assign]
        return source

    monkeypatch.setattr(fallback, "open_source", spy)
    export(str(run), SELECTION, Numbered(), str(tmp_path / "dest"), workers=1)
    assert asked == [FRAMES, FRAMES]


@pytest.mark.parametrize(("workers", "rows"), [(3, ROWS_PER_UNIT), (2, 4)])
def test_neither_workers_nor_units_change_a_byte(
    run: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, rows: int
) -> None:
    monkeypatch.setattr(units, "ROWS_PER_UNIT", rows)
    export(str(run), SELECTION, Numbered(), str(tmp_path / "dest"), workers=workers)
    left, right = tree(made), tree(tmp_path / "dest")
    if rows == ROWS_PER_UNIT:
        assert left == right
    else:
        assert len([name for name in right if name.startswith(".lpff_ray/units/")]) > 2
        public = {name for name in left if not name.startswith(".lpff_ray/units/")}
        assert {name: right[name] for name in public} == {name: left[name] for name in public}


@pytest.mark.parametrize("packs", [False, True])
def test_a_place_that_is_no_disk(run: Path, made: Path, tmp_path: Path, packs: bool) -> None:
    dest = f"memory://{tmp_path.name}/dest"
    first = export(str(run), SELECTION, Numbered(packs=packs), dest)
    memory = fsspec.filesystem("memory")
    found = {
        path.split("/dest/", 1)[1]: memory.cat_file(path) for path in memory.find(f"{tmp_path.name}/dest")
    }
    found = {name: content for name, content in found.items() if not name.startswith(".lpff_ray")}
    before = {name: content for name, content in tree(made).items() if not name.startswith(".")}
    if packs:
        names = [name for number in range(24) for name in (f"{number:04d}.png", f"{number:04d}.txt")]
        assert found.keys() == {"all.bin", "seen.json", "PROVENANCE.jsonl", "SHEET.png", "README.md"}, (
            "what was staged is gone"
        )
        assert found["all.bin"] == b"".join(before[name] for name in names)
    else:
        assert found == before
    again = export(str(run), SELECTION, Numbered(packs=packs), dest)
    assert (again.made, again.made_before, again.seconds) == (24, 24, {})
    assert (again.files, again.size_bytes) == (first.files, first.size_bytes)


def test_a_lost_video_is_reported_and_made_up_for_from_its_new_place(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{name}.mp4", 12 + place) for place, name in enumerate("abc")]
    out = numbered_run(tmp_path / "run", clips, [2, 5])
    export(str(out), SELECTION, Numbered(), str(tmp_path / "whole"))
    moved = tmp_path / "elsewhere" / "b.mp4"
    moved.parent.mkdir()
    clips[1].rename(moved)
    clips[2].rename(tmp_path / "kept.mp4")
    write_clip(clips[2], 12, size=(32, 32))  # another video under the old name
    first = export(str(out), SELECTION, Numbered(), str(tmp_path / "dest"))
    assert first.failures == {
        str(clips[1]): "no such file",
        str(clips[2]): "another file than the one that was mined lies there",
    }
    assert (first.faces, first.made) == (6, 2)
    seen = json.loads((tmp_path / "dest" / "seen.json").read_text())
    assert len(seen) == 2, "the index names what there is"
    Run(str(out), MineConfig()).begin().commit_plan(plan_videos([Source(str(moved))]))
    (tmp_path / "kept.mp4").replace(clips[2])
    second = export(str(out), SELECTION, Numbered(), str(tmp_path / "dest"))
    assert (second.made, second.made_before, second.failures) == (6, 2, {})
    assert tree(tmp_path / "dest") == tree(tmp_path / "whole")


def test_frames_that_can_not_be_decoded_are_counted_not_replaced(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "sound.mp4", 60, size=(160, 120), noise=40)
    clip = overwrite(sound, tmp_path / "clip.mp4", 0.35, 0.55)
    sound.unlink()
    frames = list(range(0, 60, 2))
    out = numbered_run(tmp_path / "run", [clip], frames)
    summary = export(str(out), SELECTION, Numbered(), str(tmp_path / "dest"))
    assert 0 < summary.lost < 30
    assert summary.made == 30 - summary.lost
    for face_id, number, _ in json.loads((tmp_path / "dest" / "seen.json").read_text()):
        # Damage that is a valid bitstream by chance no decoder can see; but a neighbour is never taken for the frame.
        assert number in (int(face_id.split(":")[1]), -1)
    again = export(str(out), SELECTION, Numbered(), str(tmp_path / "dest"))
    assert (again.lost, again.made_before) == (summary.lost, summary.made)


def test_photos_are_sources_too(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    out = numbered_run(tmp_path / "run", [tmp_path / "a.png"], [0])
    assert export(str(out), SELECTION, Numbered(), str(tmp_path / "dest")).made == 1
    with Image.open(tmp_path / "dest" / "0000.png") as image:
        assert np.array_equal(np.asarray(image), picture), "lossless, and not blue where it was red"


def test_a_folder_that_holds_anything_else_is_refused(run: Path, made: Path, tmp_path: Path) -> None:
    before = tree(made)
    with pytest.raises(UserError, match=r"made: holds another export \(pause_s = 0.0 there, 0.5 now\)"):
        export(str(run), SELECTION, Numbered(pause_s=0.5), str(made))
    face_ids = pl.read_parquet(run / "selections" / f"{SELECTION}.parquet")["face_id"].to_list()
    select(run, face_ids[:5], "fewer")
    with pytest.raises(UserError, match=r"selection = some there, fewer now"):
        export(str(run), "fewer", Numbered(), str(made))
    with pytest.raises(UserError, match=r"another export \(format = numbered there, stylegan now\); give"):
        export(str(run), SELECTION, StyleGan(), str(made))
    assert tree(made) == before
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty, and no export of lpff-ray; give --dest a new folder"):
        export(str(run), SELECTION, Numbered(), str(tmp_path))
    assert list(tree(tmp_path)) == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--format", "stylegun"), r"--format stylegun: no such format; there are stylegan"),
        (
            ("--format", "stylegan", "--size", "300"),
            r"--format stylegan: size = 300: Input should be 512 or 1024",
        ),
        (("--format", "efhq", "--size", "512"), r"--format efhq has no option 'size'"),
        (
            ("--format", "stylegan", "--set", "sise=512"),
            r"has no option 'sise'; its options: size, image, mirror, start, base, zip, join, labels, aging, ",
        ),
        (("--format", "stylegan", "--set", "size"), r"--set size: write it as key=value"),
        (("--format", "eg3d", "--set", "base=2024"), r"^2024: holds neither pictures nor a dataset.json"),
        (("--format", "stylegan", "--selection", "none"), r"no selection 'none' \(there: .*some\)"),
    ],
)
def test_mistakes_are_one_clear_line(
    run: Path, tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    import re

    done = call("export", run, "--selection", SELECTION, *arguments, "--dest", tmp_path / "dest")
    assert re.search(line, complaint(done))
    assert not (tmp_path / "dest").exists()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), min_size=1, max_size=60), st.integers(1, 9)
)
def test_units_hold_every_row_once_and_no_frame_twice(faces: list[tuple[str, int]], size: int) -> None:
    rows = pl.DataFrame(
        {
            "index": range(len(faces)),
            "video_id": [video for video, _ in faces],
            "frame_index": [frame for _, frame in faces],
            "uri": ["/x"] * len(faces),
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "ROWS_PER_UNIT", size)
        planned = plan_units(Numbered(), rows, {})
    together = pl.concat([unit.rows for unit in planned])
    assert sorted(together["index"]) == list(range(len(faces)))
    frames = [
        (unit.source.video_id, frame) for unit in planned for frame in unit.rows["frame_index"].unique()
    ]
    assert len(set(frames)) == len(frames)
    assert len({unit.unit_id for unit in planned}) == len(planned)
    busiest = max(faces.count(face) for face in faces)
    assert max(len(unit.rows) for unit in planned) <= size + busiest
